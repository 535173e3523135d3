"""Make pictures from EEG epochs with a registered model.

``python -m eegdiffusion.commands.generate epochs.npy --model models:/condiffusion@champion --out FOLDER`` reads epochs
(n, electrodes, samples) as the epoch store has them, and writes a PNG for each, all of them as ``pictures.npy``, and a
figure of every arm that the model has: its pictures, and those of its controls.
"""

import argparse
from pathlib import Path

import mlflow
import numpy as np
from PIL import Image

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.figures import generated_figure
from eegdiffusion.images.serving.epoch_files import read_epochs
from eegdiffusion.images.serving.image_pyfunc import FULL, PictureModel
from eegdiffusion.operations.registry.load_registered_model import load_registered_model

PARAMETERS = {"sampler": str, "steps": int, "guidance": float}
"""Of the model; without them it samples as it was registered to."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m eegdiffusion.commands.generate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("epochs", type=Path, help=".npy of epochs (n, electrodes, samples)")
    parser.add_argument("--model", default="models:/condiffusion@champion", help="its address (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=1, help="pictures of each epoch (default: %(default)s)")
    parser.add_argument("--seen", type=Path, help="pictures that were seen, to stand beside: folder of files, or .npy")
    parser.add_argument("--arms", nargs="+", help="arms in the figure (default: all; the files are of the first)")
    for name, kind in PARAMETERS.items():
        parser.add_argument(f"--{name}", type=kind, help=f"{name} in place of the model's own")
    return parser.parse_args()


def _load(uri: str) -> tuple[mlflow.pyfunc.PyFuncModel, PictureModel]:
    model = load_registered_model(uri)
    python = model.unwrap_python_model()
    # Of the model's own copy of the code, its class is not the one imported here.
    if not {"arms", "input", "structure"} <= set(dir(python)):
        raise InputError(f"--model: {uri}: must make pictures from epochs, as condiffusion does")
    return model, python


def _arms(wanted: list[str] | None, offered: tuple[str, ...], epochs: int) -> list[str]:
    if wanted is None:
        return [arm for arm in offered if epochs > 1 or not arm.startswith("shuffled")]
    for arm in wanted:
        if arm not in offered:
            raise InputError(f"--arms: must be among {', '.join(offered)} (found {arm})")
    return wanted


def main() -> None:
    arguments = _arguments()
    if arguments.samples < 1 or arguments.seed < 0:
        raise InputError("--samples must be positive, --seed must not be negative")
    for path in (arguments.epochs, arguments.seen):
        if path is not None and not path.exists():  # before the model, which takes seconds
            raise InputError(f"{path}: file: there is no such file")
    model, python = _load(arguments.model)
    epochs = read_epochs(arguments.epochs, model.metadata.get_input_schema().inputs[0].shape[1:], python.input)
    arms = _arms(arguments.arms, python.arms, len(epochs))
    side = model.metadata.get_output_schema().inputs[0].shape[1]
    seen = None if arguments.seen is None else generated_figure.read(arguments.seen, len(epochs), side)
    given = {name: value for name in PARAMETERS if (value := getattr(arguments, name)) is not None}

    def made(arm: str, sample: int) -> np.ndarray:
        return model.predict(epochs, params=given | {"seed": arguments.seed + sample, "arm": arm})

    found = {arm: [made(arm, k) for k in range(arguments.samples if k_arm == 0 else 1)]
             for k_arm, arm in enumerate(arms)}  # fmt: skip
    structure = python.structure(epochs)
    arguments.out.mkdir(parents=True, exist_ok=True)
    first = np.stack(found[arms[0]], axis=1)
    for k, samples in enumerate(first):
        for s, picture in enumerate(samples):
            name = f"{k:04d}.png" if arguments.samples == 1 else f"{k:04d}-{s}.png"
            Image.fromarray(picture).save(arguments.out / name)
    np.save(arguments.out / "pictures.npy", first)
    title = "\n".join([arguments.epochs.name, arguments.model, f"seed {arguments.seed}"])
    generated_figure.figure(seen, structure, found, title).savefig(arguments.out / "figure.png", dpi=110)
    kind = "" if arms[0] == FULL else f" of the arm {arms[0]}"
    print(f"{arguments.model}: {first.shape[0] * first.shape[1]} pictures{kind} of {side} x {side} pixels")
    print(arguments.out / "figure.png")


if __name__ == "__main__":
    shell.run("generate", main)
