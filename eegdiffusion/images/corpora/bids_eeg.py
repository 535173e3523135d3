"""EEG in BIDS with images as events: THINGS-EEG1 (Grootswagers et al. 2022) and this project's layout for Kilogram.

No EEG recorded with Kilogram's tangrams is public, so that the project defines the layout (``KILOGRAM_LAYOUT``).
"""

import glob
import re
from functools import partial
from pathlib import Path, PureWindowsPath

import mne
import numpy as np
import pandas

from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.images.corpora.image_corpus import Block, Continuous, Corpus, subject_name

READERS = {
    ".vhdr": "read_raw_brainvision",
    ".set": "read_raw_eeglab",
    ".edf": "read_raw_edf",
    ".bdf": "read_raw_bdf",
}
"""Functions of ``mne.io`` by the ending of what they read; named, as that module takes a second to load."""

KILOGRAM_LAYOUT = """
tangrams-svg/<tangram>.svg              Kilogram's drawings
stimuli.tsv                             columns tangram, split (training or test)
sub-XX/[ses-YY/]eeg/*_eeg.vhdr          BrainVision, or .set, .edf, .bdf; volts as BIDS has them
sub-XX/[ses-YY/]eeg/*_events.tsv        columns onset (seconds), duration, tangram (n/a: another event)
"""


def find_bids_recordings(root: Path) -> tuple[list[Path], list[Problem]]:
    """List the recordings of a BIDS tree; EEGLAB derivatives where the raw recordings are not there.

    Returns:
        paths, sorted; what cannot be opened, and what is linked to twice.
    """
    endings = tuple(f"_eeg{ending}" for ending in READERS)
    subjects = [path.name for path in root.iterdir() if path.name.startswith("sub-")]
    recordings, problems = find_files(root, lambda name: name.lower().endswith(endings), subjects)
    if not recordings:
        derivatives, others = find_files(root, _is_continuous_derivative, ["derivatives"])
        recordings = [path for path in derivatives if path.parent == Path("derivatives/eeglab")]
        problems += others
    return [root / path for path in recordings], problems


def _is_continuous_derivative(name: str) -> bool:
    return name.startswith("sub-") and name.lower().endswith("_continuous.set")


def bids_events_file(recording: Path, root: Path) -> Path:
    """Return the file ``*_events.tsv`` of a recording; that of the raw data for an EEGLAB derivative."""
    if recording.is_relative_to(root / "derivatives"):
        stem = recording.name.removesuffix("_continuous.set")
        return root / subject_name(stem, recording) / "eeg" / f"{stem}_events.tsv"
    return recording.with_name(recording.stem.removesuffix("_eeg") + "_events.tsv")


