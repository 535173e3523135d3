"""Look at the corpora of events and of images for new or changed recordings.

``python -m eegdiffusion.operations.orchestration.corpus_watch --state FILE`` looks at every entry of ``event_corpora``
and ``image_corpora``, and keeps what it saw of each beside FILE, in a file that bears the entry's name. Which files
count is said by the reader of a corpus's layout: others are listed once, and lead to nothing.

Exit status 0: there are some, and they are valid. 99: nothing is new in any corpus, files are still arriving, or what
is new lies within ``--drift-limit``. 65: what is new is valid in no corpus; the table of problems is printed, and the
corpus counts as changed until it is mended. What counts is content: size and modification time only say which files
to hash again.

What was found valid stays pending until ``--confirm``, once the orchestrator has recorded the event: if it has not, the
next look announces it again. To announce twice is harmless, as DVC runs only what has changed.

How far the recordings that are new since the last confirmed event lie from those of then is measured, and kept in
MLflow.
"""

import argparse
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import EXIT_NOTHING_TO_DO, InputError
from eegdiffusion.core.runtime.printable import printable, say
from eegdiffusion.core.runtime.settings import read
from eegdiffusion.core.signal.epoching import Epoching
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.montages import Montages
from eegdiffusion.core.storage.problems import Problem, table
from eegdiffusion.events.corpora.event_corpus import EventCorpus, channel_recipe, corpus_filtering
from eegdiffusion.events.corpora.event_corpus import Ingestion as EventIngestion
from eegdiffusion.images.corpora.corpus_layouts import ImageCorpus
from eegdiffusion.images.corpora.image_ingestion import Ingestion as ImageIngestion
from eegdiffusion.operations.orchestration import corpus_drift
from eegdiffusion.operations.orchestration.corpus_state import (
    State,
    hash_content,
    list_content,
    load,
    save,
)
from eegdiffusion.operations.orchestration.watched_corpus import CheckedContent, OpenedCorpus, WatchedCorpus
from eegdiffusion.operations.orchestration.watched_events import WatchedEvents
from eegdiffusion.operations.orchestration.watched_images import WatchedImages

DRIFT_LIMIT = 0.25
"""Above it a score is marked in the table where no limit is given; the population stability index calls it large."""

LISTED = 20
"""Files that are not read are listed one by one up to so many; the others are counted."""


