"""Writes cases of CHB-MIT: recordings, their ``.edf.seizures``, and summaries in the corpus's variants."""

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

from eegdiffusion.surrogate.chbmit.cases import SFREQ, CaseRecording
from eegdiffusion.surrogate.chbmit.seizures import Seizure
from eegdiffusion.surrogate.tuev.corpus_tree import write_signals

NUMBERED = ("chb09", "chb12", "chb24")
"""Cases whose summaries number the seizures of every recording; the others do where there are several."""

_NOTE, _SKIP, _TEXT, _ONSET, _END = 22, 59, 63, 32, 33
_DAY_S = 86_400


def write_cases(recordings: Iterable[CaseRecording], root: Path) -> list[Path]:
    """Write recordings, their summaries, ``RECORDS`` and ``RECORDS-WITH-SEIZURES``.

    Args:
        recordings: the recordings, those of a case one after another.
        root: folder of the corpus, which is made.

    Returns:
        the recordings' files, relative to the folder.
    """
    of_case: dict[str, list[CaseRecording]] = {}
    files, with_seizures = [], []
    for recording in recordings:
        path = root / recording.case / recording.name
        path.parent.mkdir(parents=True, exist_ok=True)
        clock_s = (recording.clock_s or 0) % _DAY_S
        clock = datetime.time(clock_s // 3600, clock_s // 60 % 60, clock_s % 60)
        write_signals(path, recording.channels, recording.signals, SFREQ, recording.case, clock)
        files.append(path.relative_to(root))
        if recording.seizures:
            bounds = [second * SFREQ for seizure in recording.seizures for second in seizure]
            path.with_name(f"{path.name}.seizures").write_bytes(seizure_file(bounds, SFREQ))
            with_seizures.append(files[-1])
        described = of_case.setdefault(recording.case, [])
        described.append(recording)
    for case, members in of_case.items():
        (root / case / f"{case}-summary.txt").write_text(summary(members))
    for name, listed in (("RECORDS", files), ("RECORDS-WITH-SEIZURES", with_seizures)):
        (root / name).write_text("".join(f"{path.as_posix()}\n" for path in listed))
    return files


def summary(recordings: Sequence[CaseRecording]) -> str:
    """Return the text of a case's summary; a section of channels begins wherever they change."""
    lines = [f"Data Sampling Rate: {SFREQ} Hz", "*" * 25, ""]
    channels: list[str] | None = None
    for recording in recordings:
        if recording.channels != channels:
            lines += ["Channels in EDF Files:" if channels is None else "Channels changed:", "*" * 22]
            channels = recording.channels
            lines += [f"Channel {number}: {label}" for number, label in enumerate(channels, 1)] + [""]
        lines += [f"File Name: {recording.name}"]
        if recording.clock_s is not None:
            stop_s = recording.clock_s + recording.signals.shape[1] // SFREQ
            lines += [f"File Start Time: {_clock(recording.clock_s)}", f"File End Time: {_clock(stop_s)}"]
        lines += [f"Number of Seizures in File: {len(recording.seizures)}"]
        lines += [*_seizure_lines(recording.case, recording.seizures), ""]
    return "\n".join(lines)


def _clock(seconds: int) -> str:
    """Return a time whose hours go on after midnight, as in CHB-MIT."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _seizure_lines(case: str, seizures: Sequence[Seizure]) -> list[str]:
    numbered = len(seizures) > 1 or case in NUMBERED
    space = "  " if numbered else " "
    lines = []
    for number, (start_s, stop_s) in enumerate(seizures, 1):
        name = f"Seizure {number}" if numbered else "Seizure"
        lines += [f"{name} Start Time:{space}{start_s} seconds", f"{name} End Time:{space}{stop_s} seconds"]
    return lines


def seizure_file(bounds: Sequence[int], rate_hz: int) -> bytes:
    """Return the annotation file of PhysioNet that has onsets and ends of seizures in turn.

    Words of 16 bits hold a type in the upper 6 and an interval in the lower 10; a skip is followed by its interval.

    Args:
        bounds: samples of the onsets and ends.
        rate_hz: sampling rate, which a note says.
    """
    note = f"## time resolution: {rate_hz}".encode()
    words = [_NOTE << 10, _TEXT << 10 | len(note)]
    content = b"".join(word.to_bytes(2, "little") for word in words) + note + b"\0" * (len(note) % 2)
    before = 0
    for number, sample in enumerate(bounds):
        high, low = divmod(sample - before, 1 << 16)
        words = [_SKIP << 10, high, low, (_END if number % 2 else _ONSET) << 10]
        content += b"".join(word.to_bytes(2, "little") for word in words)
        before = sample
    return content + b"\0\0"
