"""FIF recordings without what identifies a patient, by MNE; signals keep every bit."""

from pathlib import Path

import mne
import numpy as np

from eegdiffusion.core.deidentification.changes import Changes
from eegdiffusion.core.deidentification.kept_texts import KeptTexts
from eegdiffusion.core.deidentification.subject_key import Subject
from eegdiffusion.core.recordings.fif_files import open_fif
from eegdiffusion.core.recordings.patient_identity import Identity
from eegdiffusion.core.runtime.errors import InputError

_BLOCK = 100_000
"""Samples that are compared at a time."""

_POINTS = mne.io.constants.FIFF.FIFFV_POINT_EXTRA


def _open(path: Path) -> mne.io.BaseRaw:
    try:
        return open_fif(path, allow_maxshield="yes", verbose="error")
    except Exception as error:  # MNE reads what it is given, and fails in many ways
        raise InputError(f"{path}: file: must be a FIF recording ({' '.join(str(error).split())[:200]})") from error


def fif_identity(path: Path) -> Identity:
    """Return who a FIF recording says it is of.

    Raises:
        InputError: the file is none.
    """
    info = _open(path).info
    subject = info["subject_info"] or {}
    names = [str(subject.get(key) or "") for key in ("first_name", "middle_name", "last_name")]
    others = [str(info[key] or "") for key in ("experimenter", "description", "proj_name")]
    birthdate = str(subject.get("birthday") or "")
    return Identity(
        str(subject.get("his_id") or ""), " ".join(filter(None, names)), birthdate, tuple(filter(None, others))
    )


def deidentify_fif(source: Path, target: Path, subject: Subject, texts: KeptTexts) -> Changes:
    """Write a FIF recording without what identifies its patient.

    MNE replaces or removes what its documentation of ``anonymize`` lists; here the labels of channels, the texts of
    annotations and the points of the head's shape, from which a face can be drawn, follow.

    Args:
        source: the recording; of a split one its first part.
        target: file to write.
        subject: what stands for the patient.
        texts: which texts may stay.

    Raises:
        InputError: it cannot be read, or its signals would not be the same.
    """
    raw, changes = _open(source), Changes()
    before = raw.info.copy()
    names = {name: texts.label(name, k + 1) for k, name in enumerate(raw.ch_names)}
    old_texts = list(raw.annotations.description)
    raw.anonymize(daysback=subject.shift_days if before["meas_date"] is not None else None, verbose="error")
    raw.rename_channels(names, verbose="error")
    raw.annotations.description = np.array([texts.annotation(text) for text in old_texts], dtype=str)
    with raw.info._unlock():
        raw.info["subject_info"] = {"his_id": subject.code}
        if raw.info["dig"]:
            raw.info["dig"] = [point for point in raw.info["dig"] if point["kind"] != _POINTS]
    _note(changes, before, raw, old_texts)
    raw.save(target, fmt=_FORMATS.get(raw.orig_format, "single"), overwrite=True, verbose="error")
    _require_same(source, _open(source), _open(target))
    return changes


_FORMATS = {name: name for name in ("short", "int", "single", "double")}


def _note(changes: Changes, before: mne.Info, raw: mne.io.BaseRaw, old_texts: list[str]) -> None:
    for key, value in (before["subject_info"] or {}).items():
        changes.note(f"subject's {key}", value, (raw.info["subject_info"] or {}).get(key))
    for key in ("experimenter", "description", "proj_name", "proj_id", "device_info", "helium_info", "proc_history"):
        changes.note(key, str(before[key]), str(raw.info[key]), "replaced")
    changes.note("start date", before["meas_date"], raw.info["meas_date"], "shifted")
    changes.note("points of the head", len(before["dig"] or []), len(raw.info["dig"] or []), "removed")
    for old, new in zip(before["ch_names"], raw.ch_names, strict=True):
        changes.note("label", old, new)
    for text, kept in zip(old_texts, raw.annotations.description, strict=True):
        changes.note("annotation", text, str(kept))


def _require_same(path: Path, before: mne.io.BaseRaw, after: mne.io.BaseRaw) -> None:
    same = before.n_times == after.n_times and before.first_samp == after.first_samp
    for start in range(0, before.n_times, _BLOCK):
        stop = min(start + _BLOCK, before.n_times)
        same = same and np.array_equal(before[:, start:stop][0], after[:, start:stop][0], equal_nan=True)
    if not same:
        raise InputError(f"{path}: signals: would not be the same once MNE has written them as {before.orig_format}")
