"""Find the EEG events of a recording with a registered model.

``python -m components.predict recording.edf --model models:/lft@champion --out events.csv`` reads EDF, BDF, BrainVision
(.vhdr) or FIF, and writes the events as a table, the recording with them as an EDF+ file, and a figure. The model
brings its filters and montage. Every second is classified from the five around it, so the first and last two have none.
"""

import argparse
import time
from pathlib import Path

import mlflow
import numpy as np

from components.data.tuev import BACKGROUND
from components.errors import InputError
from components.orchestration import shell
from components.predict import annotated_edf, events, figure, recording, windows
from components.settings import validate
from components.signal.montage import ELECTRODES, derivations
from components.signal.preprocessing import Preprocessing
from components.tracking import server

MICROVOLTS = 100
"""The model's unit in microvolts."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m components.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--model", default="models:/lft@champion", help="MLflow's address of it (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="table to write, .csv; .edf and .png go beside it")
    parser.add_argument("--threshold", type=float, default=0.0, help="least probability of an event's seconds")
    parser.add_argument("--batch", type=int, default=16, help="windows in a batch")
    parser.add_argument(
        "--rename", nargs="+", default=[], metavar="OTHER=ELECTRODE", help="electrodes called otherwise, e.g. M1=A1"
    )
    return parser.parse_args()


def _outputs(out: Path, source: Path) -> dict[str, Path]:
    if out.suffix != ".csv":
        raise InputError(f"--out: must end with .csv (found {out})")
    found = {ending: out.with_suffix(f".{ending}") for ending in ("csv", "edf", "png")}
    if source.resolve() in [path.resolve() for path in found.values()]:
        raise InputError(f"--out: {source.resolve()} would be overwritten; choose another name")
    out.parent.mkdir(parents=True, exist_ok=True)
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
    server.wait()
    mlflow.set_tracking_uri(server.uri())
    try:
        model = mlflow.pyfunc.load_model(uri)
    except mlflow.MlflowException as error:
        raise InputError(f"--model: {uri}: {error.message}") from error
    carried = getattr(model.unwrap_python_model(), "preprocessing", None)
    if carried is None:
        raise InputError(f"--model: {uri}: must carry its preprocessing; it classifies no windows, or is too old")
    return model, validate(carried, Preprocessing, f"{uri}: preprocessing")


def main() -> None:
    arguments = _arguments()
    if not 0 <= arguments.threshold <= 1 or arguments.batch < 1:
        raise InputError("--threshold must lie in 0 to 1, --batch must be positive")
    outputs, rename = _outputs(arguments.out, arguments.recording), _rename(arguments.rename)
    model, preprocessing = _load(arguments.model)
    begin = time.monotonic()
    found = recording.read(arguments.recording, preprocessing.filtering.high_hz, rename)
    signals = windows.derived(found, preprocessing)
    good = windows.usable(found, signals, preprocessing)
    probabilities = windows.classify(signals, good, preprocessing, model.predict, arguments.batch)
    taken = time.monotonic() - begin

    rate_hz = preprocessing.filtering.rate_hz
    offset_s = (preprocessing.window / rate_hz - windows.STEP_S) / 2
    table = events.find(probabilities, preprocessing.classes, BACKGROUND, windows.STEP_S, offset_s, arguments.threshold)
    table.to_csv(outputs["csv"], index=False, float_format="%.6g")
    channels = derivations(preprocessing.montage_sign)
    annotated_edf.write(outputs["edf"], signals * MICROVOLTS, channels, rate_hz, table, found.start)
    trained = f"{arguments.model}, trained on {preprocessing.corpus} data"
    title = f"{arguments.recording.name}: {len(table)} events ({trained})"
    drawn = figure.draw(
        signals * MICROVOLTS, channels, rate_hz, probabilities, preprocessing.classes, offset_s, table, title
    )
    drawn.savefig(outputs["png"], dpi=110)

    duration_s = found.signals.shape[1] / found.rate_hz
    counts = ", ".join(f"{count} {label}" for label, count in table["label"].value_counts().items()) or "none"
    print(f"{trained}: {counts}")
    unusable = int(np.isnan(probabilities[:, 0]).sum())
    if unusable:
        print(f"{unusable} of {len(probabilities)} seconds have a constant or clipped channel, and no prediction")
    print(f"{duration_s:.0f} s of EEG in {taken:.1f} s, {duration_s / taken:.0f} times faster than real time")
    print(*outputs.values(), sep="\n")


if __name__ == "__main__":
    shell.run("predict", main)
