"""What may be wrong with a recording of TUEV, found without reading all of it."""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from eegdiffusion.core.recordings import amplitude, continuity, edf_checks, edf_header, edf_samples
from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe
from eegdiffusion.core.recordings.patient_identity import patient_identity
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.filtering import Filtering, resampled_length
from eegdiffusion.core.signal.montage import ELECTRODES
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.corpora.corpus_reader import CheckedRecording
from eegdiffusion.events.corpora.tuev_files import place_problem, subject_of

RATE_HZ = 250.0
"""Sampling rate of TUEV; others are resampled alike, and reported."""

FLAT_UV = 0.01
"""A channel that varies less is flat."""

LEFT_OUT = "events left out"
"""Name of the check whose findings are rows of a recording that is used without them."""

_SUBJECT = re.compile(r"[a-z]{8}|\d{8}")


_CHECK_OF = {
    "number of records": "truncated",
    "file size": "truncated",
    "reserved": "gaps",
    "time stamps": "gaps",
    "sampling rate": "rate",
    "physical dimension": "unit",
    "physical, digital range": "range",
}
"""Name of the check that finds an error, by the field that the error names."""


def _findings(
    check: Callable[..., None], header: edf_header.Header, *arguments: object
) -> list[tuple[str, str, str, str]]:
    """Return the error that a check raises as a finding: (check, field, message, severity); else nothing."""
    try:
        check(header, *arguments)
    except InputError as error:
        field, _, message = str(error).removeprefix(f"{header.path}: ").partition(": ")
        return [(_CHECK_OF[field], field, message, "error")]
    return []


def check_header(header: edf_header.Header, recipe: ChannelRecipe = tuev.TCP22) -> Iterable[tuple[str, str, str, str]]:
    """Check channels, rates, units and length: (check, field, message, severity) of each finding.

    Args:
        header: header of the EDF file.
        recipe: how the corpus's channels follow from those of the recording.
    """
    extent = _findings(edf_checks.check_extent, header)
    yield from extent or _findings(continuity.require_continuous, header)
    try:
        channels = tuev.derived_channels(header, recipe)
    except InputError as error:
        yield "electrodes", "channels", str(error).partition("channels: ")[2], "error"
        return
    yield from _findings(edf_checks.check_signals, header, channels.rows)
    rate = header.rates[channels.rows[0]]
    if rate != RATE_HZ:
        yield "rate", "sampling rate", f"is {RATE_HZ:g} Hz in TUEV (found {rate:g})", "warning"
    for field in patient_identity(header.patient).named_fields:
        rule = f"has the patient's {field}; `eeg deidentify` writes recordings without"
        yield "identity", "patient identification", rule, "warning"
    names = [tuev.electrode(label) or label for label in header.labels]
    used = {header.labels[k] for k in channels.rows} | {*channels.recorded, *ELECTRODES, "FZ", "PZ", "T1", "T2"}
    extra = sorted(set(names) - used)
    if extra:
        yield "channels", "channels", f"not used: {', '.join(extra)}", "warning"
    twice = sorted({name for name in names if names.count(name) > 1} - used)
    if twice:
        yield "channels", "channels", f"there more than once, and not used: {', '.join(twice)}", "warning"


def check_rate(rate: float, high_hz: float) -> Iterable[tuple[str, str, str, str]]:
    """Check that the sampling rate allows the band-pass."""
    if rate <= 2 * high_hz:
        yield "rate", "sampling rate", f"must exceed {2 * high_hz:g} Hz for the band-pass (found {rate:g})", "error"


MOST_LISTED = 100
"""Malformed rows of a file that are listed one by one; the others are counted."""


def _left_out(rec: tuev.RecRows, duration_s: float, samples: int, rate_hz: float) -> Iterable[tuple[str, str, int]]:
    """Yield field, message and row of each row without a window; -1 for one that cannot be read."""
    for number, (line, message) in enumerate(rec.unreadable.items()):
        if number == MOST_LISTED:
            yield "rows", f"{len(rec.unreadable) - MOST_LISTED} more rows are malformed", -1
            break
        yield "rows", f"line {line}: {message}", -1
    for row, line, event in rec.rows:
        times = f"{event.start_s:.10g} to {event.stop_s:.10g} s"
        if event.stop_s > duration_s + tuev.TOLERANCE_SAMPLES / rate_hz:
            rule = f"must lie within the recording of {duration_s:g} s"
            yield "stop", f"line {line}: {rule} (found {times})", row
        elif tuev.window_start(event, samples, rate_hz) is None:
            rule = f"an event must last one second, to {tuev.TOLERANCE_SAMPLES} samples at {rate_hz:g} Hz"
            yield "start, stop", f"line {line}: {rule} (found {times})", row


