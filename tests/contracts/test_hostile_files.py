"""Hostile files of every kind: each is refused by name and rule, soon and in little memory, and leaves no trace."""

import copyreg
import csv
import gc
import os
import pickle
import resource
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

import mne
import numpy as np
import pytest
import torch
from PIL import Image, ImageFile, WebPImagePlugin  # noqa: F401 (their readers are there before any file is)

from eegdiffusion import load_published_backbone
from eegdiffusion.core.recordings.channel_kinds import read_channel_table
from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.recordings.mne_recording import open_raw
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.array_file import load_array, load_arrays, map_array
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.pickles import inert_unpickler, pickled_values, torch_archive
from eegdiffusion.core.storage.pickles.mapped_pickle import read_mapping
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.core.training.checkpoint_io import SafetensorsCheckpointIO
from eegdiffusion.core.training.weights_file import load_weights
from eegdiffusion.events.prediction.recordings_folder import predict_all
from eegdiffusion.images.corpora.image_files import fitted_image
from tests.hostile import drawn, pickled, recorded, stored
from tests.predict.stand_in import classifier

SECONDS, BYTES = 5, 1 << 30
Write, Read = Callable[[Path], Path], Callable[[Path], object]


def _file(name: str, content: bytes) -> Write:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _later(name: str, content: Callable[[], bytes]) -> Write:
    return lambda folder: _file(name, content())(folder)


def _mapping(path: Path) -> object:
    return read_mapping(path, {"raw_eeg_data": "numbers"})


def _weights(path: Path) -> object:
    return load_weights(path, f"weights: {path}: must be a state dict")


def _recording(path: Path) -> object:
    recording = open_recording(path, {})
    return recording.read(range(19), 0, 500)


def _raw(path: Path) -> object:
    return recorded.samples_of(open_raw(path))


def _with(make: Callable[..., Path], change: object) -> Write:
    return lambda folder: make(folder, change)


def _checkpoint(folder: Path, change: Callable) -> Path:
    return _file("a.ckpt", pickled.checkpoint(change))(folder)


def _cases() -> dict[str, tuple[Write, Read]]:
    cases: dict[str, tuple[Write, Read]] = {}
    for name, content in pickled.MAPPINGS.items():
        cases[f"pickle: {name}"] = _file("a.npy", content), _mapping
        if len(content) < 1 << 20:
            cases[f"np.save: {name}"] = _file("a.npy", pickled.numpy_file(content)), _mapping
    for name, content in pickled.TENSORS.items():
        cases[f"pth: {name}"] = _file("a.pth", content), _weights
        cases[f"ckpt: {name}"] = _file("a.ckpt", content), load_published_backbone
    for kind, make, changes, read in (
        ("checkpoint", _checkpoint, pickled.CHECKPOINTS, load_published_backbone),
        ("EDF", recorded.edf, recorded.EDF, _recording),
        ("BrainVision", recorded.brainvision, recorded.BRAINVISION, _recording),
        ("BrainVision, BIDS", recorded.brainvision, recorded.BRAINVISION, _raw),
        ("FIF", recorded.fif, recorded.FIF, _recording),
        ("FIF, split", recorded.split_fif, recorded.PARTS, _recording),
        ("stored recording", stored.recording, stored.RECORDINGS, stored.read_recording),
        ("stored epochs", stored.epochs, stored.ARRAYS, stored.read_epochs),
        ("stored tokens", stored.tokens, stored.TOKENS, stored.read_tokens),
        ("stored checkpoint", stored.checkpoint, stored.CHECKPOINTS, SafetensorsCheckpointIO().load_checkpoint),
    ):
        for name, change in changes.items():
            cases[f"{kind}: {name}"] = _with(make, change), read
    cases["FIF: a bomb"] = recorded.fif_bomb, _recording
    for name, write in recorded.EEGLAB.items():
        cases[f"EEGLAB: {name}"] = write, _raw
    for kind, file, contents, read in (
        ("picture", "a.jpg", drawn.PICTURES, lambda path: fitted_image(path, 32)),
        ("drawing", "a.svg", drawn.DRAWINGS, lambda path: fitted_image(path, 32)),
        ("array", "a.npy", drawn.ARRAYS, lambda path: load_array(path, "must be an array")),
        ("stored array", "a.npy", drawn.ARRAYS, map_array),
        ("arrays", "a.npz", drawn.ARCHIVES, lambda path: load_arrays(path, ["X"], "must be arrays")),
        ("table", "channels.tsv", drawn.TABLES, read_channel_table),
        ("document", "events.json", drawn.DOCUMENTS, read_json),
    ):
        for name, content in contents.items():
            cases[f"{kind}: {name}"] = _file(file, content), read
    for name, content in stored.TABLES.items():
        cases[f"stored table: {name}"] = _later("t.parquet", content), read_parquet
    return cases


CASES = _cases()


