"""Hostile recordings of every format that is read, each an honest one with something changed."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import scipy.io

from eegdiffusion.core.signal.montage import ELECTRODES
from tests.recording_files import NAMES, raw_array, write_brainvision
from tests.tuev_fixture import signals, write_edf

SECONDS = 8


def edf(folder: Path, change: Callable[[bytes], bytes] = lambda content: content) -> Path:
    """Write an EDF file after a change of its bytes."""
    write_edf(folder / "r.edf", names=ELECTRODES, seed=1, seconds=SECONDS)
    (folder / "r.edf").write_bytes(change((folder / "r.edf").read_bytes()))
    return folder / "r.edf"


def _at(place: int, field: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content[:place] + field + content[place + len(field) :]


def _all_samples(value: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        count = int(content[252:256])
        place = 256 + 216 * count
        return content[:place] + value.ljust(8) * count + content[place + 8 * count :]

    return change


EDF = {
    "signals without end": _at(252, b"9e99"),
    "more signals than digits": _at(252, b"1e9 "),
    "records that are promised": _at(236, b"99999999"),
    "a record of no length": _at(244, b"1e-300  "),
    "a record of a moment": _at(244, b"1e-7    "),
    "a record without end": _at(244, b"inf     "),
    "samples without end": _all_samples(b"99999999"),
    "samples beyond numbers": _all_samples(b"1e300"),
    "a header of another size": _at(184, b"99999999"),
}
"""Changes of an EDF file, by what they try."""


def brainvision(folder: Path, change: Callable[[str], str] = lambda text: text, codec: str = "utf-8") -> Path:
    """Write a BrainVision recording after a change of its header's text, and another person's in the folder above."""
    folder = folder / "in"
    folder.mkdir()
    for place, seed in ((folder / "r.vhdr", 0), (folder.parent / "other.vhdr", 5)):
        data = signals(NAMES, SECONDS, 250.0, seed) * 1e-6
        write_brainvision(place, raw_array(data=data), ["Mk1=New Segment,,1,1,0,20200102030405000000"])
    text = (folder / "r.vhdr").read_text(encoding="utf-8")
    (folder / "r.vhdr").write_bytes(change(text).encode(codec))
    return folder / "r.vhdr"


def _instead(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


BRAINVISION = {
    "samples of another person": _instead("DataFile=r.eeg", "DataFile=../other.eeg"),
    "samples of another person, with a colon": _instead("DataFile=r.eeg", "DataFile: ../other.eeg"),
    "samples of another person, indented": _instead("DataFile=r.eeg", "\n  DataFile = ../other.eeg"),
    "samples of another person, in windows": _instead("DataFile=r.eeg", "DataFile=..\\other.eeg"),
    "markers of another person": _instead("MarkerFile=r.vmrk", "MarkerFile=../other.vmrk"),
    "markers of another person, by another K": _instead("MarkerFile=r.vmrk", "Mar\u212aerFile=../other.vmrk"),
    "an absolute path": _instead("DataFile=r.eeg", "DataFile=/etc/passwd"),
    "the folder itself": _instead("DataFile=r.eeg", "DataFile=."),
    "the folder above": _instead("DataFile=r.eeg", "DataFile=.."),
    "no name": _instead("DataFile=r.eeg", "DataFile="),
    "a name that ends early": _instead("DataFile=r.eeg", "DataFile=r.eeg\0/../x"),
    "text that hides names": _instead("Codepage=UTF-8", "Codepage=UTF-7"),
    "text in an unknown encoding": _instead("Codepage=UTF-8", "Codepage=rot13"),
    "channels without end": _instead(f"NumberOfChannels={len(NAMES)}", "NumberOfChannels=1_000_000_000"),
    "no interval": _instead("SamplingInterval=4000", "SamplingInterval=0"),
    "an interval of a moment": _instead("SamplingInterval=4000", "SamplingInterval=1e-300"),
    "points that are promised": lambda text: text.replace("MULTIPLEXED", "VECTORIZED\nDataPoints=99999999999"),
    "a header without end": lambda text: text + ";" * (1 << 23),
}
"""Changes of a BrainVision header, by what they try."""


def fif(folder: Path, change: Callable[[bytes], bytes] = lambda content: content, **options) -> Path:
    """Write a FIF file after a change of its bytes."""
    raw_array(data=signals(NAMES, SECONDS, 250.0, 2) * 1e-6).save(folder / "r_raw.fif", verbose="error", **options)
    (folder / "r_raw.fif").write_bytes(change((folder / "r_raw.fif").read_bytes()))
    return folder / "r_raw.fif"


def with_directory(content: bytes) -> bytes:
    """Return the bytes of a FIF file with a directory of its tags, which MNE writes none of and Elekta does."""
    place, entries = 0, b""
    while place >= 0:
        kind, type_, size, following = struct.unpack(">iIii", content[place : place + 16])
        entries += struct.pack(">iIii", kind, type_, size, place)
        place = place + 16 + size if following == 0 else following
    pointer = struct.pack(">i", len(content))
    return content[:52] + pointer + content[56:] + struct.pack(">iIii", 102, 32, len(entries), -1) + entries


def _directory(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        content = with_directory(content)
        (place,) = struct.unpack(">i", content[52:56])
        return content[: place + 16] + change(content[place + 16 :])

    return changed


def _many_buffers(directory: bytes) -> bytes:
    entries = [directory[k : k + 16] for k in range(0, len(directory) // 16 * 16, 16)]
    return b"".join(entry[:8] + struct.pack(">i", 1 << 30) + entry[12:] for entry in entries)


FIF = {
    "tags that lead to themselves": lambda content: _at(32, struct.pack(">i", 36))(
        _at(48, struct.pack(">i", 36))(content)
    ),
    "tags that lead back": lambda content: content[:68] + struct.pack(">i", 20) + content[72:],
    "a directory beyond the file": lambda content: with_directory(content)[:-16],
    "tags of great size": _directory(_many_buffers),
    "tags below the file": _directory(lambda entries: entries[:12] + struct.pack(">i", -5) + entries[16:]),
    "an end within": lambda content: content[: len(content) // 2],
}
"""Changes of a FIF file, by what they try."""


def split_fif(folder: Path, name: bytes) -> Path:
    """Write a split FIF recording whose first part names another file than its second."""
    folder = folder / "in"
    folder.mkdir()
    data = signals(NAMES, 150, 250.0, 2) * 1e-6
    raw_array(data=data).save(folder / "r_raw.fif", split_size="2MB", verbose="error")
    content = (folder / "r_raw.fif").read_bytes()
    assert content.count(b"r_raw-1.fif") == 1
    raw_array(data=data[:, :2000]).save(folder.parent / "other_raw.fif", verbose="error")
    (folder.parent / "other_raw.fif").rename(folder.parent / "other.fi")
    (folder / "r_raw.fif").write_bytes(content.replace(b"r_raw-1.fif", name))
    return folder / "r_raw.fif"


PARTS = {"a part of another person": b"../other.fi", "itself as the next part": b"./r_raw.fif"}
"""Names of a next part, of as many letters as the honest one has."""


def fif_bomb(folder: Path) -> Path:
    """Write a ``.fif.gz`` that unfolds to a thousand times its size."""
    (folder / "r_raw.fif.gz").write_bytes(gzip.compress(fif(folder).read_bytes() + bytes(1 << 27), 1))
    return folder / "r_raw.fif.gz"


def eeglab(folder: Path, data: object = None, **fields) -> Path:
    """Write an EEGLAB file whose samples lie in a file beside it, or where ``data`` says."""
    folder = folder / "in eeglab"
    folder.mkdir()
    values = signals(NAMES, SECONDS, 250.0, 3)
    values.T.astype("<f4").tofile(folder / "r.fdt")
    values.T.astype("<f4").tofile(folder.parent / "other.fdt")
    locations = np.array([(name,) for name in NAMES], dtype=[("labels", object)])
    document = {
        "data": "r.fdt" if data is None else data, "nbchan": len(NAMES), "pnts": values.shape[1], "trials": 1,
        "srate": 250.0, "xmin": 0.0, "xmax": SECONDS, "chanlocs": locations, "event": np.array([]),
        "epoch": np.array([]),
    } | fields  # fmt: skip
    scipy.io.savemat(folder / "r.set", {"EEG": document}, do_compression=True)
    return folder / "r.set"


EEGLAB = {
    "samples of another person": lambda folder: eeglab(folder, "../other.fdt"),
    "an absolute path": lambda folder: eeglab(folder, str(folder / "other.fdt")),
    "points that are promised": lambda folder: eeglab(folder, pnts=10**9),
    "a rate without end": lambda folder: eeglab(folder, srate=1e300),
    "a bomb": lambda folder: eeglab(folder, np.zeros((len(NAMES), 600_000))),
}
"""EEGLAB files, by what they try."""


def samples_of(raw: mne.io.BaseRaw) -> bytes:
    """Return some samples of a recording, as bytes."""
    return raw.get_data(stop=500).tobytes()