def usable_events(
    rec: tuev.RecRows, duration_s: float, samples: int, rate_hz: float
) -> tuple[dict[int, tuev.Event], list[tuple[str, str, str, str]]]:
    """Choose the events that have a window, and say which rows have none.

    Args:
        rec: rows of the recording's file.
        duration_s: length of the recording in seconds.
        samples: its length in samples once it is resampled: an event that has no window then is left out.
        rate_hz: its sampling rate then.

    Returns:
        the usable events by the number of their row; check, field, message and severity of each finding. A row that is
        left out is a warning where others are usable, else an error.
    """
    left_out = list(_left_out(rec, duration_s, samples, rate_hz))
    dropped = {row for _, _, row in left_out}
    events = {row: event for row, _, event in rec.rows if row not in dropped}
    check, severity = (LEFT_OUT, "warning") if events else ("events", "error")
    findings = [(check, field, message, severity) for field, message, _ in left_out]
    if rec.milliseconds:
        message = "are in milliseconds, as most events last 1000 of their unit; they became seconds"
        findings.append(("events", "start, stop", message, "warning"))
    return events, findings + list(_check_labels(events.values()))


def read_usable_events(rec: Path, recording: CheckedRecording, filtering: Filtering) -> dict[int, tuev.Event]:
    """Read the events of a checked recording that have a window, by the number of their row.

    Args:
        rec: its ``.rec`` file.
        recording: the recording.
        filtering: what preprocessing will do to it.
    """
    samples = resampled_length(recording.n_samples, recording.sfreq, filtering)
    return usable_events(tuev.read_rec_rows(rec), recording.duration_s, samples, filtering.rate_hz)[0]


def _check_labels(events: Iterable[tuev.Event]) -> Iterable[tuple[str, str, str, str]]:
    """Warn of windows of a channel that have several labels."""
    labels: dict[tuple, set[int]] = {}
    for event in events:
        labels.setdefault((event.channel, event.start_s, event.stop_s), set()).add(event.label)
    for (channel, start_s, stop_s), several in labels.items():
        if len(several) > 1:
            window = f"channel {channel}, {start_s:g} to {stop_s:g} s"
            numbers = tuev.codes(np.array(sorted(several))).tolist()
            yield "events", "label", f"{window}: labels {numbers}; pretraining takes the last", "warning"


def check_amplitude(
    segments: np.ndarray, electrodes: Sequence[str] = tuple(ELECTRODES)
) -> Iterable[tuple[str, str, str, str]]:
    """Check the amplitude of (segments, electrodes, samples) in microvolts.

    As a whole it must be that of EEG, and of each electrode near the others'; one that is flat was off, and is kept.
    """
    flat = [name for name, value in zip(electrodes, segments.std(axis=-1).max(0), strict=True) if value < FLAT_UV]
    outliers = {name: ratio for name, ratio in amplitude.other_scale(segments, electrodes).items() if name not in flat}
    if fault := amplitude.amplitude_fault(segments):
        yield "amplitude", "unit", fault, "error"
    elif outliers:
        listed = ", ".join(f"{name} {ratio:.3g} times their median" for name, ratio in outliers.items())
        rule = f"every electrode must be of the others' scale, within {amplitude.SCALES:g} times"
        yield "amplitude", "unit", f"{rule} (found {listed})", "error"
    elif flat:
        yield "amplitude", "signal", f"flat: {', '.join(flat)}", "warning"


def sample_segments(header: edf_header.Header, signals: Sequence[int]) -> np.ndarray:
    """Read segments of some signals spread over a recording: (segments, signals, samples) in microvolts."""
    length = min(header.records, max(1, round(amplitude.SEGMENT_S / header.record_s)))
    firsts = np.unique(np.linspace(0, header.records - length, amplitude.SEGMENTS).astype(int))
    return np.stack([edf_samples.read_records(header, int(first), length, signals) * 1e6 for first in firsts])


def _hashes(path: Path, header_bytes: int) -> tuple[str, str]:
    """Return the SHA-256 of a file and of what follows its header."""
    file_hash, data_hash = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        file_hash.update(file.read(header_bytes))
        while block := file.read(1 << 20):
            file_hash.update(block)
            data_hash.update(block)
    return file_hash.hexdigest(), data_hash.hexdigest()


