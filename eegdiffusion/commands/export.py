"""Write a registered model for others' code: ``eeg export``."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from eegdiffusion.commands.command_line import PATH, Choice, Command
from eegdiffusion.commands.registered_models import UNSIGNED_NOTE, address, require_known, unsigned_option
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.modules.own_folder import ONNX_PROGRAM, TORCH_PROGRAM, WEIGHTS, require_own_folder

if TYPE_CHECKING:
    from eegdiffusion.modules.backbone import Backbone
    from eegdiffusion.modules.classifier import Classifier

FILES = {"hub": WEIGHTS, "torch": TORCH_PROGRAM, "onnx": ONNX_PROGRAM}
"""What can be written, and the file that holds the weights."""

UNITS = ("V", "mV", "uV", "100 uV")


@click.command("export", cls=Command, clone=False)
@click.argument("model")
@click.argument("folder", type=PATH)
@click.option("--to", "kind", type=Choice(list(FILES)), default="hub", show_default=True, help="What to write.")
@click.option("--unit", type=Choice(UNITS), default="V", show_default=True, help="Of the signals that it takes.")
@unsigned_option
def command(model: str, folder: Path, kind: str, unit: str, unsigned: bool) -> None:
    """Write MODEL, a registered classifier of events or backbone, to FOLDER for others' code.

    hub: config.json, model.safetensors and a card as hubs of models have them; eegdiffusion.Classifier and Backbone
    read them with from_pretrained. torch: a program for torch.export.load. onnx: a program for onnxruntime and others,
    of opset 20. Programs take windows of one length, of 5 s, and are compared with the model before they are kept.

    FOLDER must be new, empty, or of an earlier export of the kind. Works without a clone.
    """
    file = FILES[kind]
    require_own_folder(folder, file)
    model = address(model)
    require_known(model, "MODEL")
    with loading_modules():
        from eegdiffusion.operations.registry.verified_version import verified_files
    with verified_files(model, f"eeg export --to {kind}", unsigned, "MODEL") as files:
        loaded, origin = _read(files.folder / "artifacts", model, unit)
        origin = {"model": f"{model}{UNSIGNED_NOTE if unsigned else ''}", "files": str(files)} | origin
    say(f"{model}: {_write(loaded, folder, kind, file, origin)}", folder)


def _read(artifacts: Path, model: str, unit: str) -> tuple["Backbone | Classifier", dict[str, Any]]:
    """Read the model among the files of a version, and what is known of its training.

    Raises:
        InputError: it is neither an LFT nor a backbone.
    """
    from eegdiffusion.core.storage.text_files import read_json
    from eegdiffusion.modules.backbone import Backbone
    from eegdiffusion.modules.classifier import Classifier
    from eegdiffusion.modules.trained_folder import PREPROCESSING, is_trained_classifier

    if is_trained_classifier(artifacts):
        preprocessing = read_json(artifacts / PREPROCESSING)
        filters = ", ".join(f"{name} {value}" for name, value in preprocessing["filtering"].items())
        origin = {"trained on": f"{preprocessing['corpus']} data", "filters of its recordings": filters}
        return Classifier.from_pretrained(artifacts, unit=unit), origin
    if (artifacts / "backbone").is_dir():
        return Backbone.from_pretrained(artifacts / "backbone", unit=unit), {}
    raise InputError(f"MODEL: {model}: must be an LFT or a backbone (found a model of other files)")


def _write(model: "Backbone | Classifier", folder: Path, kind: str, file: str, origin: dict[str, Any]) -> str:
    """Write a model, and say what was written."""
    from eegdiffusion.modules.backbone import Backbone
    from eegdiffusion.modules.pretrained_folder import write_backbone, write_classifier
    from eegdiffusion.modules.program_export import OPSET, example_windows, write_onnx_program, write_torch_program

    writer: Callable[..., None] = write_backbone if isinstance(model, Backbone) else write_classifier
    what = type(model).__name__
    if kind == "hub":
        writer(model, folder, origin)
        return f"eegdiffusion.{what}.from_pretrained reads it"
    program = {"file": file, "samples": example_windows(model).shape[-1]} | ({"opset": OPSET} if kind == "onnx" else {})
    with TemporaryDirectory() as temporary:
        path = Path(temporary, file)
        difference = (write_onnx_program if kind == "onnx" else write_torch_program)(model, path)
        writer(model, folder, origin, program)
        shutil.move(path, folder / file)
    compared = (
        "not compared, as onnxruntime is not installed" if difference is None else f"within {difference:.1g} of it"
    )
    return f"{what} of windows of {program['samples']} samples, {compared}"
