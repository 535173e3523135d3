"""Look at the corpora of events for new or changed recordings.

``python -m eegdiffusion.operations.orchestration.corpus_watch --state FILE`` looks at every entry of ``event_corpora``
of the layout ``tuev``, and keeps what it saw of each beside FILE, in a file that bears the entry's name.

Exit status 0: there are some, and they are valid. 99: nothing is new in any of them, files are still arriving, or what
is new lies within ``--drift-limit``. 65: what is new is not valid; the table of problems is printed, and the corpus
counts as changed until it is mended. What counts is content: size and modification time only say which files to hash
again.

What was found valid stays pending until ``--confirm``, once the orchestrator has recorded the event: if it has not, the
next look announces it again. To announce twice is harmless, as DVC runs only what has changed.

How far the recordings that are new since the last confirmed event lie from those of then is measured, and kept in
MLflow.
"""

import argparse
import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe
from eegdiffusion.core.recordings.recording_files import list_files
from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import EXIT_NOTHING_TO_DO, InputError
from eegdiffusion.core.runtime.printable import printable, say
from eegdiffusion.core.runtime.settings import read
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.montages import Montages
from eegdiffusion.core.storage.problems import table
from eegdiffusion.events.corpora import recording_checks, tuev_files
from eegdiffusion.events.corpora.event_corpus import EventCorpus, Ingestion, channel_recipe, corpus_filtering
from eegdiffusion.events.corpora.tuev import TCP22
from eegdiffusion.operations.orchestration import corpus_drift

DRIFT_LIMIT = 0.25
"""Above it a score is marked in the table where no limit is given; the population stability index calls it large."""

WATCHED = "tuev"
"""Layout whose new recordings are looked for; corpora of others are named and left out."""


@dataclass(frozen=True)
class File:
    """A file as it was last seen."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class State:
    """What was seen last, and the hashes of valid content.

    Attributes:
        seen: every file, whatever it holds.
        valid: content that needs no look: confirmed, or valid and within the drift limit.
        announced: content of the last confirmed event.
        pending: content that was announced since and is not confirmed.
    """

    seen: dict[str, File]
    valid: dict[str, str]
    announced: dict[str, str]
    pending: dict[str, str] | None = None


def load(path: Path) -> State:
    """Read the state, which is empty at first; states of earlier versions say ``told`` for ``announced``."""
    if not path.is_file():
        return State({}, {}, {})
    document = json.loads(path.read_text())
    seen = {name: File(**entry) for name, entry in document["seen"].items()}
    announced = document.get("announced", document.get("told", document["valid"]))
    return State(seen, document["valid"], announced, document.get("pending"))


def state_of(path: Path, corpus: str) -> Path:
    """Return the file of one corpus's state: ``.corpus.json`` becomes ``.corpus-tuev.json``."""
    return path.with_name(f"{path.stem}-{corpus}{path.suffix}")


