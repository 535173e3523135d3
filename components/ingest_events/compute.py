"""Checks the recordings of a corpus, indexes them with their events, and splits the corpus by subject."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pandas

from components.ingest_events.settings import IngestEvents
from eegdiffusion.core.runtime.allotment import available_cores
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage import splits
from eegdiffusion.core.storage.problems import Problem, table
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.events.corpora import recording_checks, tuev, tuev_files
from eegdiffusion.events.corpora.event_corpus import Layout
from eegdiffusion.events.corpora.recording_checks import CheckedRecording

PROBLEMS = list(Problem.__dataclass_fields__)


@dataclass(frozen=True)
class IngestedCorpus:
    """A corpus in numbers.

    Attributes:
        name: what the corpus calls itself.
        recordings, usable: number of recordings, and of those that have no error.
        split_hash: hash of the split manifest.
        events: number of events by split (rows) and class (columns).
    """

    name: str
    recordings: int
    usable: int
    split_hash: str
    events: pandas.DataFrame


def describe(root: Path) -> dict:
    """Return what a corpus says of itself in ``corpus.json``; one that says nothing is TUEV."""
    path = root / "corpus.json"
    return json.loads(path.read_text()) if path.is_file() else {"corpus": "TUEV"}


def check_recordings(
    root: Path, paths: list[Path], filtering: Filtering
) -> tuple[list[CheckedRecording], pandas.DataFrame]:
    """Check every recording by itself, and those without an error against each other.

    Args:
        root: the corpus.
        paths: EDF files, relative to the root.
        filtering: what preprocessing will do to the recordings.

    Returns:
        the usable recordings; a row for each problem, with the fields of :class:`.problems.Problem`.
    """
    check = partial(recording_checks.check_recording, root, filtering=filtering)
    with ThreadPoolExecutor(min(8, 2 * available_cores())) as pool:
        checked = list(progress(pool.map(check, paths), total=len(paths), desc="checking", unit="recording"))
    recordings = [recording for recording, _ in checked if recording]
    across = recording_checks.check_corpus(recordings)
    problems = [problem for _, problems_of in checked for problem in problems_of] + across
    unusable = {problem.path for problem in across}
    usable = [recording for recording in recordings if recording.path not in unusable]
    return usable, pandas.DataFrame(table(problems), columns=PROBLEMS)


def refuse_too_many(root: Path, problems: pandas.DataFrame, bad: int, total: int, limit: float, work: Path) -> None:
    """Print the problems, and refuse a corpus of which too much is unusable.

    Args:
        root: the corpus.
        problems: a row for each problem.
        bad: number of unusable recordings.
        total: number of all recordings.
        limit: largest share of unusable recordings, 0 to 1.
        work: folder where the list of problems is left.

    Raises:
        InputError: the share exceeds the limit.
    """
    errors = problems[problems["severity"] == "error"]
    if len(errors):
        say(*errors.drop(columns="severity").to_string(index=False, max_colwidth=100).split("\n"))
    left_out = problems["check"] == recording_checks.LEFT_OUT
    for row in problems[left_out].itertuples():
        say(f"left out: {row.path}: {row.message}")
    for check, count in problems[(problems["severity"] == "warning") & ~left_out].groupby("check").size().items():
        say(f"{count} warnings of the check {check!r}, listed in problems.parquet")
    if bad > limit * total:
        path = work / "problems.csv"
        write_table(path, problems)
        raise InputError(
            f"{root}: {bad} of {total} recordings are unusable, more than ingest_events.max_bad_fraction "
            f"{limit:g} allows; {path} lists why"
        )


def split_subjects(paths: list[Path], recordings: list[CheckedRecording], settings: IngestEvents) -> dict:
    """Return the split manifest (see :func:`.splits.manifest`).

    Args:
        paths: paths of all recordings; the validation split is drawn among all subjects, as one whose recordings are
            unusable must not move the others between the splits.
        recordings: the usable ones.
        settings: fraction and seed of the draw.
    """
    subjects = [tuev_files.subject_of(path) for path in paths]
    train, test = ([subject for part, subject in subjects if part == name] for name in ("train", "eval"))
    everyone = splits.split_subjects(train, test, settings.validation_fraction, settings.split_seed)
    usable = splits.having(everyone, {recording.subject for recording in recordings})
    hashes = {recording.recording: recording.sha256 for recording in recordings}
    return splits.manifest(usable, hashes, settings.validation_fraction, settings.split_seed)


def compute(
    root: Path, layout: Layout, settings: IngestEvents, filtering: Filtering, out: Path, work: Path
) -> IngestedCorpus:
    """Index a corpus.

    Args:
        root: the corpus.
        layout: layout of its files.
        settings: rules by which recordings are accepted and divided.
        filtering: what preprocessing will do to the recordings, which their rates must allow.
        out: folder to write ``recordings.parquet``, ``events.parquet`` (labels 0-based), ``problems.parquet``,
            ``split.json`` and ``corpus.json`` to.
        work: folder where the list of problems is left when there are too many.

    Returns:
        the corpus in numbers.

    Raises:
        InputError: the root is not of this layout, too many recordings are unusable, or a split would be empty.
    """
    paths, unread = tuev_files.find_recordings(root)
    recordings, problems = check_recordings(root, paths, filtering)
    problems = pandas.concat([pandas.DataFrame(table(unread), columns=PROBLEMS), problems], ignore_index=True)
    total = len(paths) + sum(problem.severity == "error" for problem in unread)
    bad = total - len(recordings)
    refuse_too_many(root, problems, bad, total, settings.max_bad_fraction, work)

    manifest = split_subjects(paths, recordings, settings)
    split_of = {subject: split for split, members in manifest["subjects"].items() for subject in members}
    index = pandas.DataFrame([asdict(recording) for recording in recordings])
    index["split"] = index["subject"].map(split_of)
    events = pandas.DataFrame(
        [
            {"recording": recording.recording, "row": row, **asdict(event)}
            for recording in recordings
            for row, event in recording_checks.read_usable_events(
                tuev.rec_file(root / recording.path), recording, filtering
            ).items()
        ]
    ).astype({"channel": "int8", "label": "int8"})

    out.mkdir()
    index.to_parquet(out / "recordings.parquet", index=False)
    events.to_parquet(out / "events.parquet", index=False)
    problems.to_parquet(out / "problems.parquet", index=False)
    (out / "split.json").write_text(json.dumps(manifest, indent=2))
    corpus = describe(root) | {"layout": layout, "files": total, "unusable": bad}
    (out / "corpus.json").write_text(json.dumps(corpus, indent=2))

    counts = events.merge(index[["recording", "split"]]).groupby(["split", "label"]).size().unstack(fill_value=0)
    counts.columns = [tuev.CLASSES[label] for label in counts.columns]
    return IngestedCorpus(corpus["corpus"], total, len(recordings), manifest["hash"], counts.reindex(splits.SPLITS))
