"""Validate and index a corpus of EEG events: ``python -m components.ingest_events --corpus tuev``."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pandas
from tqdm import tqdm

from components.ingest_events.settings import IngestEvents
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage import splits
from eegdiffusion.core.storage.problems import Problem, table
from eegdiffusion.events.corpora import recording_checks, tuev
from eegdiffusion.events.corpora.event_corpus import EventCorpus
from eegdiffusion.events.corpora.recording_checks import Recording

PROBLEMS = list(Problem.__dataclass_fields__)


def _check_environment(root: Path) -> None:
    """Refuse a ``TUEV_ROOT`` that contradicts the settings, which alone tell DVC what the results depend on."""
    wanted = os.environ.get("TUEV_ROOT")
    if wanted and Path(wanted).resolve() != root.resolve():
        raise InputError(
            f"TUEV_ROOT: is {wanted}, but params.yaml says event_corpora.tuev.root: {root}; run `make repro`, or "
            f"`eeg params set event_corpora.tuev.root={wanted}`"
        )


def _corpus(root: Path) -> dict:
    """Return what a corpus says of itself; one that says nothing is TUEV."""
    path = root / "corpus.json"
    return json.loads(path.read_text()) if path.is_file() else {"corpus": "TUEV"}


def _check_all(root: Path, paths: list[Path], filtering: Filtering) -> tuple[list[Recording], pandas.DataFrame]:
    """Check every recording: the usable ones, and all findings."""
    check = partial(recording_checks.check_recording, root, filtering=filtering)
    with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:
        found = list(tqdm(pool.map(check, paths), total=len(paths), desc="checking", unit="recording"))
    recordings = [recording for recording, _ in found if recording]
    problems = [problem for _, findings in found for problem in findings]
    problems += (across := recording_checks.check_corpus(recordings))
    bad = {problem.path for problem in across}
    return (
        [recording for recording in recordings if recording.path not in bad],
        pandas.DataFrame(table(problems), columns=PROBLEMS),
    )


@stage("ingest_events")
def main(run: Stage) -> None:
    settings, filtering = run.settings(IngestEvents), run.settings(Filtering, "preprocess_events.filtering")
    name = run.item["corpus"]
    layout = run.settings(EventCorpus, f"event_corpora.{name}").layout
    root, out = run.input("corpus"), run.output("index")
    if name == "tuev":
        _check_environment(root)
    paths = recording_checks.find_recordings(root)
    recordings, problems = _check_all(root, paths, filtering)
    bad = len(paths) - len(recordings)
    errors = problems[problems["severity"] == "error"]
    if len(errors):
        print(errors.drop(columns="severity").to_string(index=False, max_colwidth=100))
    for check, count in problems[problems["severity"] == "warning"].groupby("check").size().items():
        print(f"{count} warnings of the check {check!r}, listed in problems.parquet")
    if bad > settings.max_bad_fraction * len(paths):
        path = run.shared_work / "problems.csv"
        problems.to_csv(path, index=False)
        raise InputError(
            f"{root}: {bad} of {len(paths)} recordings are unusable, more than ingest_events.max_bad_fraction "
            f"{settings.max_bad_fraction:g} allows; {path} lists why"
        )

    # Drawn among all subjects: one whose recordings are unusable must not move the others between the splits.
    subjects = [recording_checks.subject_of(path) for path in paths]
    train, test = ([subject for part, subject in subjects if part == wanted] for wanted in ("train", "eval"))
    drawn = splits.split_subjects(train, test, settings.validation_fraction, settings.split_seed)
    divided = splits.having(drawn, {recording.subject for recording in recordings})
    hashes = {recording.recording: recording.sha256 for recording in recordings}
    manifest = splits.manifest(divided, hashes, settings.validation_fraction, settings.split_seed)
    of_subject = {subject: name for name, members in divided.items() for subject in members}
    index = pandas.DataFrame([recording.__dict__ for recording in recordings])
    index["split"] = index["subject"].map(of_subject)
    events = pandas.DataFrame(
        [
            {"recording": recording.recording, "row": row, **event.__dict__}
            for recording in recordings
            for row, event in enumerate(tuev.read_rec((root / recording.path).with_suffix(".rec")))
        ]
    ).astype({"channel": "int8", "label": "int8"})

    out.mkdir()
    index.to_parquet(out / "recordings.parquet", index=False)
    events.to_parquet(out / "events.parquet", index=False)
    problems.to_parquet(out / "problems.parquet", index=False)
    (out / "split.json").write_text(json.dumps(manifest, indent=2))
    corpus = _corpus(root) | {"layout": layout, "files": len(paths), "unusable": bad}
    (out / "corpus.json").write_text(json.dumps(corpus, indent=2))

    counts = events.merge(index[["recording", "split"]]).groupby(["split", "label"]).size().unstack(fill_value=0)
    counts.columns = [tuev.CLASSES[label - 1] for label in counts.columns]
    print(f"{corpus['corpus']}: {len(recordings)} of {len(paths)} recordings, {len(events)} events")
    print(f"split {manifest['hash'][:12]}")
    print(counts.reindex(splits.SPLITS).to_string())


if __name__ == "__main__":
    main()
