"""Checks the recordings of a corpus, indexes them with their events, and splits the corpus by subject."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas

from components.ingest_events.settings import IngestEvents
from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage import splits
from eegdiffusion.core.storage.problems import Problem, table
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.events.corpora import recording_checks
from eegdiffusion.events.corpora.checked_corpus import check_corpus
from eegdiffusion.events.corpora.corpus_reader import CheckedRecording, CorpusReader
from eegdiffusion.events.corpora.event_corpus import EventCorpus
from eegdiffusion.events.corpora.layouts import open_corpus

PROBLEMS = list(Problem.__dataclass_fields__)


@dataclass(frozen=True)
class IngestedCorpus:
    """A corpus in numbers.

    Attributes:
        name: what the corpus calls itself.
        recordings, usable: number of recordings, and of those that have no error.
        split_hash: hash of the split manifest.
        events: number of events by split (rows) and class (columns).
        warnings: what must be said with every number that is measured on it.
    """

    name: str
    recordings: int
    usable: int
    split_hash: str
    events: pandas.DataFrame
    warnings: list[str]


def describe(root: Path, name: str) -> dict:
    """Return what a corpus says of itself in ``corpus.json``; one that says nothing is called by ``name``."""
    path = root / "corpus.json"
    return json.loads(path.read_text()) if path.is_file() else {"corpus": name}


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


def split_subjects(
    reader: CorpusReader,
    paths: list[Path],
    recordings: list[CheckedRecording],
    events: pandas.DataFrame,
    settings: IngestEvents,
) -> dict:
    """Return the split manifest (see :func:`.splits.manifest`).

    Args:
        reader: the corpus.
        paths: files of all recordings; splits are drawn among all subjects, as one whose recordings are unusable must
            not move the others between the splits.
        recordings: the usable ones.
        events: their events, by whose labels subjects are drawn where the corpus has no rule of its own.
        settings: fractions and seed of the draws.
    """
    places = reader.subjects(paths, recordings)
    given = {split: [place.subject for place in places if place.partition == split] for split in ("", *splits.SPLITS)}
    published = reader.name == "TUEV"
    subject_of = {recording.recording: recording.subject for recording in recordings}
    classes_of = events["label"].groupby(events["recording"].map(subject_of)).agg(set).to_dict()
    everyone = splits.divide_subjects(
        given,
        settings.test_fraction,
        settings.validation_fraction,
        settings.split_seed,
        splits.NO_CLASSES if published else classes_of,
    )
    rule = splits.RULE if published else splits.describe_rule(given)
    usable = splits.having(everyone, {recording.subject for recording in recordings})
    hashes = {recording.recording: recording.sha256 for recording in recordings}
    return splits.manifest(usable, hashes, settings.validation_fraction, settings.split_seed, rule)


def compute(
    entry: EventCorpus, settings: IngestEvents, filtering: Filtering, recipe: ChannelRecipe, out: Path, work: Path
) -> IngestedCorpus:
    """Index a corpus.

    Args:
        entry: where the corpus lies, and how.
        settings: rules by which recordings are accepted and divided.
        filtering: what preprocessing will do to the recordings, which their rates must allow.
        recipe: how the channels of the corpus's montage follow from those of its recordings.
        out: folder to write ``recordings.parquet``, ``events.parquet`` (labels 0-based), ``problems.parquet``,
            ``split.json`` and ``corpus.json`` to.
        work: folder where the list of problems is left when there are too many.

    Returns:
        the corpus in numbers.

    Raises:
        InputError: the root is not of this layout, too many recordings are unusable, or a split would be empty.
    """
    root, reader = Path(entry.root), open_corpus(entry, filtering, recipe)
    paths, unread = reader.find_recordings()
    checked = check_corpus(reader, paths, unread)
    recordings, total, bad = checked.recordings, checked.total, checked.bad
    problems = pandas.DataFrame(table(checked.problems), columns=PROBLEMS)
    refuse_too_many(root, problems, bad, total, settings.max_bad_fraction, work)

    events = reader.events(recordings)
    manifest = split_subjects(reader, paths, recordings, events, settings)
    split_of = {subject: split for split, members in manifest["subjects"].items() for subject in members}
    index = pandas.DataFrame([asdict(recording) for recording in recordings])
    index["split"] = index["subject"].map(split_of)
    classes = reader.class_names(recordings)

    out.mkdir()
    index.to_parquet(out / "recordings.parquet", index=False)
    events.to_parquet(out / "events.parquet", index=False)
    problems.to_parquet(out / "problems.parquet", index=False)
    (out / "split.json").write_text(json.dumps(manifest, indent=2))
    corpus = describe(root, reader.name) | {"layout": entry.layout, "files": total, "unusable": bad}
    corpus |= {"channels": recipe.document()}
    corpus |= {"entry": asdict(entry), "classes": classes, "window_s": reader.window_s, "warnings": reader.warnings}
    (out / "corpus.json").write_text(json.dumps(corpus, indent=2))

    counts = events.merge(index[["recording", "split"]]).groupby(["split", "label"]).size().unstack(fill_value=0)
    counts.columns = [classes[label] for label in counts.columns]
    counts = counts.reindex(splits.SPLITS)
    return IngestedCorpus(corpus["corpus"], total, total - bad, manifest["hash"], counts, reader.warnings)
