"""Hostile files of the kinds that stages store: each is one that a stage wrote, with something changed."""

import io
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import torch
from pyarrow import parquet
from safetensors.torch import save_file

from eegdiffusion.core.training.checkpoint_io import SafetensorsCheckpointIO
from eegdiffusion.events.store import latent_cache
from eegdiffusion.events.store.latent_cache import LatentCache
from eegdiffusion.events.store.window_store import MappedRecording, write_recording
from eegdiffusion.images.epochs.epoch_store import MappedEpochs, write_epochs

ROWS, EPOCHS, SHAPE = 1607, 37, (3, 41)
"""Samples, epochs, and what an epoch is of: numbers that stand nowhere else in the files."""


def recording(folder: Path, change: Callable[[bytes], bytes] = lambda content: content) -> Path:
    """Write a recording of a window store after a change of its bytes."""
    path = folder / "r.arrow"
    write_recording(path, np.random.default_rng(0).standard_normal((3, ROWS)), ["A", "B", "C"], {"rate": "200"})
    path.write_bytes(change(path.read_bytes()))
    return path


def read_recording(path: Path) -> bytes:
    """Read the first second of a recording, and its last, which may lie beyond its end."""
    windows = np.empty((2, 3, 200), np.float32)
    mapped = MappedRecording(path)
    mapped.window(0, windows[0])
    mapped.window(mapped.samples - 200, windows[1])
    return windows.tobytes()


def epochs(folder: Path, change: Callable[[bytes], bytes] = lambda content: content) -> Path:
    """Write the epochs of a subject after a change of the file's bytes."""
    path = folder / "s.arrow"
    write_epochs(path, iter([np.random.default_rng(0).standard_normal((EPOCHS, *SHAPE)).astype(np.float32)]), SHAPE)
    path.write_bytes(change(path.read_bytes()))
    return path


def read_epochs(path: Path) -> bytes:
    """Read the last epoch."""
    epoch = np.empty(SHAPE, np.float32)
    MappedEpochs(path).read(EPOCHS - 1, epoch)
    return epoch.tobytes()


def tokens(folder: Path, change: Callable[[bytes], bytes] = lambda content: content) -> Path:
    """Write a shard of a latent cache after a change of its bytes."""
    path = folder / latent_cache.shard_name("train", 0)
    latent_cache.write_shard(path, np.random.default_rng(0).integers(0, 255, (EPOCHS, *SHAPE)).astype(np.uint8))
    path.write_bytes(change(path.read_bytes()))
    table = pandas.DataFrame({"split": ["train"] * EPOCHS, "window": range(EPOCHS), "label": 0})
    latent_cache.write_index(folder, {}, table)
    return path


def read_tokens(path: Path) -> bytes:
    """Read the last window."""
    return LatentCache(path.parent, "train", {}).__getitems__([EPOCHS - 1])["tokens"].tobytes()


def _promised(rows: int, values: int = 1) -> Callable[[bytes], bytes]:
    """Let a file of so many rows promise a million times as many; its buffers stay as they are.

    Args:
        rows: rows of the file.
        values: values of a row that is a list; they are promised too.
    """

    def change(content: bytes) -> bytes:
        for number in sorted({rows, rows * values}):
            assert struct.pack("<q", number) in content
            content = content.replace(struct.pack("<q", number), struct.pack("<q", number * 10**6))
        return content

    return change


def _instead(**fields: object) -> Callable[[bytes], bytes]:
    """Write the batches of a file again, with another schema, options or columns."""

    def change(content: bytes) -> bytes:
        file = pa.ipc.open_file(content)
        batch = file.get_batch(0)
        columns, names = batch.columns, batch.schema.names
        if "type" in fields:
            columns = [column.cast(fields["type"]) for column in columns]
        if "array" in fields:
            columns = [fields["array"]] * len(columns)
        batch = pa.record_batch(columns, names)
        batch = batch.replace_schema_metadata(fields.get("metadata", file.schema.metadata))
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, batch.schema, options=fields.get("options")) as writer:
            for _ in range(fields.get("batches", 1)):
                writer.write_batch(batch)
        return sink.getvalue()

    return change


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


