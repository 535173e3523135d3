"""The window store: every recording once, continuous, and windows as rows of an index into it.

A recording is one Arrow IPC file with a column a derivation, 16-bit integers and a scale each, uncompressed, so that
a memory map serves any window without decoding the rest. Event windows are rows of ``windows.parquet``;
pretraining samples are (row of ``pretraining.parquet``, channel) pairs. Nothing is stored twice.
"""

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.montages import Montage, read_montage
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.signal.units import UNIT
from eegdiffusion.core.storage.arrow_file import read_batches, refused_by_name
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.quantise import quantise
from eegdiffusion.core.storage.result_facts import DataFacts
from eegdiffusion.core.storage.splits import SPLITS


@dataclass(frozen=True)
class StoreDescription:
    """What a store holds, its ``store.json``.

    Attributes:
        corpus: name of the corpus, ``surrogate`` where it is one.
        sfreq: sampling rate in Hz.
        window: samples in a window.
        montage: the channels in order, with their numbers for the backbone (:class:`.montages.Montage` as plain data).
        classes: names of the labels 0, 1, ...
        fingerprint: fingerprint of the split manifest and the preprocessing.
        splits: a hash of each split's windows and of what they were made from and how; equal where scores compare.
        filtering: fields of the ``Filtering`` that the recordings went through.
        unit: unit of the signals.
        layout: layout of the files that it was read from.
        warnings: sentences that must stand beside every number made from the store.
    """

    corpus: str
    sfreq: float
    window: int
    montage: dict[str, Any]
    classes: list[str]
    fingerprint: str
    splits: dict[str, str]
    filtering: dict[str, Any]
    unit: str = UNIT
    layout: str | None = None
    warnings: list[str] | None = None


def file_name(recording: str) -> str:
    """Return the name of a recording's file within the store."""
    return f"{recording.replace('/', '__')}.arrow"


def write_recording(path: Path, signals: np.ndarray, channels: list[str], metadata: dict[str, str]) -> None:
    """Write (channels, samples) signals in units of 100 uV; the file appears under its name once it is complete.

    Raises:
        InputError: a sample is not finite.
    """
    if not all(np.isfinite(signal).all() for signal in signals):
        raise InputError(f"{path.stem}: signals: must be finite after filtering (found NaN or infinity)")
    codes, scale = quantise(signals)
    fields = [
        pa.field(name, pa.int16(), nullable=False, metadata={"scale": repr(float(value))})
        for name, value in zip(channels, scale, strict=True)
    ]
    schema = pa.schema(fields, metadata={"unit": UNIT} | metadata)
    batch = pa.record_batch([pa.array(row) for row in codes], schema=schema)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")  # two workers may be at the same recording
    try:
        with pa.OSFile(str(partial), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            writer.write_batch(batch)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)  # where the disk is full, half a file must not keep it so


class MappedRecording:
    """A recording of the store, memory-mapped."""

    def __init__(self, path: Path):
        mapped, batches = read_batches(path)
        with refused_by_name(path):
            (batch,) = batches
            self.samples = batch.num_rows
            if any(column.type != pa.int16() or column.null_count for column in batch.columns):
                raise ValueError("channels must be of 16-bit numbers")
            # Columns of one length lie at even distances: one array (channels, samples) over the map, without a loop.
            first, *further = (column.buffers()[1].address for column in batch.columns)
            apart = further[0] - first if further else 0
            if [first + apart * (k + 1) for k in range(len(further))] != further:
                raise ValueError("channels must lie at even distances")
            place = first - mapped.address
            self._codes = np.ndarray((batch.num_columns, self.samples), "<i2", mapped, place, (apart, 2))
            self._scale = np.array([float(field.metadata[b"scale"]) for field in batch.schema], np.float32)
        self._gain = np.empty((0, 0), np.float32)

    def _wrapped(self, channels: int | slice, start: int, length: int) -> np.ndarray:
        codes = self._codes[channels]
        if start >= 0 and start + length <= self.samples:
            return codes[..., start : start + length]
        return codes.take(np.arange(start, start + length), axis=-1, mode="wrap")

    def window(self, start: int, out: np.ndarray) -> None:
        """Read all channels from sample ``start`` on into ``out`` (channels, length), float32, in units of 100 uV."""
        length = out.shape[1]
        if self._gain.shape[1] != length:
            # A factor for every sample: NumPy multiplies two contiguous arrays faster than it broadcasts a column.
            self._gain = np.repeat(self._scale[:, None], length, axis=1)
        if start >= 0 and start + length <= self.samples:
            np.copyto(out, self._codes[:, start : start + length])  # cast first: a product of two types is buffered
        else:
            np.copyto(out, self._wrapped(slice(None), start, length))
        np.multiply(out, self._gain, out=out)

    def channel(self, channel: int, start: int, out: np.ndarray) -> None:
        """Read one channel from sample ``start`` on into ``out`` (length,), float32, in units of 100 uV."""
        out[...] = self._wrapped(channel, start, len(out))
        out *= self._scale[channel]