def check_recording(
    root: Path, path: Path, filtering: Filtering, recipe: ChannelRecipe = tuev.TCP22
) -> tuple[CheckedRecording | None, list[Problem]]:
    """Check one recording by itself.

    Args:
        root: the corpus.
        path: path of the EDF file, relative to the root.
        filtering: what preprocessing will do to it.
        recipe: how the corpus's channels follow from those of the recording.

    Returns:
        the recording, or None where it has an error; all findings.
    """
    if misplaced := place_problem(path):
        return None, [misplaced]
    return _check_files(root, path, filtering, recipe)


def _check_files(
    root: Path, path: Path, filtering: Filtering, recipe: ChannelRecipe
) -> tuple[CheckedRecording | None, list[Problem]]:
    problems: list[Problem] = []

    def note(findings: Iterable[tuple[str, str, str, str]], file: Path = path) -> None:
        problems.extend(Problem(file.as_posix(), *finding) for finding in findings)

    def failed() -> bool:
        return any(problem.severity == "error" for problem in problems)

    rec = tuev.rec_file(root / path).relative_to(root)
    header, rec_rows, events = None, None, None
    try:
        header = edf_header.read_header(root / path)
        note(check_header(header, recipe))
    except InputError as error:
        note([("header", "header", str(error).partition(": ")[2], "error")])
    except OSError as error:
        note([("header", "file", f"cannot be read ({error.strerror})", "error")])
    usable = not failed()
    try:
        rec_rows = tuev.read_rec_rows(root / rec)
    except InputError as error:
        note([("events", "rows", str(error).removeprefix(str(root / rec)).lstrip(":, "), "error")], rec)
    except OSError as error:
        note([("events", "file", f"cannot be read ({error.strerror})", "error")], rec)
    if header is not None and usable:
        channels = tuev.derived_channels(header, recipe)
        rate = header.rates[channels.rows[0]]
        samples = round(header.duration_s * rate)
        note(check_rate(rate, filtering.high_hz))
        note(check_amplitude(sample_segments(header, channels.rows), channels.recorded))
        if rec_rows is not None:
            resampled = resampled_length(samples, rate, filtering)
            events, findings = usable_events(rec_rows, header.duration_s, resampled, filtering.rate_hz)
            note(findings, rec)
    if header is None or not events or failed():
        return None, problems
    partition, subject = subject_of(path)
    code = header.patient.split(" ")[0]
    sha256, data_sha256 = _hashes(root / path, header.size)
    recording = CheckedRecording(
        path.with_suffix("").as_posix(),
        path.as_posix(),
        subject,
        code if _SUBJECT.fullmatch(code) else None,
        partition,
        sha256,
        data_sha256,
        rate,
        samples,
        header.duration_s,
        len(header.labels),
        len(events),
    )
    return recording, problems


def check_corpus(recordings: list[CheckedRecording]) -> list[Problem]:
    """Check recordings against each other: one name or the same data twice, a subject in both partitions or folders."""
    problems: list[Problem] = []
    first: dict[str, str] = {}
    named: dict[str, str] = {}
    for recording in recordings:
        other = named.setdefault(recording.recording, recording.path)
        if other != recording.path:
            problems.append(Problem(recording.path, "duplicate", "name", f"is that of {other} but for its ending"))
            continue
        same = first.setdefault(recording.data_sha256, recording.path)
        if same != recording.path:
            problems.append(Problem(recording.path, "duplicate", "samples", f"are those of {same}"))
    problems += _several_folders([recording for recording in recordings if recording.partition == "train"])
    trained = {key for r in recordings if r.partition == "train" for key in (r.subject, r.code) if key}
    for recording in recordings:
        keys = {key for key in (recording.code, recording.subject.removeprefix("eval/")) if key}
        if recording.partition == "eval" and (shared := keys & trained):
            message = f"{', '.join(shared)} must not stand in train/ and eval/"
            problems.append(Problem(recording.path, "leakage", "subject", message))
    return problems


def _several_folders(recordings: list[CheckedRecording]) -> list[Problem]:
    """Find subjects whose recordings lie in several folders, between which the validation split would divide them.

    Args:
        recordings: those of the partition that is divided, by path.
    """
    folder_of: dict[str, str] = {}
    problems = []
    for recording in recordings:
        keys = {recording.subject.casefold(), *([recording.code] if recording.code else [])}
        folder = next((folder_of[key] for key in sorted(keys) if key in folder_of), recording.subject)
        for key in keys:
            folder_of.setdefault(key, folder)
        if folder != recording.subject:
            message = f"{recording.code or recording.subject} is the subject of {recording.partition}/{folder}/ too"
            rule = "recordings of a subject must lie in one folder, as splits are by subject"
            problems.append(Problem(recording.path, "leakage", "subject", f"{message}; {rule}"))
    return problems