_ZIPPED = _instead(options=pa.ipc.IpcWriteOptions(compression="zstd"))

RECORDINGS = {
    "samples that are promised": _promised(ROWS),
    "compressed": lambda content: _ZIPPED(content),
    "other numbers": _instead(type=pa.int64()),
    "no scale": _instead(),
    "values that are missing": _instead(array=pa.array([None] * ROWS, pa.int16())),
    "text": _instead(array=pa.array(["a"] * ROWS)),
    "several batches": _instead(batches=2),
    "no batch": _instead(batches=0),
    "cut off": _half,
    "nothing": lambda content: b"",
    "something else": lambda content: b"ARROW1\0\0" + b"\xff" * 500 + b"ARROW1",
}

ARRAYS = {
    "a shape that is promised": _instead(metadata={"shape": json.dumps([10**6, 10**7])}),
    "a shape below nothing": _instead(metadata={"shape": json.dumps([-3, -41])}),
    "a shape of text": _instead(metadata={"shape": json.dumps("x" * 9)}),
    "a shape nested without end": _instead(metadata={"shape": "[" * 100_000}),
    "no shape": _instead(metadata={}),
    "lists of text": _instead(array=pa.array([["a"] * 123] * EPOCHS, pa.list_(pa.string(), 123))),
    "lists of other lengths": _instead(array=pa.array([[1]] * EPOCHS, pa.list_(pa.int16()))),
    "compressed": lambda content: _ZIPPED(content),
    "cut off": _half,
    "rows that are promised": _promised(EPOCHS),
    "values that are promised": _promised(EPOCHS * 123),
    "rows and values that are promised": _promised(EPOCHS, 123),
}
TOKENS = ARRAYS | {"no batch": _instead(batches=0)}
"""Changes of a store's file, by what they try."""


def _table(columns: dict) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()


TABLES = {
    "rows that are promised": lambda: _table({"a": pa.array(np.zeros(50_000_000, np.int8))}),
    "cut off": lambda: _half(_table({"a": [1, 2]})),
    "a footer without end": lambda: b"PAR1" + struct.pack("<i", 2**31 - 1) + b"PAR1",
    "something else": lambda: b"PAR1" + b"\xff" * 100 + struct.pack("<i", 80) + b"PAR1",
    "nothing": lambda: b"",
    "text": lambda: b"a,b\n1,2\n",
}
"""Files in place of a table, by what they try."""


def checkpoint(folder: Path, structure: object) -> Path:
    """Write a checkpoint of a training with another structure."""
    path = folder / "last.safetensors"
    SafetensorsCheckpointIO().save_checkpoint({"state_dict": {"w": torch.zeros(2)}, "epoch": 1}, path)
    if callable(structure):
        path.write_bytes(structure(path.read_bytes()))
    else:
        save_file({"0": torch.zeros(2)}, path, metadata=structure)
    return path


CHECKPOINTS = {
    "nested without end": {"structure": '{"list": [' * 100_000},
    "no structure": {"other": "x"},
    "no mapping": {"structure": "[1]"},
    "a number": {"structure": "1"},
    "another kind": {"structure": '{"call": ["os.system", "x"]}'},
    "two kinds": {"structure": '{"list": [], "tuple": []}'},
    "a tensor that is not there": {"structure": '{"dict": [["a", {"tensor": "7"}]]}'},
    "keys that are lists": {"structure": '{"dict": [[{"list": []}, 1]]}'},
    "a header that is promised": lambda content: struct.pack("<Q", 1 << 60) + content[8:],
    "cut off": _half,
    "a pickle": lambda content: pickle.dumps({"state_dict": {}}),
}
"""Structures, or changes of the bytes, of a checkpoint, by what they try."""
