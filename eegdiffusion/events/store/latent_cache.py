"""Latent tokens of a frozen backbone, computed once and read many times.

One Arrow IPC file holds up to 1024 distinct windows, the tokens of each as one list of fixed length; files are
memory-mapped, so that shuffled reads touch what they need. ``rows.parquet`` tells which window each labelled row is: an
event has a row for every channel that shows it, and one window. ``cache.json`` holds the *recipe*: everything that the
tokens depend on, weights included. A reader states the recipe that it expects, and is refused, field by field, when the
cache was made by another.
"""

import copy
import json
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.storage.arrow_file import read_batches, read_rows, refused_by_name, row_shape
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.events.store.distinct_labels import distinct_labels

SHARD = 1024
"""Windows in a file."""

CODECS = ("float32", "float16", "uint8")
"""Types that tokens are stored as."""

COMPANDING = 1023.0


def _levels() -> np.ndarray:
    """Return the 256 values of the ``uint8`` codec: 0 to 1, finest near 0.

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


def write_shard(path: Path, codes: np.ndarray) -> None:
    """Write (windows, ...) encoded tokens; the file appears once it is complete."""
    tokens = pa.FixedSizeListArray.from_arrays(pa.array(codes.reshape(-1)), int(np.prod(codes.shape[1:])))
    table = pa.record_batch({"tokens": tokens})
    table = table.replace_schema_metadata({"shape": json.dumps(codes.shape[1:])})
    partial = path.with_suffix(".partial")
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_batch(table)
    os.replace(partial, path)


def shard_name(split: str, number: int) -> str:
    """Return the file name of a shard of a split, by its number."""
    return f"{split}-{number:05d}.arrow"


def shards(windows: int) -> Iterator[tuple[int, list[int]]]:
    """Number the shards of a split and list the windows of each."""
    for number, first in enumerate(range(0, windows, SHARD)):
        yield number, list(range(first, min(first + SHARD, windows)))


def make_recipe(latents: dict, backbone: Path, windows: str, channel_ids: Sequence[int]) -> dict:
    """State what tokens depend on.

    Args:
        latents: settings of the latents.
        backbone: folder of the frozen backbone, whose content counts, not its place.
        windows: fingerprint of the window store.
        channel_ids: number of each channel of the windows, which conditions the backbone.
    """
    return {**latents, "backbone": content_hash(backbone), "windows": windows, "channel_ids": list(channel_ids)}


def write_index(path: Path, recipe: dict, rows: pandas.DataFrame) -> None:
    """Write ``cache.json`` and ``rows.parquet``: split, window within the split, label (0-based) of each row."""
    rows.to_parquet(path / "rows.parquet", index=False)
    (path / "cache.json").write_text(json.dumps({"recipe": recipe}, indent=2, sort_keys=True))


class LatentCache:
    """Tokens of one split, as a dataset.

    Args:
        path: folder of the cache.
        split: ``train``, ``validation`` or ``test``.
        recipe: what the tokens are expected to depend on.

    Raises:
        InputError: the cache was made by another recipe; the message names the fields.

    Attributes:
        labels: (rows,) int64, 0-based; (rows, classes) of 0 and 1 where rows are distinct windows.
    """

    def __init__(self, path: Path, split: str, recipe: dict):
        self.path, self.split = Path(path), split
        document = json.loads((self.path / "cache.json").read_text())
        actual = document["recipe"]
        wrong = [
            f"{self.path}/cache.json: {field}: must be {recipe.get(field)!r} (found {actual.get(field)!r})"
            for field in sorted(actual.keys() | recipe.keys())
            if actual.get(field) != recipe.get(field)
        ]
        if wrong:
            raise InputError(*wrong)
        rows = read_parquet(self.path / "rows.parquet", filters=[("split", "==", split)])
        self._window = rows["window"].to_numpy(np.int64)
        self.labels = rows["label"].to_numpy(np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __getstate__(self) -> dict:
        # Maps are reopened in a loader's worker processes.
        return {name: value for name, value in self.__dict__.items() if name != "_maps"}

    @cached_property
    def _maps(self) -> list[np.ndarray]:
        arrays = []
        for number, _ in shards(self._window.max() + 1):
            path = self.path / shard_name(self.split, number)
            _, batches = read_batches(path)
            with refused_by_name(path):
                (batch,) = batches
                arrays.append(read_rows(batch, "tokens", row_shape(batch.schema), CODECS))
        return arrays

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window's tokens: (layers, pools, channels, width)."""
        return self._maps[0].shape[1:]

    def relabelled(self, labels: np.ndarray) -> "LatentCache":
        """Return the same tokens under other labels, (rows,) int64, without the rows whose label is below 0."""
        other, kept = copy.copy(self), labels >= 0
        other._window, other.labels = self._window[kept], labels[kept]
        return other

    def merged(self, labels: np.ndarray, classes: int) -> "LatentCache":
        """Return each distinct window once, with the set of its rows' labels.

        Args:
            labels: (rows,) int64, 0-based, below 0 for rows that count for nothing.
            classes: number of classes.
        """
        other = copy.copy(self)
        other._window, other.labels = distinct_labels(self._window, labels, classes)
        return other

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read rows: ``tokens`` (batch, layers, pools, channels, width) float32 and ``label``, int64."""
        codes = np.stack([self._maps[window // SHARD][window % SHARD] for window in self._window[indices]])
        return {"tokens": decode(codes), "label": self.labels[indices]}

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: values[0] for name, values in self.__getitems__([index]).items()}
