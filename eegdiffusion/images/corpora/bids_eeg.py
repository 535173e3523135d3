"""EEG in BIDS with images as events: THINGS-EEG1 (Grootswagers et al. 2022) and this project's layout for Kilogram.

No EEG recorded with Kilogram's tangrams is public, so that the project defines the layout (``KILOGRAM_LAYOUT``).
"""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas

from eegdiffusion.core.recordings.bids_files import (
    entities,
    find_bids_recordings,
    find_sidecar,
    session_label,
)
from eegdiffusion.core.recordings.scalp_recording import open_scalp_recording
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.named_files import file_below
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.core.storage.text_files import read_json, read_tsv
from eegdiffusion.images.corpora import event_onsets, trial_tasks
from eegdiffusion.images.corpora.image_corpus import Block, Continuous, Corpus, read_blocks, subject_name

DESCRIBING = (("events", ".tsv"), ("events", ".json"), ("channels", ".tsv"))
"""Files of BIDS that say what a recording holds: suffix and ending."""

TEST_IMAGES = "test_images.csv"
"""THINGS-EEG1's list of the test images, for events that do not say which they are."""

KILOGRAM_LAYOUT = """
tangrams-svg/<tangram>.svg              Kilogram's drawings
stimuli.tsv                             columns tangram, split (training or test)
sub-XX/[ses-YY/]eeg/*_eeg.vhdr          BrainVision, or .set, .edf, .bdf; volts as BIDS has them
sub-XX/[ses-YY/]eeg/*_events.tsv        columns onset (seconds), duration, tangram (n/a: another event); may have sample
                                        and task (perception, imagery or a word of one's own)
sub-XX/[ses-YY/]eeg/*_channels.tsv      columns name, type, units, status; may be missing
"""


def bids_events_file(recording: Path, root: Path) -> Path:
    """Return the file ``*_events.tsv`` of a recording, which may be missing; of the raw data for a derivative."""
    place, root = _described(recording, root)
    stem = recording.stem.removesuffix("_continuous").removesuffix("_eeg")
    return find_sidecar(place, root, "events", ".tsv") or place.with_name(f"{stem}_events.tsv")


def _described(recording: Path, root: Path) -> tuple[Path, Path]:
    """Return where a recording lies, or would lie were it no derivative, as its sidecars do; and the corpus's root."""
    if recording.is_relative_to(root / "derivatives"):
        return root / subject_name(recording.name, recording) / "eeg" / recording.name, root
    return recording, root


def read_bids_events(path: Path, needed: tuple[str, ...]) -> pandas.DataFrame:
    """Read a tab-separated file of BIDS as text; ``n/a`` and empty cells become NaN.

    Args:
        path: file to read.
        needed: names of the columns that it must have.

    Returns:
        the table, a row for each event.

    Raises:
        InputError: it is missing, is no table, or lacks a column.
    """
    table = read_tsv(path, missing=("n/a", "N/A", ""))
    table.columns = [str(column).strip() for column in table]
    if missing := [name for name in needed if name not in table]:
        raise InputError(f"{path}: {', '.join(missing)}: is missing (found {', '.join(table)})")
    return table


def numbers(column: pandas.Series) -> np.ndarray:
    """Return the numbers of a column of text, (rows,) float64, with decimal points or commas; NaN for what is none."""
    text = column.astype("string").str.strip().str.replace(",", ".", regex=False)
    return pandas.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def declared_unit(recording: Path, root: Path) -> str | None:
    """Return the unit of the onsets that ``events.json`` declares for a recording; None where it declares none.

    Raises:
        InputError: the file is no JSON object, or its unit is none of time.
    """
    path = find_sidecar(*_described(recording, root), "events", ".json")
    if path is None:
        return None
    document = read_json(path)
    onset = document.get("onset") if isinstance(document, dict) else None
    unit = onset.get("Units") if isinstance(onset, dict) else None
    return None if unit in (None, "", "n/a") else event_onsets.parse_unit(str(unit), str(path))


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
    corpus = _open(root, images or root / "stimuli", "things_eeg1", partial(_things_events, root=root))
    return replace(corpus, listings=[root / TEST_IMAGES])


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
    table = table.drop_duplicates(["tangram", "split"])
    if len(twice := table.loc[table["tangram"].duplicated(), "tangram"].tolist()):
        raise InputError(f"{path}: split: must be one for each tangram (found two for {', '.join(twice[:5])})")
    split = dict(zip(table["tangram"].astype(str), table["split"], strict=True))
    return replace(_open(root, folder, "kilogram", partial(_kilogram_events, split=split)), listings=[path])


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
            **_kept_columns(table),
            "name": [stimulus.stem for stimulus in stimuli],
            "concept": [stimulus.parent.name for stimulus in stimuli],
            "partition": np.where(test, "test", "training"),
            "file": [f"{stimulus.parent.name}/{stimulus.name}" for stimulus in stimuli],
        }
    )


def _kept_columns(table: pandas.DataFrame) -> dict[str, np.ndarray]:
    """Return the numbers of ``onset`` and, where they are there, of ``sample``, and the words of ``task``."""
    columns = {name: numbers(table[name]) for name in ("onset", "sample") if name in table}
    if trial_tasks.COLUMN in table:
        columns[trial_tasks.COLUMN] = table[trial_tasks.COLUMN].str.strip().to_numpy(object)
    return columns