class _Recordings:
    """The store's recordings, each opened on first use, and anew in a loader's worker process."""

    def __init__(self, folder: Path, names: list[str]):
        self._folder, self._names = folder, names
        self._open: dict[int, MappedRecording] = {}

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_open": {}}

    def __getitem__(self, code: int) -> MappedRecording:
        if code not in self._open:
            self._open[code] = MappedRecording(self._folder / file_name(self._names[code]))
        return self._open[code]


class EventWindows:
    """Event windows of one split, as a dataset.

    Attributes:
        table: recording, split, start_sample, channel of the event, label (0-based) and row of the ``.rec``.
        labels: (windows,) int64, 0-based.
    """

    def __init__(self, table: pandas.DataFrame, folder: Path, channels: int, window: int):
        self.table = table.reset_index(drop=True)
        self.labels = self.table["label"].to_numpy(np.int64)
        self._shape = (channels, window)
        names = sorted(self.table["recording"].unique())
        self._codes = self.table["recording"].map({name: k for k, name in enumerate(names)}).to_numpy()
        self._starts = self.table["start_sample"].to_numpy()
        self._recordings = _Recordings(folder, names)

    def __len__(self) -> int:
        return len(self.table)

    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """Find the windows that differ in signal: an event has a row for each channel that shows it.

        Returns:
            index of one row for each distinct window; (windows,) the distinct window of every row.
        """
        places = pandas.Series(list(zip(self._codes, self._starts, strict=True)))
        window, _ = places.factorize()
        return np.flatnonzero(~places.duplicated()), window

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read windows: ``signal`` (batch, channels, window) float32 in 100 uV, ``label`` (batch,) int64, 0-based."""
        signals = np.empty((len(indices), *self._shape), np.float32)
        places = zip(self._codes[indices].tolist(), self._starts[indices].tolist(), strict=True)
        for out, (code, start) in zip(signals, places, strict=True):
            self._recordings[code].window(start, out)
        return {"signal": signals, "label": self.labels[indices]}

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: values[0] for name, values in self.__getitems__([index]).items()}


class PretrainingSamples:
    """Single-channel samples of one split, as a dataset: channel k of window w is sample w * channels + k.

    Attributes:
        positions: (samples,) position of each sample's channel in the montage.
        channels: (samples,) number of each sample's channel, which conditions the backbone.
        labels: (samples,) int64, 0-based, or -1 where the channel has no event.
    """

    def __init__(self, table: pandas.DataFrame, folder: Path, channel_ids: Sequence[int], window: int):
        self._count, self._window = len(channel_ids), window
        names = sorted(table["recording"].unique())
        self._codes = table["recording"].map({name: k for k, name in enumerate(names)}).to_numpy()
        self._starts = table["start_sample"].to_numpy()
        self._recordings = _Recordings(folder, names)
        self.labels = np.stack(table["labels"].to_list()).astype(np.int64).ravel() if len(table) else np.empty(0, int)
        self.positions = np.tile(np.arange(len(channel_ids)), len(table))
        self.channels = np.tile(np.asarray(channel_ids, np.int64), len(table))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read samples: ``signal`` (batch, 1, window) float32 in 100 uV, ``channel`` and ``label`` (batch,) int64."""
        signals = np.empty((len(indices), 1, self._window), np.float32)
        windows, channels = np.divmod(indices, self._count)
        places = zip(self._codes[windows].tolist(), channels.tolist(), self._starts[windows].tolist(), strict=True)
        for out, (code, channel, start) in zip(signals, places, strict=True):
            self._recordings[code].channel(channel, start, out[0])
        return {"signal": signals, "channel": self.channels[indices], "label": self.labels[indices]}

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        return {name: values[0] for name, values in self.__getitems__([index]).items()}


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise InputError(f"split: must be one of {', '.join(SPLITS)} (found {split!r})")