def read_bids_events(path: Path, needed: tuple[str, ...]) -> pandas.DataFrame:
    """Read a tab-separated file of BIDS; ``n/a`` becomes NaN.

    Args:
        path: file to read.
        needed: names of the columns that it must have.

    Returns:
        the table, a row for each event.

    Raises:
        InputError: it is missing, or lacks a column.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    table = pandas.read_csv(path, sep="\t", na_values=["n/a"], keep_default_na=True)
    if missing := [name for name in needed if name not in table]:
        raise InputError(f"{path}: {', '.join(missing)}: is missing (found {', '.join(table)})")
    return table


def onset_seconds(onset: np.ndarray, duration_s: float, where: Path) -> np.ndarray:
    """Return onsets in seconds: BIDS has seconds, published files of THINGS-EEG1 have seconds or milliseconds.

    Args:
        onset: (events,) onsets as the file has them.
        duration_s: length of the recording in seconds; an onset beyond it cannot be in seconds.
        where: file of the events, for errors.

    Returns:
        (events,) float64 seconds.

    Raises:
        InputError: neither unit fits the recording.
    """
    onset = np.asarray(onset, np.float64)
    last = np.nanmax(onset, initial=0.0)
    if last <= duration_s:
        return onset
    if last <= 1000 * duration_s:
        return onset / 1000
    raise InputError(f"{where}: onset: the last, {last:g}, lies beyond the recording of {duration_s:g} s, in ms too")


def open_things_eeg1(root: Path, images: Path | None) -> Corpus:
    """Open THINGS-EEG1 (Grootswagers et al., Scientific Data 2022).

    Args:
        root: folder of the corpus, in BIDS.
        images: folder of ``<concept>/<file>``; None: ``stimuli`` below the root.

    Returns:
        the corpus, whose recordings stay on disk.

    Raises:
        InputError: no recording of the corpus is usable.
    """
    return _open(root, images or root / "stimuli", "things_eeg1", partial(_things_events, root=root))


def open_kilogram(root: Path, images: Path | None) -> Corpus:
    """Open a corpus of ``KILOGRAM_LAYOUT``: EEG recorded while tangrams of Kilogram (Ji et al. 2022) are seen.

    Args:
        root: folder of the corpus.
        images: folder of the drawings; None: ``tangrams-svg`` below the root.

    Returns:
        the corpus, whose recordings stay on disk.

    Raises:
        InputError: ``stimuli.tsv`` is missing or names another split, or no recording is usable.
    """
    folder = images or root / "tangrams-svg"
    path = root / "stimuli.tsv"
    table = read_bids_events(path, ("tangram", "split"))
    if wrong := sorted(set(table["split"]) - {"training", "test"}):
        raise InputError(f"{path}: split: must be training or test (found {', '.join(map(str, wrong))})")
    split = dict(zip(table["tangram"].astype(str), table["split"], strict=True))
    return _open(root, folder, "kilogram", partial(_kilogram_events, split=split))


def _things_events(path: Path, root: Path) -> pandas.DataFrame:
    """Read events of THINGS-EEG1: onset, name, concept, partition, file below the stimuli."""
    table = read_bids_events(path, ("onset",))
    column = next((name for name in ("stim", "stim_file") if name in table), None)
    if column is None:
        raise InputError(f"{path}: stim: is missing, as is stim_file (found {', '.join(table)})")
    if "istarget" in table:
        table = table[~_true(table["istarget"])]
    table = table[table[column].notna()]
    stimuli = [PureWindowsPath(text) for text in table[column].astype(str)]  # reads both kinds of slash
    if "isteststim" in table:
        test = _true(table["isteststim"]).to_numpy()
    else:
        listed = _test_images(root)
        test = np.array([stimulus.name in listed for stimulus in stimuli], bool)
    return pandas.DataFrame(
        {
            "onset": table["onset"].to_numpy(np.float64),
            "name": [stimulus.stem for stimulus in stimuli],
            "concept": [stimulus.parent.name for stimulus in stimuli],
            "partition": np.where(test, "test", "training"),
            "file": [f"{stimulus.parent.name}/{stimulus.name}" for stimulus in stimuli],
        }
    )


def _test_images(root: Path) -> set[str]:
    path = root / "test_images.csv"
    if not path.is_file():
        raise InputError(f"{path}: no such file, and the events have no isteststim")
    return {PureWindowsPath(cell).name for cell in re.split(r"[,\n\r]+", path.read_text()) if cell.strip()}


def _true(column: pandas.Series) -> pandas.Series:
    return column.astype(str).str.strip().str.lower().isin(["1", "1.0", "true"])


def _kilogram_events(path: Path, split: dict[str, str]) -> pandas.DataFrame:
    table = read_bids_events(path, ("onset", "tangram"))
    table = table[table["tangram"].notna()]
    names = table["tangram"].astype(str)
    if unknown := sorted(set(names) - split.keys()):
        raise InputError(f"{path}: tangram: {', '.join(unknown[:5])}: is not in stimuli.tsv")
    return pandas.DataFrame(
        {
            "onset": table["onset"].to_numpy(np.float64),
            "name": names,
            "concept": names,
            "partition": names.map(split),
            "file": names + ".svg",
        }
    )


def _open(root: Path, folder: Path, layout: str, events) -> Corpus:
    files: dict[str, list[Path]] = {}
    tables: dict[Path, pandas.DataFrame] = {}
    recordings, problems = find_bids_recordings(root)
    for path in recordings:
        try:
            tables[path] = events(bids_events_file(path, root))
        except InputError as error:
            problems.append(Problem(path.relative_to(root).as_posix(), "events", "events.tsv", str(error)))
            continue
        files.setdefault(subject_name(path.name, path), []).append(path)
    if not tables:
        listed = "".join(f"\n{problem.path}: {problem.message}" for problem in problems)
        raise InputError(f"{root}: holds no usable recording sub-*/**/*_eeg.{{vhdr,set,edf,bdf}}{listed}")
    seen = (
        pandas.concat(tables.values())
        .drop_duplicates("file")
        .sort_values(["partition", "file"], ascending=[False, True])
    )
    images = seen[["name", "concept", "partition"]].reset_index(drop=True)
    images["file"] = [str(folder / file) for file in seen["file"]]
    row = {file: k for k, file in enumerate(seen["file"])}
    read = partial(_read_subject, files=files, tables=tables, row=row, root=root)
    sources = {subject: [file for path in paths for file in _parts(path, root)] for subject, paths in files.items()}
    return Corpus(layout, images, sources, read, problems)


def _parts(path: Path, root: Path) -> list[Path]:
    """List the files of a recording, as BrainVision and EEGLAB have several, and that of its events."""
    return [*sorted(path.parent.glob(f"{glob.escape(path.stem)}.*")), bids_events_file(path, root)]


def _read_subject(subject: str, files: dict, tables: dict, row: dict[str, int], root: Path) -> list[Block]:
    return [read_bids_recording(path, root, subject, tables[path], row) for path in files[subject]]


def read_bids_recording(path: Path, root: Path, subject: str, events: pandas.DataFrame, row: dict[str, int]) -> Block:
    """Read a recording; its samples stay on disk.

    Args:
        path: file of the recording.
        root: folder of the corpus.
        subject: name of the subject, ``sub-XX``.
        events: events of the recording, with ``onset`` and ``file``.
        row: row of each image's file in the table of images.

    Returns:
        the trials in the order of their onsets, in microvolts.

    Raises:
        InputError: the recording cannot be read, or the onsets do not fit it.
    """
    try:
        raw = getattr(mne.io, READERS[path.suffix.lower()])(path, preload=False, verbose="ERROR")
    except Exception as error:  # MNE raises nearly anything on a damaged file
        raise InputError(f"{path}: cannot be read ({type(error).__name__}: {error})") from error
    picks = mne.pick_types(raw.info, eeg=True)
    sfreq = float(raw.info["sfreq"])
    onset = onset_seconds(events["onset"].to_numpy(), raw.n_times / sfreq, bids_events_file(path, root))
    order = np.argsort(onset, kind="stable")
    session = re.search(r"ses-(\d+)", path.name)
    return Block(
        subject=subject,
        session=int(session[1]) if session else None,
        source=path.relative_to(root).as_posix(),
        image=events["file"].map(row).to_numpy(np.int64)[order],
        channels=[raw.ch_names[k].removeprefix("EEG ") for k in picks],  # EDF+ puts the kind of signal before the name
        sfreq=sfreq,
        trials=Continuous(
            lambda start, stop: raw.get_data(picks, start, stop) * 1e6,
            np.rint(onset[order] * sfreq).astype(np.int64),
            raw.n_times,
        ),
    )
