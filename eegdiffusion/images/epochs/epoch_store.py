"""The epoch store: EEG around the onset of images, each trial once, and an index of what was seen.

A subject is one Arrow IPC file of record batches; an epoch has 16-bit integers and a scale for each channel, so that a
memory map serves any trial. ``index.parquet`` has a row for each epoch, ``images.parquet`` one for each image. Averages
over repetitions are taken while reading, any number of them.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.arrow_file import read_batches, read_rows, refused_by_name, row_shape
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.quantise import quantise
from eegdiffusion.core.storage.result_facts import DataFacts
from eegdiffusion.core.storage.splits import SPLITS

BATCH = 128
"""Number of epochs in a record batch."""

TASK = "task"
"""Column of the index with what a person did in a trial, where the corpus tells it."""


@dataclass(frozen=True)
class EpochStoreDescription:
    """What an epoch store holds, as ``store.json`` says.

    Attributes:
        corpus: name of the corpus, ``surrogate`` where it is one.
        layout: layout of the files that it was read from.
        channels: names of the electrodes, in order.
        times: (samples,) seconds from the onset of the image.
        sfreq: sampling rate in Hz.
        unit: unit of the signals: ``uV``, ``whitened`` or ``as delivered``.
        fingerprint: hash of the epochs, the images and how they were cut.
        warnings: sentences that must stand beside every number made from the store, e.g. that blocks are confounded
            with class.
        band: (low, high) in Hz of the filter that the recordings passed before they were cut; None: none.
    """

    corpus: str
    layout: str
    channels: list[str]
    times: list[float]
    sfreq: float
    unit: str
    fingerprint: str
    warnings: list[str]
    band: list[float] | None = None


def subject_file(subject: str) -> str:
    """Return the name of a subject's file in the store."""
    return f"{subject}.arrow"


def write_epochs(path: Path, parts: Iterator[np.ndarray], shape: tuple[int, int]) -> int:
    """Write the epochs of a subject; the file appears under its name once it is complete.

    Args:
        path: Arrow file to write.
        parts: arrays (epochs, channels, samples), in the order of the index.
        shape: (channels, samples).

    Returns:
        number of epochs.

    Raises:
        InputError: a sample is not finite.
    """
    channels, samples = shape
    schema = pa.schema(
        [("codes", pa.list_(pa.int16(), channels * samples)), ("scale", pa.list_(pa.float32(), channels))],
        metadata={"shape": json.dumps(shape)},
    )
    written, partial = 0, path.with_suffix(".partial")
    with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for part in _even(parts):
            if not np.isfinite(part).all():
                raise InputError(f"{path.stem}: signals: must be finite (found NaN or infinity)")
            codes, scale = quantise(part)
            columns = [
                pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel()), channels * samples),
                pa.FixedSizeListArray.from_arrays(pa.array(scale.astype(np.float32).ravel()), channels),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            written += len(part)
    os.replace(partial, path)
    return written


def _even(parts: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut parts of any length into batches of ``BATCH`` epochs; the last may be shorter."""
    pending: list[np.ndarray] = []
    for part in parts:
        pending.append(part)
        while sum(map(len, pending)) >= BATCH:
            joined = np.concatenate(pending)
            yield joined[:BATCH]
            pending = [joined[BATCH:]]
    if sum(map(len, pending)):
        yield np.concatenate(pending)


class MappedEpochs:
    """The epochs of a subject, memory-mapped."""

    def __init__(self, path: Path):
        _, batches = read_batches(path)
        with refused_by_name(path):
            shapes = [row_shape(batch.schema) for batch in batches]
            self._codes = [read_rows(b, "codes", shape, ["<i2"]) for b, shape in zip(batches, shapes, strict=True)]
            self._scale = [
                read_rows(b, "scale", (*shape[:1], 1), ["<f4"]) for b, shape in zip(batches, shapes, strict=True)
            ]

    def read(self, row: int, out: np.ndarray) -> None:
        """Read one epoch into ``out`` (channels, samples), float32."""
        batch, position = divmod(row, BATCH)
        np.copyto(out, self._codes[batch][position])
        out *= self._scale[batch][position]


class Epochs:
    """Epochs as a dataset; an item is one trial, or the average of several.

    Args:
        folder: folder of the subjects' files.
        table: rows of the index that are wanted.
        shape: (channels, samples).
        groups: rows of the table that each item averages; None: each row alone.

    Attributes:
        table: table with a row for each item: subject, image, concept, split, and session and repetition of the first
            trial.
    """

    def __init__(
        self, folder: Path, table: pandas.DataFrame, shape: tuple[int, int], groups: list[np.ndarray] | None = None
    ):
        self._folder, self._shape = folder, shape
        names = sorted(table["subject"].unique())
        self._names = names
        code = table["subject"].map({name: k for k, name in enumerate(names)}).to_numpy()
        rows = table["row"].to_numpy()
        groups = [np.array([k]) for k in range(len(table))] if groups is None else groups
        self._trials = [(int(code[group[0]]), rows[group].tolist()) for group in groups]
        self.table = table.iloc[[group[0] for group in groups]].reset_index(drop=True)
        self._image = self.table["image"].to_numpy(np.int64)
        self._open: dict[int, MappedEpochs] = {}

    def __len__(self) -> int:
        return len(self._trials)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_open": {}}  # maps are opened anew in a loader's worker processes

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items: ``eeg`` (batch, channels, samples) float32; ``image`` (batch,) int64, row of the images."""
        eeg = np.empty((len(indices), *self._shape), np.float32)
        trial = np.empty(self._shape, np.float32)
        for out, index in zip(eeg, indices, strict=True):
            code, rows = self._trials[index]
            if code not in self._open:
                self._open[code] = MappedEpochs(self._folder / subject_file(self._names[code]))
            self._open[code].read(rows[0], out)
            for row in rows[1:]:
                self._open[code].read(row, trial)
                out += trial
            if len(rows) > 1:
                out /= len(rows)
        return {"eeg": eeg, "image": self._image[indices]}

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: values[0] for name, values in self.__getitems__([index]).items()}


