import os
import pickle

import numpy as np
import pytest
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.pickles.mapped_pickle import read_mapping
from eegdiffusion.core.storage.pickles.torch_archive import read_archive

DOCUMENT = {
    "large": np.random.default_rng(0).standard_normal((8, 2000)),
    "columns": np.asfortranarray(np.random.default_rng(1).standard_normal((300, 40)).astype("f4")),
    "big_endian": np.arange(5, dtype=">i4"),
    "names": ["Fp1", "Oz"],
    "array of names": np.array(["Fp1", "Oz"]),
    "objects": np.array(["a", "bb"], object),
    "number": np.float64(1000.0),
    "small": np.arange(4),
}


class Harm:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize("protocol", [None, 2, 3, 4, 5])
def test_both_containers_give_what_numpy_gives(tmp_path, protocol):
    path = tmp_path / "a.npy"
    if protocol is None:
        np.save(path, DOCUMENT)
    else:
        path.write_bytes(pickle.dumps(DOCUMENT, protocol))
    found = read_mapping(path, {"large": "numbers", "names": "texts"})
    for name, value in DOCUMENT.items():
        assert np.array_equal(np.asarray(found[name]), np.asarray(value)), name
    assert type(found["number"]) is float
    assert found["objects"] == ["a", "bb"]


def test_large_arrays_stay_in_the_file(tmp_path):
    np.save(tmp_path / "a.npy", DOCUMENT)
    found = read_mapping(tmp_path / "a.npy", {})["large"]
    assert isinstance(found.base, np.memmap)
    assert not found.flags.writeable


@pytest.mark.parametrize("container", ["numpy", "pickle", "torch", "torch, older"])
def test_nothing_that_a_file_names_is_run(tmp_path, monkeypatch, container):
    monkeypatch.chdir(tmp_path)
    path, document = tmp_path / "a.npy", {"large": Harm()}
    if container == "numpy":
        np.save(path, document)
    elif container == "pickle":
        path.write_bytes(pickle.dumps(document))
    else:
        torch.save(document, path, _use_new_zipfile_serialization=container == "torch")
    with pytest.raises(InputError, match=r"names posix\.system|names os\.system"):
        (read_archive if "torch" in container else lambda p: read_mapping(p, {}))(path)
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("length", [10, 300, 60_000, 128_500])
def test_a_truncated_file_is_refused(tmp_path, length):
    path = tmp_path / "a.npy"
    np.save(path, DOCUMENT)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=r"a\.npy: must be a pickled dict"):
        read_mapping(path, {})


def test_what_is_missing_is_named(tmp_path):
    np.save(tmp_path / "a.npy", {"times": [1]})
    with pytest.raises(InputError, match=r"ch_names: is missing .found times"):
        read_mapping(tmp_path / "a.npy", {"times": "list", "ch_names": "texts"})
    np.save(tmp_path / "b.npy", np.arange(3))
    with pytest.raises(InputError, match="not a dict"):
        read_mapping(tmp_path / "b.npy", {})
    with pytest.raises(InputError, match="no such file"):
        read_mapping(tmp_path / "c.npy", {})


@pytest.mark.parametrize("legacy", [True, False])
def test_tensors_are_those_of_torch(tmp_path, legacy):
    shared = torch.randn(4, 5)
    document = {
        "dataset": [{"eeg": torch.randn(3, 40 + k), "image": k} for k in range(3)],
        "turned": shared.t(),
        "row": shared[1],
        "long": torch.arange(3),
        "half": torch.randn(2).half(),
        "empty": torch.empty(0),
    }
    torch.save(document, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    found = read_archive(tmp_path / "a.pth")
    for k in range(3):
        assert np.array_equal(found["dataset"][k]["eeg"], document["dataset"][k]["eeg"])
    for name in ("turned", "row", "long", "half", "empty"):
        assert np.array_equal(found[name], document[name].numpy()), name
