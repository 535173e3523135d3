"""Models in MLflow: logged by the stage that trained them, and pointed to by its ``mlflow.json``."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import mlflow

import eegdiffusion
from eegdiffusion.core.runtime import closure
from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

IMPORTED = ("torch", "diffusers", "transformers", "peft", "safetensors", "numpy", "scipy", "pydantic", "pyyaml", "mne")

REQUIREMENTS = [f"{name}=={version(name)}" for name in IMPORTED]
"""What a loaded model imports; stated, since MLflow's own inference runs the model and takes 15 s."""


def write_reference(path: Path, folder: Path, run_id: str, model: mlflow.models.model.ModelInfo | None) -> None:
    """Write ``mlflow.json``: the run, and the folder and id of the model when one was logged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    reference = {
        "run_id": run_id,
        "folder": folder.as_posix(),
        "model_id": model and model.model_id,
        "model_uri": model and model.model_uri,
    }
    path.write_text(json.dumps(reference, indent=2))


def model_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Name the metrics of a model so that no curve of its training bears their name: ``best_`` for validation's."""
    return {f"best_{name}" if name.startswith("validation_") else name: value for name, value in metrics.items()}


def log(
    serving: ModuleType, name: str, folder: Path, metrics: Mapping[str, float], step: int | None = None
) -> mlflow.models.model.ModelInfo:
    """Log a model to the active run.

    Args:
        serving: module of ``eegdiffusion.serving`` that loads and runs it; its ``package(folder)`` gives the files it
            reads (no pickle is among them, nor made of them), the signature, and an input example.
        name: name of the model.
        folder: what the training stage wrote.
        metrics: shown beside the model, and metrics of the run by :func:`model_metrics`' names.
        step: step of the metrics, the seed where a run trains several.
    """
    with _contents(serving, folder) as contents:
        info = mlflow.pyfunc.log_model(name=name, **contents)
    mlflow.log_metrics(model_metrics(metrics), step=step, model_id=info.model_id)
    return info


def save(serving: ModuleType, folder: Path, target: Path) -> None:
    """Write the files that :func:`log` sends to the server into a folder.

    Args:
        serving: see :func:`log`.
        folder: see :func:`log`.
        target: folder to make.
    """
    with _contents(serving, folder) as contents:
        mlflow.pyfunc.save_model(path=str(target), **contents)


@contextmanager
def _contents(serving: ModuleType, folder: Path) -> Iterator[dict[str, Any]]:
    artifacts, signature, example = serving.package(folder)
    with tempfile.TemporaryDirectory() as temporary:
        yield {
            "python_model": serving.__file__,
            "artifacts": {key: str(path) for key, path in artifacts.items()},
            "signature": signature,
            "input_example": example,
            "code_paths": [str(_copy_code(serving, Path(temporary)))],
            "pip_requirements": REQUIREMENTS,
        }


def _copy_code(serving: ModuleType, folder: Path) -> Path:
    """Copy what a serving module imports of the library, and no more: that alone runs, and is signed and compared."""
    modules = closure.closure(Path(str(serving.__file__)).resolve().relative_to(closure.ROOT))
    packages = {parent / "__init__.py" for module in modules for parent in module.parents if parent.name}
    for path in modules | packages:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(closure.ROOT / path, folder / path)
    return folder / eegdiffusion.__name__


def publish(
    serving: ModuleType, name: str, folder: Path, reference: Path, metrics: dict[str, float], warnings: list[str],
    figures: "Mapping[str, Figure]",
) -> None:  # fmt: skip
    """End a training: log its figures and its model to the active run, point to both, and say how it went.

    Args:
        serving: module that loads and runs the model; see :func:`log`.
        name: name of the model.
        folder: what the training stage wrote.
        reference: path of ``mlflow.json``, which is written.
        metrics: metrics shown beside the model.
        warnings: what must be said beside every number of the corpus.
        figures: figures by name, which go to ``figures/`` of the run.
    """
    for label, figure in figures.items():
        mlflow.log_figure(figure, f"figures/{label}.png")
    info = log(serving, name, folder, metrics)
    for warning in warnings:
        say(f"WARNING: {warning}")
    say(f"{name}: " + ", ".join(f"{key} {value:.4f}" for key, value in metrics.items()))
    write_reference(reference, folder, mlflow.active_run().info.run_id, info)