def _state() -> dict[str, object]:
    """Return what a file could change of this process."""
    gc.collect()  # maps of files that a traceback held
    classes = [
        value
        for module in (inert_unpickler, pickled_values, torch_archive)
        for value in vars(module).values()
        if isinstance(value, type)
    ]
    return {
        "classes": {kind.__qualname__: {name: id(value) for name, value in vars(kind).items()} for kind in classes},
        "names": {key: (id(name), name.text, name.make) for key, name in pickled_values.NAMES.items()},
        "copyreg": (dict(copyreg._inverted_registry), dict(copyreg._extension_cache), len(copyreg.dispatch_table)),
        "pickle": (len(pickle._Unpickler.dispatch), [id(f) for f in pickle._Unpickler.dispatch.values()]),
        "numpy": (np.geterr(), np.get_printoptions(), str(np.dtype("f8")), np.dtype("f8").byteorder),
        "torch": (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()),
        "torch's pickles": torch.serialization.get_safe_globals(),
        "pillow": (list(Image.ID), sorted(Image.OPEN), Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES),
        "mne": (mne.get_config(), mne.utils.logger.level),
        "warnings": len(warnings.filters),
        "system": (dict(os.environ), Path.cwd(), sorted(os.listdir())),
        "files": _open_files(Path.cwd().parent),
    }


def _open_files(folder):
    """Return the files of a folder that this process holds open; those of other tests' threads come and go."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(os.readlink(link))
    return sorted(name for name in links if name.startswith(f"{folder}/"))


@contextmanager
def _bounded():
    """Bound the memory that is asked for beyond what there is, and measure the time."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    begin = time.process_time()
    resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert time.process_time() - begin < SECONDS


def _refusal(read: Read, path: Path) -> str:
    with _bounded(), pytest.raises(InputError) as refused:
        read(path)
    return str(refused.value)


def _honest(folder: Path) -> dict[str, bytes]:
    """Return what honest files of every kind are read as."""
    folder.mkdir()
    document = {"raw_eeg_data": np.arange(6.0).reshape(2, 3), "big": np.arange(5, dtype=">i4"), "n": np.float64(3)}
    np.save(folder / "a.npy", document)
    mapping = read_mapping(folder / "a.npy", {"raw_eeg_data": "numbers"})
    torch.save({"w": torch.arange(6.0).view(2, 3).t()}, folder / "a.pth")
    pictures = [folder / f"a.{kind}" for kind in ("jpeg", "png", "bmp", "webp")]
    for path in pictures:
        path.write_bytes(drawn.picture(path.suffix[1:].upper(), (20, 10)))
    (folder / "a.svg").write_bytes(drawn.svg())
    np.save(folder / "b.npy", np.arange(4, dtype="<i2"))
    np.savez_compressed(folder / "b.npz", X=np.arange(4, dtype="<i2"), names=["a"])
    recordings = [recorded.edf(folder), recorded.fif(folder, recorded.with_directory), recorded.brainvision(folder)]
    return {
        "mapping": b"".join(mapping[name].tobytes() for name in ("raw_eeg_data", "big")),
        "big": np.asarray(mapping["big"]).astype("<i8").tobytes(),
        "weights": load_weights(folder / "a.pth", "")["w"].numpy().tobytes(),
        "array": load_array(folder / "b.npy", "").tobytes(),
        "arrays": b"".join(each.tobytes() for each in load_arrays(folder / "b.npz", ["X", "names"], "").values()),
        "checkpoint": load_published_backbone(pickled.GOLDEN).label_embed.weight.detach().numpy().tobytes(),
        "EEGLAB": _raw(recorded.eeglab(folder)),
        "stored": stored.read_recording(stored.recording(folder))
        + stored.read_epochs(stored.epochs(folder))
        + stored.read_tokens(stored.tokens(folder)),
        **{path.name: fitted_image(path, 8).tobytes() for path in (*pictures, folder / "a.svg")},
        **{path.name: _recording(path).tobytes() for path in recordings},
    }


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return _honest(tmp_path_factory.mktemp("honest") / "first")


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_by_name_and_rule_and_leaves_no_trace(tmp_path, monkeypatch, honest, name):
    write, read = CASES[name]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = write(tmp_path)
    before = _state()
    message = _refusal(read, path)
    assert f"{path.parent}/{path.name.partition('.')[0]}" in message
    assert any(rule in message for rule in ("must", "MNE cannot read it", "weights: ", "is missing"))
    assert len(message) < 2000
    assert _state() == before


def test_there_are_many_hostile_files_of_every_kind():
    kinds = [name.partition(":")[0] for name in CASES]
    assert len(CASES) >= 60
    assert len(set(kinds)) == 23


def test_honest_files_are_read_the_same_after_all_hostile_ones(tmp_path, honest):
    assert honest["big"] == np.arange(5).astype("<i8").tobytes()
    assert _honest(tmp_path / "again") == honest


def test_hostile_recordings_end_no_folder_of_predictions(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    names = {"BrainVision": recorded.BRAINVISION, "FIF": recorded.FIF, "EDF": recorded.EDF}
    makers = {"BrainVision": recorded.brainvision, "FIF": recorded.fif, "EDF": recorded.edf}
    hostile = []
    for kind, changes in names.items():
        for number, change in enumerate(changes.values()):
            place = folder / f"{kind} {number}"
            place.mkdir()
            hostile.append(makers[kind](place, change).relative_to(folder).as_posix())
    honest = recorded.edf(folder).relative_to(folder).as_posix()
    with pytest.raises(InputError, match=r"\d+ of \d+ recordings were refused, listed"):
        predict_all(folder, tmp_path / "out", classifier())
    with (tmp_path / "out/recordings.csv").open(newline="", encoding="utf-8") as file:
        status = {row["recording"]: row["status"] for row in csv.DictReader(file)}
    assert {status[name] for name in hostile} == {"refused"}
    assert status[honest] == "done"
