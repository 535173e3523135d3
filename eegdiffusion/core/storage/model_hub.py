"""Folders of pretrained models: the user's own, or one revision of a model on Hugging Face's hub."""

import re
from pathlib import Path
from typing import Any, Protocol, Self

from eegdiffusion.core.runtime.errors import InputError, UnavailableError

PINNED = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")
"""Name of a model on the hub and the commit that is meant: whoever owns the name can change what it stands for."""

RULE = "must be the folder of {kind}, or its name on the hub with a commit: owner/name@<40 hexadecimal digits>"

FILES = ("*.json", "*.txt", "*.safetensors")
OTHER_PRECISIONS = ("*.fp16.safetensors", "*.non_ema.safetensors")


class PretrainedClass(Protocol):
    """A class whose ``save_pretrained`` writes a folder, which its ``from_pretrained`` reads."""

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Self | Any:
        """Read a folder."""
        ...


def require_pinned(source: str | None, download: bool) -> None:
    """Check that a source that may be downloaded names its revision.

    Args:
        source: folder or pinned name; None: nothing is loaded.
        download: whether the hub may be asked for it.

    Raises:
        ValueError: it does not, or there is nothing to download.
    """
    if download and not (source and (PINNED.fullmatch(source) or Path(source).is_dir())):
        raise ValueError(f"with download: true, the source {RULE.format(kind='a model')} (found {source!r})")


def model_folder(source: str, download: bool, setting: str, kind: str, parts: tuple[str, ...] = ()) -> Path:
    """Return the folder that holds a pretrained model.

    Of the hub only safetensors are taken, at the commit that is named, from its cache on this disk or, where that is
    allowed, from the hub itself.

    Args:
        source: folder, or pinned name.
        download: whether the hub may be asked for what the cache does not have.
        setting: name of the setting that named the source, for errors.
        kind: what the model must be, such as ``a CLIP model``, for errors.
        parts: folders of the model that are needed; empty: what lies at its top.

    Raises:
        InputError: there is no such folder, the name has no commit, or the hub refuses it.
        UnavailableError: the hub does not answer.
    """
    if source and Path(source).is_dir():  # an empty path is the working directory
        return Path(source)
    pinned = PINNED.fullmatch(source)
    if pinned is None:
        raise InputError(f"{setting}: {source}: {RULE.format(kind=kind)}")
    return _snapshot(pinned[1], pinned[2], download, setting, [f"{part}/{name}" for part in parts for name in FILES])


def load_folder[Model: PretrainedClass](cls: type[Model], folder: Path) -> Model:
    """Load a network from the folder that its ``save_pretrained`` wrote: nothing is downloaded, and no pickle read.

    Args:
        cls: its class, of this project's, diffusers' or transformers'.
        folder: the folder.

    Raises:
        InputError: there is no such folder, or it does not hold the network's configuration and weights.
    """
    name = getattr(cls, "__name__", "network")
    if not folder.is_dir():  # else a name on the hub
        raise InputError(f"{folder}: no such folder; it must hold {name}'s configuration and weights")
    try:
        return cls.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        rule = f"must hold {name}'s configuration and weights as safetensors"
        raise InputError(f"{folder}: {rule} ({_line(error)})") from error


def _snapshot(name: str, commit: str, download: bool, setting: str, patterns: list[str]) -> Path:
    """Return the folder of the hub's cache that holds a commit's files."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    where = f"{setting}: {name}@{commit}"
    try:
        folder = snapshot_download(
            name,
            revision=commit,
            local_files_only=not download,
            allow_patterns=[*patterns, "*.json"] if patterns else list(FILES),
            ignore_patterns=list(OTHER_PRECISIONS),
        )
    except LocalEntryNotFoundError as error:
        if download:
            raise UnavailableError(f"{where}: the hub does not answer ({_line(error)})") from error
        raise InputError(f"{where}: is not in the hub's cache on this disk; `download: true` fetches it") from error
    except HfHubHTTPError as error:
        rule = "must be a model and commit that the hub gives without an account"
        raise InputError(f"{where}: {rule} ({_line(error)})") from error
    return Path(folder)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