def _test_images(root: Path) -> set[str]:
    path = root / TEST_IMAGES
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
            **_kept_columns(table),
            "name": names,
            "concept": names,
            "partition": names.map(split),
            "file": names + ".svg",
        }
    )


@dataclass(frozen=True)
class _Files:
    """Files of a corpus.

    Attributes:
        root: folder of the corpus.
        recordings: recordings of each subject.
        events: table of the events of each recording.
        row: row of each image's file in the table of images.
    """

    root: Path
    recordings: dict[str, list[Path]]
    events: dict[Path, pandas.DataFrame]
    row: dict[str, int]

    def read(self, subject: str) -> list[Block]:
        """Read the trials of a subject, a block for each recording that can be used."""
        return read_blocks(
            self.recordings[subject],
            lambda path: read_bids_recording(path, self.root, subject, self.events[path], self.row),
            self.root,
        )


def _open(root: Path, folder: Path, layout: str, events) -> Corpus:
    recordings: dict[str, list[Path]] = {}
    tables: dict[Path, pandas.DataFrame] = {}
    paths, problems = find_bids_recordings(root)
    for path in paths:
        try:
            file = _own_events_file(path, paths, root)
            table = events(file)
            if (tasks := trial_tasks.tasks_of_events(table, path, str(file))) is not None:
                table = table.assign(**{trial_tasks.COLUMN: tasks})
            for name in table["file"].unique():
                file_below(folder, name, f"{file}: stimulus")
            tables[path] = table
        except InputError as error:
            problems.append(Problem(path.relative_to(root).as_posix(), "events", "events.tsv", str(error)))
    for path in [path for path, table in tables.items() if trial_tasks.COLUMN not in table]:
        if any(trial_tasks.COLUMN in table for table in tables.values()):
            message = f"{path.name}: task: must be said, as in other recordings, by a column or by the file's name"
            problems.append(Problem(path.relative_to(root).as_posix(), "events", "task", message))
            del tables[path]
    for path in tables:
        recordings.setdefault(subject_name(path.name, path), []).append(path)
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
    files = _Files(root, recordings, tables, {file: k for k, file in enumerate(seen["file"])})
    sources = {
        subject: [file for path in paths for file in _parts(path, root)] for subject, paths in recordings.items()
    }
    return Corpus(layout, images, sources, files.read, problems)


def _own_events_file(path: Path, paths: Sequence[Path], root: Path) -> Path:
    """Return the events of a recording, which it may inherit from a folder, but not from another recording.

    Raises:
        InputError: it has none but those of another recording.
    """
    file = bids_events_file(path, root)
    about = entities(file.name)
    if file.is_file() and about != entities(path.name):
        for other in paths:
            if other != path and other.parent == file.parent and entities(other.name) == about:
                raise InputError(f"{file}: is that of {other.name}, and {path.name} has none of its own")
    return file


def _parts(path: Path, root: Path) -> list[Path]:
    """List the files of a recording, as BrainVision and EEGLAB have several, and those that describe it."""
    place = _described(path, root)
    sidecars = [find_sidecar(*place, suffix, ending) for suffix, ending in DESCRIBING]
    siblings = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*"))
    return [file for file in [*siblings, *sidecars] if file is not None and file.is_file()]


def read_bids_recording(path: Path, root: Path, subject: str, events: pandas.DataFrame, row: dict[str, int]) -> Block:
    """Read a recording; its samples stay on disk.

    Args:
        path: file of the recording.
        root: folder of the corpus.
        subject: name of the subject, ``sub-XX``.
        events: events of the recording, with ``onset``, ``file``, and ``sample`` and ``task`` where they are known.
        row: row of each image's file in the table of images.

    Returns:
        the trials in the order of their onsets, in microvolts, with what was left out.

    Raises:
        InputError: the recording cannot be read, is no EEG in its unit, or the onsets do not fit it.
    """
    source, place = path.relative_to(root).as_posix(), _described(path, root)
    recording = open_scalp_recording(path, find_sidecar(*place, "channels", ".tsv"))
    sample = events["sample"].to_numpy() if "sample" in events else None
    located = event_onsets.locate_events(
        events["onset"].to_numpy(),
        sample,
        declared_unit(path, root),
        event_onsets.Span(recording.pieces, recording.sfreq),
        str(bids_events_file(path, root)),
    )
    image = events["file"].map(row).to_numpy(np.int64)
    usable = np.flatnonzero(np.isfinite(located.samples))
    order = usable[np.argsort(located.samples[usable], kind="stable")]
    shown = pandas.DataFrame({"sample": located.samples[order], "image": image[order]})
    if (again := shown.duplicated().to_numpy()).any():
        order = order[~again]
        doubt = f"{again.sum()} of {len(events)} rows are there twice, and count once"
        located = replace(located, doubts=[*located.doubts, ("onset", doubt)])
    problems = [Problem(source, "channels", "channels", doubt, "warning") for doubt in recording.doubts]
    problems += [Problem(source, "onsets", column, doubt, "warning") for column, doubt in located.doubts]
    return Block(
        subject=subject,
        session=session_label(path),
        source=source,
        image=image[order],
        channels=recording.channels,
        sfreq=recording.sfreq,
        trials=Continuous(
            recording.cut,
            located.samples[order].astype(np.int64),
            recording.pieces[-1].stop_sample,
            [piece.first_sample for piece in recording.pieces[1:]],
        ),
        problems=problems,
        separable=True,
        task=events[trial_tasks.COLUMN].to_numpy(str)[order] if trial_tasks.COLUMN in events else None,
    )
