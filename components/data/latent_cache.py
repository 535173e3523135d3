"""Latent tokens of a frozen backbone, computed once and read many times.

One Arrow IPC file holds up to 1024 windows, a row for each, its tokens as one list of fixed length; files are memory-mapped,
so that shuffled reads touch what they need. ``cache.json`` holds the *recipe*: everything that the tokens depend on, weights
included. A reader states the recipe that it expects, and is refused, field by field, when the cache was made by another.
"""

import json
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.errors import InputError

SHARD = 1024
"""Windows in a file."""

COMPANDING = 1023.0


def _levels() -> np.ndarray:
    """The 256 values of the ``uint8`` codec: 0 to 1, finest near 0.

    Standard deviations of gates and filters lie in [0, 1] and spread over decades, so the levels are spaced as in
    mu-law companding: each is about 2.7 % above the one before it.
    """
    return (np.expm1(np.log1p(COMPANDING) * np.arange(256) / 255) / COMPANDING).astype(np.float32)


LEVELS = _levels()


def encode(tokens: np.ndarray, codec: str) -> np.ndarray:
    """Encode float32 tokens as ``float32``, ``float16`` or ``uint8`` (which takes values in [0, 1] only)."""
    if codec != "uint8":
        return tokens.astype(codec)
    if tokens.min() < 0 or tokens.max() > 1:
        raise InputError(
            f"codec: uint8 holds values from 0 to 1, such as standard deviations of gates "
            f"(found {tokens.min():.3g} to {tokens.max():.3g}); use float16"
        )
    codes = np.log1p(tokens * np.float32(COMPANDING))
    codes *= np.float32(255 / np.log1p(COMPANDING))
    return np.rint(codes, out=codes).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """Return the float32 tokens of what :func:`encode` made."""
    return LEVELS[codes] if codes.dtype == np.uint8 else codes.astype(np.float32)


def write_shard(path: Path, codes: np.ndarray, labels: np.ndarray) -> None:
    """Write (windows, ...) encoded tokens and (windows,) labels; the file appears once it is complete."""
    flat = pa.array(codes.reshape(-1))
    table = pa.record_batch(
        {
            "label": pa.array(labels, pa.int64()),
            "tokens": pa.FixedSizeListArray.from_arrays(flat, int(np.prod(codes.shape[1:]))),
        }
    )
    partial = path.with_suffix(".partial")
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_batch(table)
    os.replace(partial, path)


def shard_name(split: str, number: int) -> str:
    """File name of a shard."""
    return f"{split}-{number:05d}.arrow"


def shards(windows: int) -> Iterator[tuple[int, list[int]]]:
    """Number the shards of a split and list the windows of each."""
    for number, first in enumerate(range(0, windows, SHARD)):
        yield number, list(range(first, min(first + SHARD, windows)))


def write_recipe(path: Path, recipe: dict, shape: tuple[int, ...], counts: dict[str, int]) -> None:
    """Write ``cache.json``; ``shape`` is that of one window's tokens, ``counts`` the windows of each split."""
    document = {"recipe": recipe, "shape": list(shape), "windows": counts}
    (path / "cache.json").write_text(json.dumps(document, indent=2, sort_keys=True))


class LatentCache:
    """Tokens of one split, as a dataset.

    Args:
        path: folder of the cache.
        split: ``train``, ``validation`` or ``test``.
        recipe: what the tokens are expected to depend on.
        labels: replaces the recorded labels (for a shuffled-label control).

    Raises:
        InputError: the cache was made by another recipe; the message names the fields.
    """

    def __init__(self, path: Path, split: str, recipe: dict, labels: np.ndarray | None = None):
        self.path, self.split = Path(path), split
        document = json.loads((self.path / "cache.json").read_text())
        found = document["recipe"]
        wrong = [
            f"{self.path}/cache.json: {field}: the cache was made with {found.get(field)!r}, expected {recipe.get(field)!r}"
            for field in sorted(found.keys() | recipe.keys())
            if found.get(field) != recipe.get(field)
        ]
        if wrong:
            raise InputError("\n".join(wrong))
        self.shape = tuple(document["shape"])
        self._windows = document["windows"][split]
        self._labels = labels

    def __len__(self) -> int:
        return self._windows

    def __getstate__(self) -> dict:
        # Maps are reopened in a loader's worker processes.
        return {name: value for name, value in self.__dict__.items() if name != "_maps"}

    @cached_property
    def _maps(self) -> list[tuple[np.ndarray, np.ndarray]]:
        found = []
        for number, _ in shards(self._windows):
            file = pa.memory_map(str(self.path / shard_name(self.split, number)))
            batch = pa.ipc.open_file(file).get_batch(0)
            tokens = batch.column("tokens").values.to_numpy().reshape(-1, *self.shape)
            found.append((tokens, batch.column("label").to_numpy()))
        return found

    @property
    def labels(self) -> np.ndarray:
        """Labels of all windows, (windows,) int64."""
        if self._labels is not None:
            return self._labels
        return np.concatenate([labels for _, labels in self._maps])

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read windows: ``tokens`` (batch, layers, pools, channels, width) float32 and ``label`` (batch,) int64."""
        codes = np.stack([self._maps[i // SHARD][0][i % SHARD] for i in indices])
        if self._labels is None:
            labels = np.array([self._maps[i // SHARD][1][i % SHARD] for i in indices])
        else:
            labels = self._labels[indices]
        return {"tokens": decode(codes), "label": labels}

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: values[0] for name, values in self.__getitems__([index]).items()}