class Store:
    """A window store on disk.

    Args:
        path: its folder.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        if not (self.path / "store.json").is_file():
            raise InputError(f"{self.path}/store.json: no such file; preprocess_events makes a window store")
        self.description = StoreDescription(**json.loads((self.path / "store.json").read_text()))

    @property
    def corpus(self) -> str:
        """Name of the corpus."""
        return self.description.corpus

    @property
    def sfreq(self) -> float:
        """Sampling rate in Hz."""
        return self.description.sfreq

    @cached_property
    def montage(self) -> Montage:
        """Channels of the windows, and their numbers for the backbone."""
        return read_montage(self.description.montage)

    @property
    def channels(self) -> list[str]:
        """Names of the channels of the windows, in order."""
        return self.montage.names

    @property
    def warnings(self) -> list[str]:
        """What must be said with every number that is measured on the store."""
        return self.description.warnings or []

    @property
    def classes(self) -> list[str]:
        """Names of the labels 0, 1, ... of the event windows."""
        return self.description.classes

    @property
    def fingerprint(self) -> str:
        """Fingerprint of what the store was made from."""
        return self.description.fingerprint

    def facts(self, split: str) -> DataFacts:
        """Return what results on a split say of their data.

        Args:
            split: one of ``SPLITS``.
        """
        description = self.description
        return DataFacts(
            corpus=description.corpus,
            classes=description.classes,
            preprocessing=description.fingerprint,
            split=split,
            split_hash=description.splits[split],
            layout=description.layout,
            warnings=description.warnings or None,
        )

    @cached_property
    def _windows(self) -> pandas.DataFrame:
        return read_parquet(self.path / "windows.parquet")

    @property
    def preprocessing(self) -> Preprocessing:
        """What a model that is trained on the event windows has to know of them, as it is stored beside the model."""
        description = self.description
        return Preprocessing(
            filtering=Filtering(**description.filtering),
            channels=self.channels,
            window=description.window,
            unit=description.unit,
            classes=description.classes,
            corpus=description.corpus,
        )

    def event_windows(self, split: str) -> EventWindows:
        """Return the event windows of a split.

        Args:
            split: one of ``SPLITS``.
        """
        _check_split(split)
        table = self._windows[self._windows["split"] == split]
        return EventWindows(table, self.path / "recordings", len(self.channels), self.description.window)

    def pretraining_samples(self, split: str) -> PretrainingSamples:
        """Return the single-channel samples of a split.

        Args:
            split: one of ``SPLITS``.
        """
        _check_split(split)
        table = read_parquet(self.path / "pretraining.parquet", filters=[("split", "==", split)])
        return PretrainingSamples(table, self.path / "recordings", self.montage.ids, self.description.window)


def write_index(
    folder: Path, windows: pandas.DataFrame, pretraining: pandas.DataFrame, description: StoreDescription
) -> None:
    """Write the tables and the description of a store whose recordings are in place.

    Args:
        folder: folder of the store.
        windows: recording, split, start_sample, channel, label (0-based) and row of the ``.rec`` of each event window.
        pretraining: recording, split, start_sample and labels (channels, 0-based, -1 for no event) of each
            distinct window.
        description: description of the store.
    """
    windows.to_parquet(folder / "windows.parquet", index=False)
    pretraining.to_parquet(folder / "pretraining.parquet", index=False)
    (folder / "store.json").write_text(json.dumps(asdict(description), indent=2))