class EpochStore:
    """An epoch store on disk.

    Args:
        path: folder of the store.

    Raises:
        InputError: the folder holds no store.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        if not (self.path / "store.json").is_file():
            raise InputError(f"{self.path}/store.json: no such file; ingest_images makes an epoch store")
        self.description = EpochStoreDescription(**json.loads((self.path / "store.json").read_text()))

    @cached_property
    def index(self) -> pandas.DataFrame:
        """Table with a row for each epoch: subject, session, image, concept, repetition, split, and row in its file.

        Where the corpus tells what the person did in each trial, there is its ``task`` too.
        """
        return read_parquet(self.path / "index.parquet")

    @cached_property
    def tasks(self) -> list[str]:
        """Names of the tasks, such as ``perception`` and ``imagery``; none where the corpus does not tell them."""
        return sorted(self.index[TASK].unique()) if TASK in self.index else []

    @cached_property
    def images(self) -> pandas.DataFrame:
        """Table with a row for each image: name, concept, file, split and content hash."""
        return read_parquet(self.path / "images.parquet")

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and samples of an epoch."""
        return len(self.description.channels), len(self.description.times)

    def facts(self, split: str, split_hash: str) -> DataFacts:
        """Return what results on a split say of their data.

        Args:
            split: name of the split.
            split_hash: hash of its images and of the subjects that saw them; see ``image_pairs.split_hash``.

        Returns:
            the facts; corpora of images and EEG have no classes of their own.
        """
        description = self.description
        return DataFacts(
            corpus=description.corpus,
            preprocessing=description.fingerprint,
            split=split,
            split_hash=split_hash,
            layout=description.layout,
            warnings=description.warnings,
        )

    def epochs(
        self,
        split: str | None,
        subjects: list[str] | None = None,
        average: int = 1,
        at_most: int | None = None,
        task: str | None = None,
    ) -> Epochs:
        """Return the epochs of a split, which are read when they are asked for.

        Args:
            split: one of ``SPLITS``; None: all.
            subjects: names of subjects; None: all.
            average: number of repetitions of an image by a subject, in one task, that are averaged into one item.
            at_most: number of repetitions that are used, from the first on; None: all.
            task: one of :attr:`tasks`; None: all.

        Raises:
            InputError: there is no such split, or no such task.
        """
        if split is not None and split not in SPLITS:
            raise InputError(f"split: must be one of {', '.join(SPLITS)} (found {split!r})")
        table = self.index if split is None else self.index[self.index["split"] == split]
        if subjects is not None:
            table = table[table["subject"].isin(subjects)]
        if task is not None:
            if task not in self.tasks:
                known = ", ".join(self.tasks) or "none, as the corpus does not tell them"
                raise InputError(f"{self.path}: task: must be among {known} (found {task})")
            table = table[table[TASK] == task]
        if at_most is not None:
            table = table[table["repetition"] < at_most]
        table = table.reset_index(drop=True)
        groups = None
        if average > 1:
            part = table["repetition"] // average
            repeated = ["subject", "image", *([TASK] if TASK in table else [])]
            groups = list(table.groupby([*repeated, part], sort=False).indices.values())
        return Epochs(self.path / "epochs", table, self.shape, groups)


def write_epoch_index(
    path: Path, index: pandas.DataFrame, images: pandas.DataFrame, description: EpochStoreDescription
) -> None:
    """Write the tables and the description of a store whose epochs are in place.

    Args:
        path: folder of the store.
        index: table with a row for each epoch; see :attr:`EpochStore.index`.
        images: table with a row for each image; see :attr:`EpochStore.images`.
        description: what ``store.json`` says.
    """
    index.to_parquet(path / "index.parquet", index=False)
    images.to_parquet(path / "images.parquet", index=False)
    (path / "store.json").write_text(json.dumps(asdict(description), indent=2))
