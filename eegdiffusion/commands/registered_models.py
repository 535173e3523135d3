"""Models that a command is given by MLflow's address of them."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.checkout import GRAPH
from eegdiffusion.core.runtime.device_name import DEVICE, require_device_name
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.operations.registry.registered_names import require_registered

if TYPE_CHECKING:
    import mlflow

    from eegdiffusion.core.signal.preprocessing import Preprocessing
    from eegdiffusion.events.results.tested_subsets import TestedSubsets


unsigned_option = click.option(
    "--unsigned",
    is_flag=True,
    help="Do not verify who signed the model and that it is unchanged; this is written down.",
)
"""Option of the commands that use models."""

device_option = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="What computes: cpu, cuda, cuda:1 ...; auto is a GPU where there is one.",
)
"""Option of the commands that compute with models."""


def choose_device(name: str) -> None:
    """Let models that are loaded after this compute on a device.

    Args:
        name: value of ``--device``.

    Raises:
        InputError: it names none, or one that this machine has not.
    """
    require_device_name(name, "--device")
    if name.startswith("cuda"):
        from eegdiffusion.core.training.device import named_device

        named_device(name)
    os.environ[DEVICE] = name


def require_device(model: object, name: str) -> None:
    """Check that a loaded model computes where it was asked to.

    Args:
        model: MLflow's Python model.
        name: value of ``--device``.

    Raises:
        InputError: it was registered with code that knows no devices, and computes on the CPU alone.
    """
    if name.startswith("cuda") and getattr(getattr(model, "device", None), "type", "cpu") != "cuda":
        raise InputError(f"--device: {name}: this model was registered with code that computes on the CPU alone")


UNSIGNED_NOTE = ", NOT verified (--unsigned)"
"""What results say of a model that was not verified."""


def address(name: str) -> str:
    """Return MLflow's address of a model: ``lft`` is ``models:/lft@champion``, ``lft/3`` and ``lft@x`` are of the same.

    An address and the path of a folder that exists stay as they are.
    """
    if ":" in name or Path(name).exists():
        return name
    return f"models:/{name}" if re.search("[/@]", name) else f"models:/{name}@champion"


GENERATORS = ("condiffusion", "sgdm-controlnet")
"""Registered models that make images from EEG."""


def generator_address() -> str:
    """Return the address of the generator that is taken where none is named.

    It is the first of :data:`GENERATORS` that has a champion; where none has passed the gate, the first challenger,
    and a line on stderr says so.

    Raises:
        InputError: there is no registry, or it holds none of them.
    """
    require_registry(f"models:/{GENERATORS[0]}@champion")
    from eegdiffusion.core.observe.tracking import server
    from eegdiffusion.operations.registry.champion import RegisteredModel
    from eegdiffusion.operations.registry.registry_config import CHALLENGER, CHAMPION

    server.wait()
    for alias in (CHAMPION, CHALLENGER):
        for name in GENERATORS:
            if RegisteredModel(name).version_with_alias(alias) is None:
                continue
            uri = f"models:/{name}@{alias}"
            if alias == CHALLENGER:
                say(f"no generator has passed the registry's gate; taking {uri}", stream=sys.stderr)
            return uri
    raise InputError(
        f"--model: the registry {server.uri()} holds no generator of images ({', '.join(GENERATORS)}); `eeg register` "
        "adds those of the last run"
    )


def require_registry(model: str) -> None:
    """Check that there is a registry to ask for a model.

    Raises:
        InputError: outside of a clone, which has one, ``MLFLOW_TRACKING_URI`` must name it.
    """
    known = "MLFLOW_TRACKING_URI" in os.environ or Path(GRAPH).exists()
    if model.startswith(("models:/", "runs:/")) and not known:
        raise InputError(
            f"--model: {model}: no registry is known outside of a clone; set MLFLOW_TRACKING_URI, e.g. "
            "sqlite:////home/me/clone/mlruns/mlflow.db, or give the folder of a saved model"
        )


def require_known(model: str, option: str = "--model") -> None:
    """Check before anything heavy is loaded that there is a registry, and in a local one the version asked for.

    Args:
        model: MLflow's address of it.
        option: where it was given, for the message.

    Raises:
        InputError: there is no registry, see :func:`require_registry`, or no such version in it.
    """
    require_registry(model)
    require_registered(model, option)


def load_classifier(
    model: str, unsigned: bool = False, purpose: str = "loaded"
) -> tuple["mlflow.pyfunc.PyFuncModel", "Preprocessing"]:
    """Load a registered classifier of windows with the preprocessing that it carries.

    Args:
        model: MLflow's address of it.
        unsigned: do not verify it, which is written down.
        purpose: what it is loaded for, for that note.

    Raises:
        InputError: there is no such model, it is refused, or it carries no preprocessing.
        UnavailableError: the server is away for too long.
    """
    model = address(model)
    require_known(model)
    from eegdiffusion.core.signal.preprocessing import read_preprocessing_fields
    from eegdiffusion.operations.registry.load_registered_model import load_registered_model

    loaded = load_registered_model(model, unsigned, purpose)
    carried = getattr(loaded.unwrap_python_model(), "preprocessing", None)
    if carried is None:
        raise InputError(f"--model: {model}: must carry its preprocessing; it classifies no windows, or is too old")
    return loaded, read_preprocessing_fields(carried, f"{model}: preprocessing")


def tested_subsets(loaded: "mlflow.pyfunc.PyFuncModel", model: str) -> "TestedSubsets | None":
    """Return the subsets of its channels that a loaded model was tested on; None where it takes all of them alone.

    Args:
        loaded: the model.
        model: its address, for the error.

    Raises:
        InputError: what it carries of them cannot be read.
    """
    from eegdiffusion.events.results.tested_subsets import read_tested_subsets

    carried = getattr(loaded.unwrap_python_model(), "subsets", None)
    return None if carried is None else read_tested_subsets(carried, f"{model}: subsets")
