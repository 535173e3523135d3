"""Make pictures from EEG epochs with a registered model: ``eeg generate``."""

from collections.abc import Sequence
from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Command, SeveralOption
from eegdiffusion.commands.registered_models import (
    UNSIGNED_NOTE,
    address,
    choose_device,
    device_option,
    generator_address,
    require_device,
    require_known,
    unsigned_option,
)
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say


def _load(uri: str, unsigned: bool):
    from eegdiffusion.operations.registry.load_registered_model import load_registered_model

    require_known(uri)
    model = load_registered_model(uri, unsigned, "eeg generate")
    python = model.unwrap_python_model()
    # Of the version's own code, its class need not be the one imported here.
    if not {"arms", "input", "structure"} <= set(dir(python)):
        raise InputError(f"--model: {uri}: must make pictures from epochs, as condiffusion does")
    return model, python


def _arms(wanted: Sequence[str], offered: Sequence[str], epochs: int) -> list[str]:
    if not wanted:
        return [arm for arm in offered if epochs > 1 or not arm.startswith("shuffled")]
    for arm in wanted:
        if arm not in offered:
            raise InputError(f"--arms: must be among {', '.join(offered)} (found {arm}){nearest(arm, offered)}")
    return list(wanted)


@click.command("generate", cls=Command, clone=False)
@click.argument("epochs", type=PATH)
@click.option(
    "--model", help="condiffusion, sgdm-controlnet/2 or MLflow's address (default: the champion of these two)."
)
@click.option("--out", type=PATH, required=True, help="Folder to write to.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the noise.")
@click.option("--samples", type=click.IntRange(1), default=1, show_default=True, help="Pictures of each epoch.")
@click.option("--seen", type=PATH, help="Pictures that were seen, to stand beside: a folder of files, or .npy.")
@click.option("--arms", cls=SeveralOption, help="Arms in the figure (default: all; the files are of the first).")
@click.option("--sampler", help="Sampler in place of the model's own.")
@click.option("--steps", type=int, help="Steps in place of the model's own.")
@click.option("--guidance", type=float, help="Guidance in place of the model's own.")
@device_option
@unsigned_option
def command(
    epochs: Path,
    model: str | None,
    out: Path,
    seed: int,
    samples: int,
    seen: Path | None,
    arms: tuple[str, ...],
    device: str,
    unsigned: bool,
    **sampling: str | int | float | None,
) -> None:
    """Make pictures from EPOCHS, a .npy of (n, electrodes, samples) as the epoch store has them.

    `eeg example epochs EPOCHS` writes some of the demo's. Writes a PNG for each, all of them as pictures.npy, and a
    figure of every arm that the model has: its pictures, and those of its controls. Works without a clone of the
    repository.
    """
    for path in (epochs, seen):
        if path is not None and not path.exists():  # before the model, which takes seconds
            raise InputError(f"{path}: file: there is no such file")
    if model:
        require_known(address(model))

    with loading_modules():
        choose_device(device)
        import numpy as np
        from PIL import Image

        from eegdiffusion.images.figures import generated_figure
        from eegdiffusion.images.serving.epoch_files import read_epochs
        from eegdiffusion.images.serving.image_pyfunc import FULL

        uri = address(model) if model else generator_address()
        loaded, python = _load(uri, unsigned)
        require_device(python, device)
    signals = read_epochs(epochs, loaded.metadata.get_input_schema().inputs[0].shape[1:], python.input)
    shown = _arms(arms, python.arms, len(signals))
    side = loaded.metadata.get_output_schema().inputs[0].shape[1]
    seen_pictures = None if seen is None else generated_figure.read_shown_images(seen, len(signals), side)
    given = {name: value for name, value in sampling.items() if value is not None}

    def generate(arm: str, sample: int) -> np.ndarray:
        return loaded.predict(signals, params=given | {"seed": seed + sample, "arm": arm})

    # Several samples of the first arm, one of each of the others.
    pictures = {arm: [generate(arm, k) for k in range(samples if arm == shown[0] else 1)] for arm in shown}
    structure = python.structure(signals)
    out.mkdir(parents=True, exist_ok=True)
    first = np.stack(pictures[shown[0]], axis=1)
    for k, of_epoch in enumerate(first):
        for s, picture in enumerate(of_epoch):
            name = f"{k:04d}.png" if samples == 1 else f"{k:04d}-{s}.png"
            Image.fromarray(picture).save(out / name)
    np.save(out / "pictures.npy", first)
    title = "\n".join([epochs.name, uri + (UNSIGNED_NOTE if unsigned else ""), f"seed {seed}"])
    generated_figure.draw_generated_images(seen_pictures, structure, pictures, title).savefig(
        out / "figure.png", dpi=110
    )
    kind = "" if shown[0] == FULL else f" of the arm {shown[0]}"
    note = UNSIGNED_NOTE if unsigned else ""
    say(f"{uri}{note}: {first.shape[0] * first.shape[1]} pictures{kind} of {side} x {side} pixels")
    say(out / "figure.png")
