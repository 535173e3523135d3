"""The folder of a corpus of the demo: TUEV's layout where it is the surrogate, and a description of itself."""

import datetime
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.surrogate.tuev.tuev_recordings import SFREQ, Recording

DESCRIPTION = "corpus.json"
"""In the folder: what the corpus is."""

RECIPE = "recipe.json"
"""Beside the folder, so that an edit of the code that changes no recording does not change the folder either."""

RESOLUTION = 0.1
"""Microvolts per bit: 16 bits hold +-3.28 mV."""


def is_in_place(root: Path, recipe: dict, corpus: str = "surrogate") -> bool:
    """Whether the folder holds the corpus of this recipe, each file as it was written.

    Args:
        root: the folder.
        recipe: all that the corpus depends on.
        corpus: how the name that the corpus gives itself begins.

    Raises:
        InputError: the folder holds something that is not such a corpus, which must not be overwritten.
    """
    if not root.exists():
        return False
    path = root / DESCRIPTION
    described = json.loads(path.read_text()) if path.is_file() else {}
    if not described.get("corpus", "").startswith(corpus):
        raise InputError(f"{root}: holds something that is not a {corpus} corpus ({DESCRIPTION}); give another --out")
    hashes = {p.relative_to(root).as_posix(): content_hash(p) for p in root.rglob("*") if p.is_file() and p != path}
    made_by = root.with_name(RECIPE)
    return made_by.is_file() and json.loads(made_by.read_text()) == recipe and hashes == described["files"]


def write(recordings, root: Path, description: dict, recipe: dict) -> dict:
    """Write the corpus in full beside its place, then put it there.

    Args:
        recordings: iterable of :class:`Recording`.
        root: the ``edf`` folder.
        description: what ``corpus.json`` says besides the files and the stretches.
        recipe: all that the corpus depends on; see :func:`is_in_place`.

    Returns:
        what ``corpus.json`` says.
    """
    partial = root.with_name(f"{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    files, stretches = {}, {}
    for recording in recordings:
        path = partial / f"{recording.name}.edf"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_edf(recording, path)
        write_rec(recording, path.with_suffix(".rec"))
        for part in (path, path.with_suffix(".rec")):
            files[part.relative_to(partial).as_posix()] = content_hash(part)
        seconds = recording.signals.shape[1] / SFREQ
        stretches[recording.name] = {"task": recording.task, "start_s": recording.start, "duration_s": seconds}
    return publish(partial, root, {**description, "stretches": stretches}, files, recipe)


def publish(partial: Path, root: Path, description: dict, files: dict[str, str], recipe: dict) -> dict:
    """Put a folder that is complete in its place, with what it says of itself.

    Args:
        partial: the folder.
        root: its place.
        description: what ``corpus.json`` says besides the files.
        files: SHA-256 of each file by its name.
        recipe: all that the corpus depends on; see :func:`is_in_place`.

    Returns:
        what ``corpus.json`` says.
    """
    description = {**description, "files": dict(sorted(files.items()))}
    (partial / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")
    if root.exists():
        shutil.rmtree(root)
    partial.replace(root)
    root.with_name(RECIPE).write_text(json.dumps(recipe, indent=2) + "\n")
    return description


def write_edf(recording: Recording, path: Path) -> None:
    """Write a 16-bit EDF; the same recording gives the same bytes."""
    write_signals(path, recording.channels, recording.signals, SFREQ, recording.name.split("/")[1])


def write_signals(
    path: Path,
    labels: Sequence[str],
    signals: np.ndarray,
    rate_hz: float,
    subject: str,
    clock: datetime.time | None = None,
) -> None:
    """Write a 16-bit EDF of a surrogate's signals; the same signals give the same bytes.

    Args:
        path: file to write.
        labels: labels of the channels.
        signals: (channels, samples) in volts.
        rate_hz: sampling rate, a whole number.
        subject: code of the subject.
        clock: time of the first sample; None for midnight.
    """
    bits = np.iinfo(np.int16)
    channels = [
        edfio.EdfSignal(
            row * 1e6,
            rate_hz,
            label=channel,
            physical_dimension="uV",
            physical_range=(bits.min * RESOLUTION, bits.max * RESOLUTION),
            digital_range=(bits.min, bits.max),
        )
        for channel, row in zip(labels, signals, strict=True)
    ]
    edf = edfio.Edf(
        channels,
        patient=edfio.Patient(code=subject, name="surrogate"),
        recording=edfio.Recording(startdate=datetime.date(2000, 1, 1)),
        starttime=clock,
        data_record_duration=1,
    )
    edf.write(path)


def write_rec(recording: Recording, path: Path) -> None:
    """Write the events as rows ``channel,start,stop,label``."""
    rows = recording.events[["channel", "start", "stop", "label"]].itertuples(index=False)
    path.write_text("".join(f"{channel},{start:.1f},{stop:.1f},{label}\n" for channel, start, stop, label in rows))
