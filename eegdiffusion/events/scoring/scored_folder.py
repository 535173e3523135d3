"""Scores a folder of predictions against a folder of references, recording by recording."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from eegdiffusion.core.recordings.bids_files import entities
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.scoring.event_scores import Counts, EventRule, count_recording
from eegdiffusion.events.scoring.event_tables import EventTable, find_event_tables, find_predictions, read_event_table


@dataclass(frozen=True)
class ScoredFolder:
    """What of a folder was scored.

    Attributes:
        counts: class, unit, subject and counts of each recording.
        recordings: names of the recordings that were scored.
        refused: what was not, and why.
    """

    counts: list[tuple[str, str, str, Counts]]
    recordings: list[str]
    refused: list[str]


def subject_of(name: str) -> str:
    """Return the subject of a recording's name: of BIDS, its folder, or the recording by itself where it has none."""
    path = PurePosixPath(name)
    if subject := entities(path.name).get("sub"):
        return f"sub-{subject}"
    return path.parent.as_posix() if len(path.parts) > 1 else path.name


def score_folders(
    reference: Path, predictions: Path, rule: EventRule, rename: Mapping[str, str] | None = None
) -> ScoredFolder:
    """Count what of each class is found in each recording.

    Args:
        reference: folder of the reference's events.
        predictions: folder of predicted events; recordings have the same path below both folders.
        rule: when a predicted event finds one of the reference.
        rename: label -> label that stands for it, in lower case.

    Returns:
        the counts; a recording that cannot be scored is among the refused ones, and ends none of the others.

    Raises:
        InputError: a folder holds no events, or no recording can be scored.
    """
    references, predicted = find_event_tables(reference), find_predictions(predictions)
    refused = [
        f"{path}: recording: must have a reference below {reference} (found none)"
        for name, path in predicted.items()
        if name not in references
    ]
    scored: dict[str, tuple[EventTable, EventTable]] = {}
    for name, path in references.items():
        try:
            if name not in predicted:
                raise InputError(f"{path}: recording: must have predictions below {predictions} (found none)")
            scored[name] = read_pair(path, predicted[name], rename)
        except InputError as error:
            refused.append(str(error))
    if not scored:
        raise InputError("\n".join([f"{reference}: no recording can be scored", *refused]))
    labels = sorted(set().union(*(table.labels | table.classes for pair in scored.values() for table in pair)))
    counts = []
    for name, (truth, guess) in scored.items():
        for label in labels:
            true, guessed = ([span for span in table.spans if span.value == label] for table in (truth, guess))
            for unit, counted in count_recording(true, guessed, duration_of(truth, guess), rule).items():
                counts.append((label, unit, subject_of(name), counted))
    return ScoredFolder(counts, list(scored), refused)


def duration_of(truth: EventTable, guess: EventTable) -> float:
    """Return the length of a recording.

    Raises:
        InputError: neither says it, they differ by more than a second, it is shorter than one, or an event lies beyond.
    """
    said = [table.duration_s for table in (truth, guess) if table.duration_s is not None]
    if not said:
        raise InputError(
            f"{truth.path}: duration: must be known, by a column recordingDuration, an EDF or BDF file beside it, or "
            f"the .json file of eeg predict"
        )
    if max(said) - min(said) > 1:
        raise InputError(
            f"{guess.path}: duration: must be that of the reference's recording, {said[0]:g} s (found {said[1]:g} s)"
        )
    if said[0] < 1:
        raise InputError(f"{truth.path}: duration: must be 1 s or more (found {said[0]:g} s)")
    for table in (truth, guess):
        for span in table.spans:
            if span.start_s >= said[0] or (span.start_s < 0 and span.stop_s <= 0):
                raise InputError(
                    f"{table.path}: onset: must lie in the recording's {said[0]:g} s (found {span.start_s:g} s)"
                )
    return said[0]


def read_pair(reference: Path, predicted: Path, rename: Mapping[str, str] | None) -> tuple[EventTable, EventTable]:
    """Read the events of a recording, and those predicted for it.

    Raises:
        InputError: a file is none of events, or they do not go together: in labels, length or times.
    """
    truth, guess = read_event_table(reference, rename), read_event_table(predicted, rename)
    if guess.classes and (other := truth.labels - guess.classes):
        raise InputError(
            f"{reference}: labels: must be of the model's classes, {', '.join(sorted(guess.classes))} (found "
            f"{', '.join(sorted(other))}); --rename OTHER=CLASS says what stands for what"
        )
    duration_of(truth, guess)
    return truth, guess