def _table(rows: list[dict]) -> list[str]:
    """Return the lines of a table: the names of the columns, and the rows."""
    names = list(rows[0])
    lines = [names, *([printable(row[name]) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]


def _list_unread(corpus: WatchedCorpus, names: Collection[str], problems: list[Problem]) -> None:
    """Say which new files the corpus does not read, and why as far as its reader says it."""
    if not names:
        return
    why = {problem.path: problem.message for problem in problems}
    say(f"{corpus.root}: {len(names)} new files are of no recording of the layout {corpus.layout}, and lead to nothing")
    say(*(f"  {name}{f': {why[name]}' if name in why else ''}" for name in sorted(names)[:LISTED]))
    if len(names) > LISTED:
        say(f"  and {len(names) - LISTED} more")


def _new_errors(opened: OpenedCorpus, errors: list[Problem], changed: set[str], state: State) -> set[str]:
    """Return what is unusable and new: of changed files of its own, or usable before a file that others share changed.

    Args:
        opened: the corpus.
        errors: what is wrong with it.
        changed: names of files that are new or have changed.
        state: what was seen last.
    """
    sharing = Counter(name for files in opened.files.values() for name in set(files))
    recording_of = {name: recording for recording, files in opened.files.items() for name in files}

    def is_new(path: str) -> bool:
        files = {path, *opened.files.get(recording_of.get(path, path), ())}
        own = {name for name in files if sharing[name] < 2}
        return bool(own & changed) or (path not in state.unusable and bool(files & changed))

    return {recording_of.get(problem.path, problem.path) for problem in errors if is_new(problem.path)}


def check(corpus: WatchedCorpus, opened: OpenedCorpus, changed: set[str], state: State) -> CheckedContent:
    """Validate a corpus as ingestion does.

    Args:
        corpus: the corpus.
        opened: its files.
        changed: names of files that are new or have changed.
        state: what was seen last; where nothing has been found valid yet, the share of what is unusable decides alone.

    Raises:
        InputError: too much is unusable, or something that is new or has changed is.
    """
    checked = opened.check()
    new = _new_errors(opened, checked.errors, changed, state)
    if any(share.too_large for share in checked.shares) or (new and state.valid):
        say(*_table(table(checked.errors)))
        listed = ", ".join(f"{share.bad} of {share.total} {share.what}" for share in checked.shares)
        raise InputError(f"{corpus.root}: {listed} are unusable, {len(new)} of them new")
    return checked


def drifted(name: str, checked: CheckedContent, unchanged: Collection[str], limit: float) -> bool:
    """Compare the recordings that are new with the others, print the table and keep it in MLflow.

    Args:
        name: name of the corpus's entry.
        checked: the corpus.
        unchanged: names of files that are as they were when the others were last announced.
        limit: scores above it count as drift.
    """
    known = [path for path in checked.profiles if path in unchanged]
    new = [path for path in checked.profiles if path not in unchanged]
    if not known or not new:
        return False
    scores = corpus_drift.measure(checked.profiles, known, new, limit)
    run_id = corpus_drift.log(name, scores, known, new, limit)
    rows = scores.assign(drifted=scores["drifted"].map({True: "yes", False: ""})).round(3)
    say(*_table(rows.to_dict("records")))
    say(
        f"Drift of {len(new)} new recordings from {len(known)}: run {run_id} of {corpus_drift.EXPERIMENT} in MLflow",
    )
    return bool(scores["drifted"].any())


def look(corpus: WatchedCorpus, state_path: Path, settle_seconds: float, drift_limit: float | None = None) -> int:
    """Look at a corpus once.

    Args:
        corpus: the corpus.
        state_path: where its state is kept.
        settle_seconds: a file that changed less than this ago may still be arriving.
        drift_limit: if given, new recordings are announced only if one of their scores is above it.

    Returns:
        0 or 99, the exit status.

    Raises:
        InputError: the corpus does not exist, or what is new is not valid.
    """
    root = corpus.root
    if not root.is_dir():
        raise InputError(f"params.yaml: {corpus.section}.{corpus.name}.root: {root} is not a folder")
    state = load(state_path)
    listed = list_content(root, [name for name in state.seen if Path(name).is_absolute()])
    same = listed.keys() == state.seen.keys() and all(file.unchanged(state.seen[name]) for name, file in listed.items())
    if state.settled and same:
        say(f"{root}: nothing is new among {len(listed)} files")
        return EXIT_NOTHING_TO_DO
    opened = corpus.open()
    elsewhere = [name for name in {*state.seen, *opened.read} if Path(name).is_absolute()]
    seen = hash_content(root, list_content(root, elsewhere), opened.read, state.seen)
    content = {name: file.sha256 for name, file in seen.items() if name in opened.read}
    save(state_path, replace(state, seen=seen, settled=False))
    _list_unread(corpus, seen.keys() - opened.read - state.seen.keys(), opened.unread)
    gone = {name for name in state.valid if name not in seen}
    changed = gone | {name for name in content if content[name] != state.valid.get(name)}
    if not changed:
        say(f"{root}: nothing is new among {len(seen)} files")
        save(state_path, replace(state, seen=seen, settled=True))
        return EXIT_NOTHING_TO_DO
    youngest = max((seen[name].mtime_ns for name in content), default=0) / 1e9
    if time.time() - youngest < settle_seconds:
        say(f"{root}: files are still arriving; looking again later")
        return EXIT_NOTHING_TO_DO
    if content == state.pending:
        say(f"{root}: announced before, and not confirmed; announcing it again")
        return 0
    checked = check(corpus, opened, changed, state)
    unchanged = {name for name, digest in content.items() if state.announced.get(name) == digest}
    far = drifted(corpus.name, checked, unchanged, DRIFT_LIMIT if drift_limit is None else drift_limit)
    announce = drift_limit is None or far or not state.announced
    unusable = sorted({problem.path for problem in checked.errors})
    state = replace(state, seen=seen, unusable=unusable, settled=False)
    save(
        state_path,
        replace(state, pending=content) if announce else replace(state, valid=content, pending=None, settled=True),
    )
    say(f"{root}: {len(changed)} files are new, changed or gone, and the corpus is valid")
    if not announce:
        say(f"No score is above the drift limit of {drift_limit:g} and beyond chance: nothing follows")
    return 0 if announce else EXIT_NOTHING_TO_DO


def state_of(path: Path, corpus: WatchedCorpus) -> Path:
    """Return the file of one corpus's state: ``.corpus.json`` becomes ``.corpus-tuev.json``, of images another."""
    branch = "" if corpus.section == "event_corpora" else f"_of_{corpus.section}"
    return path.with_name(f"{path.stem}{branch}-{corpus.name}{path.suffix}")


def confirm(state_path: Path) -> None:
    """Take what was announced as known."""
    state = load(state_path)
    if state.pending is not None:
        save(state_path, replace(state, valid=state.pending, announced=state.pending, pending=None))


def watched_corpora() -> Iterator[WatchedCorpus]:
    """Yield every entry of ``event_corpora`` and ``image_corpora``.

    Raises:
        InputError: a setting is not valid.
    """
    montages, common = read("montages", Montages), read("preprocess_events.filtering", Filtering)
    of_events, of_images = read("ingest_events", EventIngestion), read("ingest_images", ImageIngestion)
    for name, entry in read("event_corpora", dict[str, EventCorpus]).items():
        yield WatchedEvents(name, entry, channel_recipe(entry, montages), corpus_filtering(entry, common), of_events)
    for name, images in read("image_corpora", dict[str, ImageCorpus]).items():
        yield WatchedImages(name, images, read(f"epochs.{images.epochs}", Epoching), of_images)


def look_at_all(
    corpora: Collection[WatchedCorpus], state: Path, settle_seconds: float, drift_limit: float | None
) -> int:
    """Look at every corpus; one that is not valid keeps no other from being announced.

    A corpus that has never been there is named and left out, as ``eeg repro`` does.

    Args:
        corpora: the corpora, of names of their own.
        state: file beside which the state of each is kept.
        settle_seconds: see :func:`look`.
        drift_limit: see :func:`look`.

    Returns:
        0 or 99, the exit status.

    Raises:
        InputError: nothing is to be announced, and what is new in a corpus is not valid, or a corpus is gone.
    """
    statuses: list[int] = [EXIT_NOTHING_TO_DO]
    invalid: list[InputError] = []
    for corpus in corpora:
        path = state_of(state, corpus)
        if not corpus.root.is_dir() and not path.is_file():
            say(f"{corpus.root}: {corpus.section}.{corpus.name}: not watched, as it is not there")
            continue
        try:
            statuses.append(look(corpus, path, settle_seconds, drift_limit))
        except InputError as error:
            invalid.append(error)
    if invalid and 0 not in statuses:
        raise InputError(*(line for refusal in invalid for line in refusal.args))
    for refusal in invalid:
        say(*refusal.args, "It is announced to nobody until it is mended")
    return min(statuses)


def main() -> int | None:
    """Look at every corpus, or take what was announced as known; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m eegdiffusion.operations.orchestration.corpus_watch", description=__doc__
    )
    parser.add_argument(
        "--state", type=Path, required=True, help="file that remembers what was seen; each corpus has one beside it"
    )
    parser.add_argument("--settle-seconds", type=float, default=60.0)
    parser.add_argument("--confirm", action="store_true", help="the last announcement has been recorded")
    parser.add_argument("--drift-limit", type=float, help="exit with 0 only if new recordings drift further than this")
    options = parser.parse_args()
    corpora = list(watched_corpora())
    if options.confirm:
        for corpus in corpora:
            confirm(state_of(options.state, corpus))
        return None
    return look_at_all(corpora, options.state, options.settle_seconds, options.drift_limit)


if __name__ == "__main__":
    shell.run("corpus", main)
