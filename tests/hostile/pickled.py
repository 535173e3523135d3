"""Hostile pickles: each a row of operations that Python's own unpickler would follow."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).parents[1] / "golden/published/backbone.ckpt"


def text(value: str) -> bytes:
    """Return the operation that puts a text on the stack."""
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def call(module: str, name: str, arguments: bytes) -> bytes:
    """Return the operations that call a name with what these arguments put on the stack."""
    return f"c{module}\n{name}\n(".encode() + arguments + b"tR"


DTYPE = call("numpy", "dtype", text("f8") + b"K\x00K\x01")
ARRAY = call("numpy.core.multiarray", "_reconstruct", b"cnumpy\nndarray\n(K\x00tC\x01b")
WIDE = b"\x8a\x05" + (1 << 36).to_bytes(5, "little")
CLASS_STATE = b"N}(" + text("order") + text(">") + b"u\x86b"


def _array(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    return ARRAY + b"(K\x01(" + shape + b"t" + dtype + b"\x89" + data + b"tb"


def _laughs(levels: int, width: int) -> bytes:
    content = b"]q\x00(" + text("ha") * width + b"e"
    for level in range(1, levels):
        content += b"0]q" + bytes([level]) + b"(" + (b"h" + bytes([level - 1])) * width + b"e"
    return content


def _document(value: bytes) -> bytes:
    return b"\x80\x02}(" + text("raw_eeg_data") + value + b"u."


MAPPINGS: dict[str, bytes] = {
    "state of a class": _document(b"cnumpy\ndtype\n" + CLASS_STATE),
    "state of ndarray": _document(b"cnumpy\nndarray\n" + CLASS_STATE),
    "state of dict": _document(b"cbuiltins\ndict\n" + CLASS_STATE),
    "state of a function": _document(b"c_codecs\nencode\n" + CLASS_STATE),
    "state of a list": _document(b"](N}" + text("a") + b"tb"),
    "a name of the system": _document(call("os", "system", text("touch harmed"))),
    "eval": _document(call("builtins", "eval", text("1"))),
    "getattr": _document(call("builtins", "getattr", text("a") + text("upper"))),
    "new object": _document(b"cnumpy\nndarray\n(K\x08t\x81"),
    "dtype of objects that are bytes": _document(
        _array(b"K\x01", call("numpy", "dtype", text("O8")), b"C\x08AAAAAAAA")
    ),
    "dtype that is none": _document(_array(b"K\x01", b"K\x05", b"C\x08AAAAAAAA")),
    "dtype of records": _document(_array(b"K\x01", call("numpy", "dtype", text("f8,O")), b"C\x08AAAAAAAA")),
    "dtype of nothing": _document(_array(WIDE, call("numpy", "dtype", text("S0")), b"C\x00")),
    "dtype that is wide": _document(_array(b"K\x01", call("numpy", "dtype", text("S999999999")), b"C\x08AAAAAAAA")),
    "shape of rows without values": _document(_array(WIDE + b"K\x00", DTYPE, b"C\x00")),
    "shape that promises": _document(_array(WIDE, DTYPE, b"C\x08AAAAAAAA")),
    "shape below nothing": _document(_array(b"J\xff\xff\xff\xff", DTYPE, b"C\x08AAAAAAAA")),
    "shape of text": _document(_array(text("a"), DTYPE, b"C\x08AAAAAAAA")),
    "bytearray by size": _document(call("builtins", "bytearray", WIDE)),
    "bytearray of an array": _document(call("builtins", "bytearray", ARRAY)),
    "list by text": _document(call("builtins", "list", text("a") * 2)),
    "bytes that are promised": b"\x80\x04}(" + text("a") + b"\x8e" + struct.pack("<Q", 1 << 40) + b"abc",
    "text that is promised": b"\x80\x04}(" + text("a") + b"X\xff\xff\xff\x7fabc",
    "frame that is promised": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"}.",
    "array of bytes that is promised": b"\x80\x05}(" + text("a") + b"\x96" + struct.pack("<Q", 1 << 33) + b"abc",
    "long number": b"\x80\x02}(" + text("a") + b"\x8b" + struct.pack("<i", 1 << 20) + bytes(1 << 20) + b"u.",
    "digits": b"\x80\x02}(" + text("a") + b"L" + b"9" * 5000 + b"L\nu.",
    "laughs": _document(_laughs(9, 10)),
    "long texts that are shared": _document(b"](" + text("x" * 60_000) + b"q\x00" + b"h\x00" * 4000 + b"e"),
    "a list that holds itself": _document(b"]q\x00h\x00a"),
    "lists in lists": _document(b"]" * 2000 + b"a" * 1999),
    "tuples as a key": b"\x80\x02}(" + b")" + b"\x85" * 200_000 + b"K\x01u.",
    "keys that collide": b"\x80\x02}("
    + b"".join(b"\x8a\x0a" + (k * (2**61 - 1)).to_bytes(10, "little") + b"N" for k in range(1, 30_000))
    + b"u.",
    "places that collide": b"\x80\x02N" + b"".join(b"p%d\n" % (k * (2**61 - 1)) for k in range(1, 30_000)) + b".",
    "steps without end": b"\x80\x02" + b"N0" * 1_100_000 + b"}.",
    "places without end": b"\x80\x04N" + b"\x94" * 2_200_000 + b".",
    "an extension": _document(b"\x82\x01"),
    "a buffer from elsewhere": b"\x80\x05}(" + text("a") + b"\x97u.",
    "a line without an end": b"\x80\x02c" + b"a" * 200_000,
    "numbers that are text": b"\x80\x02}(" + text("raw_eeg_data") + text("a") + b"u.",
    "no dict": b"\x80\x02].",
    "nothing": b"",
    "a mark alone": b"\x80\x02(.",
}
"""Pickles that stand where a dict with the array ``raw_eeg_data`` must, by what they try."""


def numpy_file(content: bytes) -> bytes:
    """Return a file of ``np.save`` of an object, which this pickle is."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    return file.getvalue() + content


