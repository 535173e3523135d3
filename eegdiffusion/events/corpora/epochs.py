"""The layout ``epochs``: windows that are cut already, as MNE's epochs (``-epo.fif``) or arrays (``.npz``).

Arrays are ``X`` (epochs, channels, samples), ``y`` (epochs,), ``ch_names``, ``sfreq``, and ``subject`` and ``split``,
one for all or one an epoch. MNE's have the events' names, and ``subject`` and ``split`` as columns of their metadata.
The folder gives the split too. The subject may be unknown where a split is given: the last fifth of such training
epochs validates.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eegdiffusion.core.recordings import amplitude
from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.recordings.fif_checks import check_fif
from eegdiffusion.core.recordings.mne_recording import require_rate
from eegdiffusion.core.recordings.recording_copies import files_of, first_parts
from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.recordings.units import require_microvolts
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage.array_file import load_arrays
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.core.storage.splits import unknown_subject
from eegdiffusion.events.corpora.corpus_reader import SubjectPlace
from eegdiffusion.events.corpora.event_corpus import WindowLabels
from eegdiffusion.events.corpora.given_splits import require_split, split_of_folder
from eegdiffusion.events.corpora.labelled_corpus import AnnotatedRecording, Doubt
from eegdiffusion.events.corpora.window_labels import Annotation, LabelledWindow, preprocessed_offsets

_NOTHING = ("", "nan", "none", "n/a", "nat")

VALIDATING = 0.2
"""Share of the training epochs of unknown subjects that validate: the last of each label, as neighbours are alike."""


@dataclass(frozen=True)
class CutEpochs:
    """The epochs of a file.

    Attributes:
        signals: (epochs, channels, samples).
        scale: volts in a number of theirs.
        values: what each is labelled by.
        channels: names of the channels.
        sfreq: sampling rate in Hz.
        subjects: of each epoch; empty where it is unknown.
        splits: of each epoch; empty where none is given.
        doubts: what is to be said of the file.
    """

    signals: np.ndarray
    scale: float
    values: list[str]
    channels: list[str]
    sfreq: float
    subjects: list[str]
    splits: list[str]
    doubts: list[Doubt]


@dataclass(frozen=True)
class EpochsLayout:
    """See :class:`.labelled_corpus.AnnotatedLayout`."""

    labels: WindowLabels
    window_s: float
    filtering: Filtering
    name: str = "epochs"
    warnings: list[str] = field(default_factory=list)

    def find(self, root: Path) -> tuple[list[Path], list[Problem]]:
        """List the files of epochs."""
        paths, problems = find_files(root, lambda name: name.lower().endswith((".fif", ".fif.gz", ".npz")))
        paths, headless = first_parts(root, paths)
        return paths, problems + headless

    def files_of(self, root: Path, path: Path) -> list[Path]:
        """List a file and, of MNE's, the further parts of it."""
        return [file.relative_to(root) for file in files_of(root / path)]

    def place(self, path: Path) -> None:
        """Return None: the file says whose its epochs are."""
        return

    def open(self, root: Path, path: Path) -> list[AnnotatedRecording]:
        """Open the epochs of a file, those of each subject and split as a recording."""
        file = root / path
        epochs = _read_arrays(file) if path.suffix.lower() == ".npz" else _read_mne(file)
        given = split_of_folder(path)[0]
        splits = [split or given for split in epochs.splits]
        places = _places(file, epochs.subjects, splits, epochs.values)
        samples = epochs.signals.shape[2]
        if samples / epochs.sfreq < self.window_s - 0.5 / self.filtering.rate_hz:
            raise InputError(
                f"{file}: X: an epoch must last window_s of the corpus's entry, {self.window_s:g} s (found "
                f"{samples / epochs.sfreq:g} s)"
            )
        doubts = list(epochs.doubts)
        if samples / epochs.sfreq > self.window_s + 0.5 / self.filtering.rate_hz:
            doubts.append(Doubt("X", f"epochs last {samples / epochs.sfreq:g} s; the first {self.window_s:g} s count"))
        whole = [bool(np.isfinite(signals).all()) for signals in epochs.signals]
        if lost := [k for k, finite in enumerate(whole) if not finite]:
            doubts.append(Doubt("X", f"{len(lost)} epochs have values that are no numbers, and are left out: {lost}"))
        members = {
            place: [k for k, other in enumerate(places) if other == place and whole[k]] for place in sorted(set(places))
        }
        parts = [self._part(epochs, place, rows, doubts) for place, rows in members.items() if rows]
        if not parts:
            raise InputError(f"{file}: X: must hold an epoch whose values are all numbers")
        usable = [part for part in parts if part.windows] or parts
        for part in parts:
            if part not in usable:
                message = f"{part.place.subject}: has no epoch of a class, and is left out"
                usable[0].doubts.append(Doubt("y", message))
        return usable

    def _part(
        self, epochs: CutEpochs, place: SubjectPlace, members: list[int], doubts: list[Doubt]
    ) -> AnnotatedRecording:
        class_of = {value: name for name, values in self.labels.classes.items() for value in values}
        length = epochs.signals.shape[2]
        pieces = [Piece(k * length, (k + 1) * length, k * length / epochs.sfreq) for k in range(len(members))]
        offsets = preprocessed_offsets(pieces, epochs.sfreq, self.filtering)
        windows, unknown = [], dict[str, int]()
        for (first, _), piece, member in zip(offsets, pieces, members, strict=True):
            value = epochs.values[member]
            label = class_of.get(value) if class_of else value
            if not label:
                unknown[value] = unknown.get(value, 0) + 1
            else:
                windows.append(LabelledWindow(first, piece.onset_s, piece.onset_s + self.window_s, label))
        if unknown:
            listed = ", ".join(f"{value!r} ({count})" for value, count in sorted(unknown.items()))
            doubts = [*doubts, Doubt("y", f"of no class are left out: {listed}")]
        else:
            doubts = list(doubts)
        spans = [Annotation(0.0, 0.0, value) for value in sorted(set(epochs.values))]
        return AnnotatedRecording(
            part=f"{place.subject}-{place.partition}" if place.partition else place.subject,
            place=place,
            labels=epochs.channels,
            sfreq=epochs.sfreq,
            pieces=pieces,
            read=_reader(epochs, members),
            spans=spans,
            windows=windows,
            doubts=doubts,
        )