def save(path: Path, state: State) -> None:
    """Write the state, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(state)))
    partial.replace(path)


def scan(root: Path, seen: dict[str, File]) -> dict[str, File]:
    """Return every file below a folder; those whose size and time are as they were seen are not read again."""
    files = {}
    for relative in list_files(root).files:
        path, name = root / relative, relative.as_posix()
        status = path.stat()
        known = seen.get(name)
        if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
            files[name] = known
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[name] = File(status.st_size, status.st_mtime_ns, digest)
    return files


def _table(rows: list[dict]) -> list[str]:
    """Return the lines of a table: the names of the columns, and the rows."""
    names = list(rows[0])
    lines = [names, *([printable(row[name]) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]


def check(
    root: Path,
    changed: set[str],
    max_bad_fraction: float,
    filtering: Filtering,
    baseline: bool,
    recipe: ChannelRecipe = TCP22,
) -> list[Path]:
    """Validate a corpus as ingestion does, and return its usable recordings.

    Args:
        root: the corpus's edf/ folder.
        changed: files that are new or have changed.
        max_bad_fraction: the share of unusable recordings that ingestion leaves out without stopping.
        filtering: needed to tell whether a recording's rate suffices.
        baseline: nothing has been found valid yet; the share alone decides then.
        recipe: how the corpus's channels follow from those of its recordings.

    Raises:
        InputError: too many recordings are unusable, or one that is new or has changed is.
    """
    paths, unread = tuev_files.find_recordings(root)
    checked = [recording_checks.check_recording(root, path, filtering, recipe) for path in paths]
    recordings = [recording for recording, _ in checked if recording]
    problems = unread + [problem for _, problems in checked for problem in problems]
    problems += recording_checks.check_corpus(recordings)
    errors = [problem for problem in problems if problem.severity == "error"]
    bad = {problem.path for problem in errors}
    stems = {name.rpartition(".")[0] for name in changed}
    new_and_bad = {path for path in bad if path.rpartition(".")[0] in stems}
    too_many = len(bad) > max_bad_fraction * len(paths)
    if too_many or (new_and_bad and not baseline):
        say(*_table(table(errors)))
        raise InputError(f"{root}: {len(bad)} of {len(paths)} recordings are unusable, {len(new_and_bad)} of them new")
    unusable = {name.rpartition(".")[0] for name in bad}
    return [path for path in paths if path.with_suffix("").as_posix() not in unusable]


def drifted(
    root: Path, recordings: list[Path], unchanged: set[str], limit: float, recipe: ChannelRecipe = TCP22
) -> bool:
    """Compare the recordings that are new with the others, print the table and keep it in MLflow.

    Args:
        root: the corpus's edf/ folder.
        recordings: the usable ones.
        unchanged: files that are as they were when the others were last announced.
        limit: scores above it count as drift.
        recipe: how the corpus's channels follow from those of its recordings.
    """
    known = [path for path in recordings if path.as_posix() in unchanged]
    new = [path for path in recordings if path.as_posix() not in unchanged]
    if not known or not new:
        return False
    scores = corpus_drift.measure(root, known, new, limit, recipe)
    run_id = corpus_drift.log(scores, known, new, limit)
    rows = scores.assign(drifted=scores["drifted"].map({True: "yes", False: ""})).round(3)
    say(*_table(rows.to_dict("records")))
    say(
        f"Drift of {len(new)} new recordings from {len(known)}: run {run_id} of {corpus_drift.EXPERIMENT} in MLflow",
    )
    return bool(scores["drifted"].any())


def look(
    root: Path,
    state_path: Path,
    settle_seconds: float,
    drift_limit: float | None = None,
    recipe: ChannelRecipe = TCP22,
    filtering: Filtering | None = None,
) -> int:
    """Look at a corpus once.

    Args:
        root: the corpus's edf/ folder.
        state_path: where the state is kept.
        settle_seconds: a file that changed less than this ago may still be arriving.
        drift_limit: if given, new recordings are announced only if one of their scores is above it.
        recipe: how the corpus's channels follow from those of its recordings.
        filtering: how they will be filtered; None: as ``preprocess_events`` says.

    Returns:
        0 or 99, the exit status.

    Raises:
        InputError: the corpus does not exist, or what is new is not valid.
    """
    if not root.is_dir():
        raise InputError(f"params.yaml: event_corpora: root: {root} is not a folder")
    state = load(state_path)
    seen = scan(root, state.seen)
    content = {name: file.sha256 for name, file in seen.items()}
    save(state_path, replace(state, seen=seen))
    changed = {name for name in content.keys() | state.valid.keys() if content.get(name) != state.valid.get(name)}
    if not changed:
        say(f"{root}: nothing is new among {len(seen)} files")
        return EXIT_NOTHING_TO_DO
    youngest = max((file.mtime_ns for file in seen.values()), default=0) / 1e9
    if time.time() - youngest < settle_seconds:
        say(f"{root}: files are still arriving; looking again later")
        return EXIT_NOTHING_TO_DO
    if content == state.pending:
        say(f"{root}: announced before, and not confirmed; announcing it again")
        return 0
    fraction = read("ingest_events", Ingestion).max_bad_fraction
    filtering = filtering or read("preprocess_events.filtering", Filtering)
    recordings = check(root, changed, fraction, filtering, baseline=not state.valid, recipe=recipe)
    unchanged = {name for name, digest in content.items() if state.announced.get(name) == digest}
    far = drifted(root, recordings, unchanged, DRIFT_LIMIT if drift_limit is None else drift_limit, recipe)
    announce = drift_limit is None or far or not state.announced
    save(state_path, replace(state, seen=seen, pending=content) if announce else State(seen, content, state.announced))
    say(f"{root}: {len(changed)} files are new, changed or gone, and the corpus is valid")
    if not announce:
        say(f"No score is above the drift limit of {drift_limit:g} and beyond chance: nothing follows")
    return 0 if announce else EXIT_NOTHING_TO_DO


def confirm(state_path: Path) -> None:
    """Take what was announced as known."""
    state = load(state_path)
    if state.pending is not None:
        save(state_path, State(state.seen, valid=state.pending, announced=state.pending))


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
    corpora = read("event_corpora", dict[str, EventCorpus])
    montages, common = read("montages", Montages), read("preprocess_events.filtering", Filtering)
    states = {name: state_of(options.state, name) for name in corpora}
    if options.confirm:
        for state in states.values():
            confirm(state)
        return None
    statuses = []
    for name, corpus in corpora.items():
        if corpus.layout != WATCHED:
            say(f"{corpus.root}: not watched, as layout {corpus.layout} is not; `eeg repro` takes up what has changed")
            continue
        recipe = channel_recipe(corpus, montages)
        filtering = corpus_filtering(corpus, common)
        statuses.append(
            look(Path(corpus.root), states[name], options.settle_seconds, options.drift_limit, recipe, filtering)
        )
    return min(statuses, default=EXIT_NOTHING_TO_DO)


if __name__ == "__main__":
    shell.run("corpus", main)