def archive(content: bytes, storages: dict[str, bytes], compress: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive of PyTorch with this pickle and these storages."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compress) as target:
        target.writestr("archive/data.pkl", content)
        for key, data in storages.items():
            target.writestr(f"archive/data/{key}", data)
    return file.getvalue()


def _tensor(count: int, first: int, shape: tuple, strides: tuple, key: str = "0", kind: str = "FloatStorage") -> bytes:
    def number(value: int) -> bytes:
        return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)

    def row(values: tuple) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + number(count) + b"tQ"
    arguments = storage + number(first) + row(shape) + row(strides) + b"\x89N"
    return call("torch._utils", "_rebuild_tensor_v2", arguments)


def _state(tensor: bytes) -> bytes:
    return b"\x80\x02}(" + text("state_dict") + b"}(" + text("model.w") + tensor + b"uu."


STORED = {"0": bytes(16)}
TENSORS: dict[str, bytes] = {
    "a view beyond its storage": archive(_state(_tensor(4, 2, (4,), (1,))), STORED),
    "a view before its storage": archive(_state(_tensor(4, -2, (4,), (1,))), STORED),
    "a view that goes backwards": archive(_state(_tensor(4, 3, (4,), (-1,))), STORED),
    "a view that repeats one value": archive(_state(_tensor(4, 0, (1 << 20, 1 << 20), (0, 0))), STORED),
    "a storage that is promised": archive(_state(_tensor(1 << 40, 0, (1 << 40,), (1,))), STORED),
    "a storage of fewer than none": archive(_state(_tensor(-4, 0, (4,), (1,))), STORED),
    "a storage that is not there": archive(_state(_tensor(4, 0, (4,), (1,), key="1")), STORED),
    "a storage of objects": archive(_state(_tensor(2, 0, (2,), (1,), kind="ndarray")), STORED),
    "state of a type of storage": archive(_document(b"ctorch\nFloatStorage\n" + CLASS_STATE), {}),
    "a bomb": archive(_state(_tensor(1 << 20, 0, (1 << 20,), (1,))), {"0": bytes(1 << 22)}, zipfile.ZIP_DEFLATED),
    "a pickle that is a bomb": archive(_document(text("a" * (1 << 22))), {}, zipfile.ZIP_DEFLATED),
    "one storage as many tensors": archive(
        b"\x80\x02}(" + text("state_dict") + b"}("
        + b"".join(text(f"model.w{k}") + _tensor(1 << 18, 0, (1 << 18,), (1,)) for k in range(200)) + b"uu.",
        {"0": bytes(1 << 20)},
    ),
    "no pickle": archive(b"", {}),
    "an archive of nothing": b"PK\x05\x06" + bytes(18),
    "a directory that is promised": archive(_state(_tensor(4, 0, (4,), (1,))), STORED)[:-10] + b"\xff" * 10,
}  # fmt: skip
"""Files of ``torch.save``, by what they try."""


def checkpoint(change) -> bytes:
    """Return the published backbone's weights after a change of its state dict and hyper-parameters."""
    from eegdiffusion.events.published.lightning_checkpoint import read_checkpoint

    document = read_checkpoint(GOLDEN)
    state = {name: value for name, value in document["state_dict"].items() if name.startswith("ema.ema_model.")}
    hyper = document["hyper_parameters"]
    change(state, hyper)
    file = io.BytesIO()
    torch.save({"state_dict": state, "hyper_parameters": hyper}, file)
    return file.getvalue()


E = "ema.ema_model."
CHECKPOINTS = {
    "a layer of a great number": lambda state, hyper: state.update({E + "layers.99999.layer.D": torch.zeros(1)}),
    "a layer of a greater number": lambda state, hyper: state.update({E + f"layers.{'9' * 5000}.x": torch.zeros(1)}),
    "a great width": lambda state, hyper: state.update({E + "in_layer.0.weight": torch.zeros(200_000, 1)}),
    "a width that the others have not": lambda state, hyper: state.update(
        {E + "in_layer.0.weight": torch.zeros(4000, 1)}
    ),
    "no width": lambda state, hyper: state.update({E + "in_layer.0.weight": torch.zeros(0, 1)}),
    "states without end": lambda state, hyper: state.update(
        {E + "layers.0.layer.kernel.A_real": torch.zeros(1, 90_000)}
    ),
    "a vocabulary without end": lambda state, hyper: state.update({E + "label_embed.weight": torch.zeros(100_000, 1)}),
    "steps without end": lambda state, hyper: hyper.update(noise_sch_kwargs={"num_train_timesteps": 10**12}),
    "a schedule of another kind": lambda state, hyper: hyper.update(noise_sch_kwargs={"beta_schedule": "x"}),
    "options that are a list": lambda state, hyper: hyper.update(model_kwargs=[1]),
    "weights that are text": lambda state, hyper: state.update({E + "in_layer.0.bias": "text"}),
}
"""Changes of the published backbone, by what they try."""
