"""The files of a logged model, brought into a folder of one's own, where nobody changes them any more."""

import os
import re
import shutil
import stat
from pathlib import Path

import mlflow
import yaml
from mlflow.utils.file_utils import local_file_uri_to_path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.operations.registry import signed_record

CODE = "code/eegdiffusion"
"""Folder of the library in a logged model's files."""

LOADER = "mlflow.pyfunc.loaders.code_model"
"""MLflow's loader of models that are made by a file of Python; the only one that is used."""

SERVING = re.compile(r"[a-z0-9_]+_pyfunc\.py")

LEFT_BEHIND = ("registered_model_meta",)
"""Files that MLflow writes into a local store when somebody loads a model there; they say nothing of the model."""

TOP = {
    "MLmodel",
    "conda.yaml",
    "input_example.json",
    "python_env.yaml",
    "requirements.txt",
    "serving_input_example.json",
    signed_record.FILE,
}

FOLDERS = ("artifacts", "code", "model_card", "provenance")

DATA = {".csv", ".json", ".npy", ".npz", ".parquet", ".safetensors", ".txt", ".yaml"}
"""Endings of the files that models are made of. Weights are safetensors: no ending of a pickle is among them."""


def fetch_logged_model(model_id: str, folder: Path) -> None:
    """Bring the files of a logged model into a folder; bytecode, which Python makes again, is left out.

    Args:
        model_id: MLflow's id.
        folder: an empty folder.

    Raises:
        InputError: there is no such model, it cannot be read, or it has a link or something else that is no file.
    """
    try:
        location = mlflow.get_logged_model(model_id).artifact_location
        fetch_files(location if _is_local(location) else f"models:/{model_id}", folder)
    except (mlflow.MlflowException, OSError) as error:
        raise InputError(f"its files cannot be had ({getattr(error, 'message', error)})") from error


def fetch_files(uri: str, folder: Path) -> None:
    """Bring files of a folder or of an address of MLflow's into a folder, see :func:`fetch_logged_model`."""
    if _is_local(uri):
        _copy(Path(local_file_uri_to_path(uri)), folder)
    else:
        downloaded = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder))
        _flatten(Path(downloaded), folder)
    for path in sorted(folder.rglob("__pycache__")):
        shutil.rmtree(path)
    for name in LEFT_BEHIND:
        (folder / name).unlink(missing_ok=True)


def files_below(folder: Path) -> dict[str, str]:
    """Return the paths of the files below a folder by their path in it, without bytecode; links are not followed."""
    files: dict[str, str] = {}
    root = f"{folder}/"
    for where, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if name != "__pycache__"]
        inside = f"{where}/".removeprefix(root)
        files |= {inside + name: f"{where}/{name}" for name in names}
    return files


def _raise(error: OSError) -> None:
    """Let a folder that cannot be read be an error, which ``os.walk`` passes over."""
    raise error


def _is_local(uri: str) -> bool:
    return uri.startswith("file:") or not re.match(r"[a-z0-9+-]+:", uri)


def _flatten(downloaded: Path, folder: Path) -> None:
    """Move what came as a folder in the folder to where it belongs."""
    if downloaded.resolve() == folder.resolve():
        return
    for path in list(downloaded.iterdir()):
        path.rename(folder / path.name)
    downloaded.rmdir()


def _copy(source: Path, target: Path) -> None:
    for where, folders, names in os.walk(source, onerror=_raise):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*folders, *names):
            mode = os.lstat(f"{where}/{name}").st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise InputError(f"{where}/{name}: is a link, or no file; a model holds files alone")
        into = f"{target}{where.removeprefix(str(source))}"
        os.makedirs(into, exist_ok=True)
        for name in names:
            shutil.copyfile(f"{where}/{name}", f"{into}/{name}", follow_symlinks=False)


def read_mlmodel(folder: Path) -> dict:
    """Read the description ``MLmodel`` of a logged model.

    Raises:
        InputError: there is none, or it is none of MLflow's.
    """
    try:
        document = yaml.safe_load((folder / "MLmodel").read_text())
        document["flavors"]["python_function"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise InputError(f"MLmodel: is no description of a model that can be loaded ({error})") from error
    return document


def serving_file(folder: Path) -> Path:
    """Return the file of the version's own library that loads and runs it.

    The file that MLflow's servers run is a copy of it, at the top of the folder; that they are the same is checked.

    Raises:
        InputError: the model asks for another loader, or its file is not the library's.
    """
    flavors = read_mlmodel(folder)["flavors"]
    if others := sorted(flavors.keys() - {"python_function"}):
        raise InputError(f"MLmodel: flavors: must be python_function alone (found {', '.join(others)})")
    flavor = flavors["python_function"]
    if flavor.get("loader_module") != LOADER:
        raise InputError(f"MLmodel: loader_module: must be {LOADER} (found {flavor.get('loader_module')!r})")
    for field in ("python_model", "data", "config", "predict_fn", "predict_stream_fn"):
        if flavor.get(field):
            raise InputError(f"MLmodel: {field}: must not be given, as it names a pickle or other code")
    if flavor.get("code") != "code":
        raise InputError(f"MLmodel: code: must be code (found {flavor.get('code')!r})")
    name = os.path.basename(str(flavor.get("model_code_path")))
    served = folder / name
    if not SERVING.fullmatch(name) or not served.is_file():
        raise InputError(f"MLmodel: model_code_path: must be a file of {CODE} that serves models (found {name!r})")
    for own in sorted((folder / CODE).glob(f"*/serving/{name}")):
        if own.read_bytes() == served.read_bytes():
            return own
    raise InputError(f"{name}: must be the file of that name in {CODE}/*/serving, as one code runs a version")


def check_layout(folder: Path) -> None:
    """Check that a model holds what models of this project hold: safetensors, tables, text, and the library's code.

    Raises:
        InputError: it holds something else, such as a pickle, or asks for another loader.
    """
    own = serving_file(folder)
    artifacts = read_mlmodel(folder)["flavors"]["python_function"].get("artifacts") or {}
    for name, described in artifacts.items():
        if os.path.normpath(str(described.get("path"))).split("/")[0] != "artifacts":
            raise InputError(f"MLmodel: artifacts.{name}: must lie in artifacts/ (found {described.get('path')!r})")
    for name, path in files_below(folder).items():
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise InputError(f"{name}: is a link, or no file; a model holds files alone")
        top, *below = name.split("/")
        if not below:
            allowed = top in TOP or top == own.name
        elif top == "artifacts":
            allowed = os.path.splitext(name)[1] in DATA
        else:
            allowed = top in FOLDERS and (top != "code" or below[0] == "eegdiffusion")
        if not allowed:
            rule = "weights are safetensors, and nothing else that runs code is loaded"
            raise InputError(f"{name}: has no place in a model: {rule}")
