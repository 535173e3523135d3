"""Find the EEG events of recordings with a registered model.

``python -m eegdiffusion.commands.predict recording.edf --model models:/lft@champion --out events.csv`` reads EDF, BDF,
BrainVision (.vhdr) or FIF, and writes the events as a table, the recording with them as an EDF+ file, and a figure. The
model brings its filters and montage. Every second is classified from the five around it, so the
first and last two have none.

Of a folder all recordings below it are read, and ``--out`` is a folder too; the same command goes on where it stopped.
"""

import argparse
from pathlib import Path

import mlflow

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.events.prediction.prediction import ENDINGS, Classifier, predict
from eegdiffusion.events.prediction.recordings_folder import predict_all
from eegdiffusion.operations.registry.load_registered_model import load_registered_model


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eegdiffusion.commands.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recording", type=Path, help="file, or folder of files")
    parser.add_argument("--model", default="models:/lft@champion", help="MLflow's address of it (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, required=True, help="table to write, .csv (.edf and .png go beside it), or folder"
    )
    parser.add_argument("--threshold", type=float, default=0.0, help="least probability of an event's seconds")
    parser.add_argument("--batch", type=int, default=16, help="windows in a batch")
    parser.add_argument(
        "--rename", nargs="+", default=[], metavar="OTHER=ELECTRODE", help="electrodes called otherwise, e.g. M1=A1"
    )
    return parser.parse_args()


def _outputs(out: Path, source: Path) -> dict[str, Path]:
    if out.suffix != ".csv":
        raise InputError(f"--out: must end with .csv (found {out})")
    found = {ending: out.with_suffix(f".{ending}") for ending in ENDINGS}
    if source.resolve() in [path.resolve() for path in found.values()]:
        raise InputError(f"--out: {source.resolve()} would be overwritten; choose another name")
    return found


def _rename(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        other, _, name = pair.upper().partition("=")
        if name not in ELECTRODES:
            raise InputError(f"--rename: must be OTHER=ELECTRODE, one of {', '.join(ELECTRODES)} (found {pair})")
        found[other] = name
    return found


def _load(uri: str) -> tuple[mlflow.pyfunc.PyFuncModel, Preprocessing]:
    model = load_registered_model(uri)
    carried = getattr(model.unwrap_python_model(), "preprocessing", None)
    if carried is None:
        raise InputError(f"--model: {uri}: must carry its preprocessing; it classifies no windows, or is too old")
    return model, validate(carried, Preprocessing, f"{uri}: preprocessing")


def main() -> None:
    arguments = _arguments()
    if not 0 <= arguments.threshold <= 1 or arguments.batch < 1:
        raise InputError("--threshold must lie in 0 to 1, --batch must be positive")
    rename, many = _rename(arguments.rename), arguments.recording.is_dir()
    outputs = None if many else _outputs(arguments.out, arguments.recording)
    if not arguments.recording.exists():  # before the model, which takes seconds
        raise InputError(f"{arguments.recording}: file: there is no such file")
    model, preprocessing = _load(arguments.model)
    name = f"{arguments.model}, trained on {preprocessing.corpus} data"
    classifier = Classifier(name, model, preprocessing, arguments.threshold, arguments.batch, rename)
    if many:
        predict_all(arguments.recording, arguments.out, classifier)
        return
    found = predict(arguments.recording, outputs, classifier)
    print(f"{name}: {found}")
    print(*outputs.values(), sep="\n")


if __name__ == "__main__":
    shell.run("predict", main)