def _reader(epochs: CutEpochs, members: list[int]) -> Callable[[Sequence[int], int, int], np.ndarray]:
    """Return the reader of epochs as if they lay one after another."""
    length = epochs.signals.shape[2]

    def read(rows: Sequence[int], first: int, stop: int) -> np.ndarray:
        wanted = members[first // length : -(-stop // length)]
        laid = np.concatenate([epochs.signals[k][list(rows)] for k in wanted], axis=1).astype(np.float64)
        begin = first % length
        return laid[:, begin : begin + stop - first] * epochs.scale

    return read


def _places(path: Path, subjects: list[str], splits: list[str], values: list[str]) -> list[SubjectPlace]:
    """Return whose each epoch is, and its split; of each label the last training epochs of unknown subjects validate.

    A file may have one class after the other: the last of all would be of one class.

    Raises:
        InputError: neither subject nor split of an epoch is known.
    """
    if any(not subject and not split for subject, split in zip(subjects, splits, strict=True)):
        raise InputError(
            f"{path}: subject: must be known, as splits are by subject, or else the split: train, validation or test, "
            "in the file or by its folder"
        )
    lone = defaultdict(list)
    for k, (subject, split) in enumerate(zip(subjects, splits, strict=True)):
        if not subject and split == "train" and "validation" not in splits:
            lone[values[k]].append(k)
    counts = {value: max(1, round(VALIDATING * len(rows))) if len(rows) > 1 else 0 for value, rows in lone.items()}
    validating = {k for value, rows in lone.items() for k in rows[len(rows) - counts[value] :]}
    places = []
    for k, (subject, split) in enumerate(zip(subjects, splits, strict=True)):
        split = "validation" if k in validating else split
        places.append(SubjectPlace(split, subject or unknown_subject(split)))
    return places


def _each(value: np.ndarray, count: int, where: str) -> list[str]:
    """Return a text for each epoch of one text for all or one an epoch."""
    if value.size != 1 and value.shape not in ((count,), (count, 1)):
        raise InputError(f"{where}: must be one, or one for each of {count} epochs (found {value.shape})")
    texts = _texts(value)
    return texts * count if len(texts) == 1 else texts


FIELDS = ("X", "y", "ch_names", "sfreq", "subject", "split", "unit")
"""Arrays of an ``.npz`` that are read; the last three may be missing."""


def _texts(values: np.ndarray) -> list[str]:
    """Return what the values of an array say: bytes as text, whole numbers without a point, empty for what is none."""
    texts = []
    for value in values.ravel().tolist():
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        whole = isinstance(value, float) and value.is_integer()
        texts.append(str(int(value)) if whole else "" if text.strip().lower() in _NOTHING else text.strip())
    return texts


def _read_arrays(path: Path) -> CutEpochs:
    arrays = load_arrays(path, FIELDS, "file: must be arrays of numbers and text, as numpy.savez writes them")
    if missing := [name for name in FIELDS[:4] if name not in arrays]:
        raise InputError(f"{path}: {', '.join(missing)}: is missing (found {', '.join(arrays) or 'nothing'})")
    signals, count = arrays["X"], len(arrays["X"]) if arrays["X"].ndim else 0
    if signals.ndim != 3 or not count or signals.dtype.kind not in "fiu":
        shape = f"{signals.shape} {signals.dtype}"
        raise InputError(f"{path}: X: must be numbers (epochs, channels, samples) (found {shape})")
    channels = _texts(arrays["ch_names"])
    if len(channels) != signals.shape[1]:
        raise InputError(f"{path}: ch_names: must name {signals.shape[1]} channels of X (found {len(channels)})")
    if arrays["y"].shape not in ((count,), (count, 1)):
        raise InputError(f"{path}: y: must have a label for each of {count} epochs (found {arrays['y'].shape})")
    try:
        sfreq = float(arrays["sfreq"].item())
    except (TypeError, ValueError):
        raise InputError(f"{path}: sfreq: must be a number of Hz (found {arrays['sfreq'].tolist()!r})") from None
    unit = _texts(arrays["unit"])[0] if "unit" in arrays and arrays["unit"].size == 1 else None
    scale, doubts = _volts(path, signals, unit)
    splits = _each(arrays.get("split", np.array("")), count, f"{path}: split")
    return CutEpochs(
        signals=signals,
        scale=scale,
        values=_texts(arrays["y"]),
        channels=channels,
        sfreq=require_rate(sfreq, f"{path}: sfreq"),
        subjects=_each(arrays.get("subject", np.array("")), count, f"{path}: subject"),
        splits=[require_split(split, f"{path}: split") for split in splits],
        doubts=doubts,
    )


def _volts(path: Path, signals: np.ndarray, unit: str | None) -> tuple[float, list[Doubt]]:
    """Return the volts in a number of X: by its unit, else by the amplitude that makes it EEG."""
    if unit is not None:
        return require_microvolts(path, "X", unit) / 1e6, []
    sample = signals[:: max(1, len(signals) // 64)].astype(np.float64)
    for name, microvolts in (("V", 1e6), ("uV", 1.0)):
        if amplitude.amplitude_fault(sample * microvolts) is None:
            return microvolts / 1e6, [Doubt("unit", f"is not said in the file; by its amplitude X is in {name}")]
    raise InputError(f"{path}: unit: must be said, as X has the amplitude of EEG neither in V nor in uV")


def _read_mne(path: Path) -> CutEpochs:
    import mne

    check_fif(path)
    try:
        epochs = mne.read_epochs(path, preload=True, verbose="error")
    except Exception as error:  # MNE raises nearly anything on a damaged file
        raise InputError(f"{path}: file: MNE cannot read epochs from it ({type(error).__name__}: {error})") from error
    epochs.pick("eeg", exclude=())
    names = {code: name for name, code in epochs.event_id.items()}
    codes = epochs.events[:, 2].tolist()
    count = len(codes)
    metadata = epochs.metadata if epochs.metadata is not None else {}
    person = (epochs.info["subject_info"] or {}).get("his_id", "")
    columns = {
        name: _each(np.array(metadata[name].astype(str) if name in metadata else default), count, f"{path}: {name}")
        for name, default in (("subject", person), ("split", ""))
    }
    bad = [name for name in epochs.info["bads"] if name in epochs.ch_names]
    doubts = [Doubt("channels", f"are marked as bad, and used: {', '.join(bad)}")] if bad else []
    return CutEpochs(
        signals=epochs.get_data(copy=False),
        scale=1.0,
        values=[names.get(code, str(code)) for code in codes],
        channels=list(epochs.ch_names),
        sfreq=float(epochs.info["sfreq"]),
        subjects=columns["subject"],
        splits=[require_split(split, f"{path}: split") for split in columns["split"]],
        doubts=doubts,
    )
