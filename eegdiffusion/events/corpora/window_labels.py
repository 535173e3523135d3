"""Windows of a recording and their classes, from annotations that have a beginning, an end and a value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.signal.filtering import Filtering, resampled_length
from eegdiffusion.events.corpora.event_corpus import WindowLabels


class Annotation(NamedTuple):
    """An annotation: seconds from the recording's first sample on its clock, and what it says."""

    start_s: float
    stop_s: float
    value: str


class LabelledWindow(NamedTuple):
    """A window: its first sample in the preprocessed recording, its seconds on the clock, and the name of its class."""

    start_sample: int
    start_s: float
    stop_s: float
    label: str


@dataclass(frozen=True)
class LabelledWindows:
    """The windows of a recording.

    Attributes:
        windows: in order of time.
        without: annotations of a class that no window shows.
        unknown: how often each value that is of no class occurs.
    """

    windows: list[LabelledWindow]
    without: list[Annotation]
    unknown: dict[str, int]


class _Part(NamedTuple):
    """A piece of a recording in the preprocessed one: first sample, samples, seconds on the clock."""

    first: int
    samples: int
    onset_s: float


def preprocessed_offsets(pieces: Sequence[Piece], sfreq: float, filtering: Filtering) -> list[tuple[int, int]]:
    """Return where each piece lies in the preprocessed recording: first sample and length."""
    offsets, first = [], 0
    for piece in pieces:
        length = resampled_length(piece.stop_sample - piece.first_sample, sfreq, filtering)
        offsets.append((first, length))
        first += length
    return offsets


def label_windows(
    pieces: Sequence[Piece],
    sfreq: float,
    spans: Sequence[Annotation],
    rule: WindowLabels,
    window_s: float,
    filtering: Filtering,
) -> LabelledWindows:
    """Cut windows out of a recording and label them by its annotations.

    Args:
        pieces: its continuous pieces; no window reaches beyond one.
        sfreq: its sampling rate in Hz.
        spans: its annotations.
        rule: classes, and where windows lie.
        window_s: seconds in a window.
        filtering: rate of the preprocessed recording.
    """
    class_of = {value: name for name, values in rule.classes.items() for value in values}
    named = [span._replace(value=class_of.get(span.value, "")) if class_of else span for span in spans]
    unknown: dict[str, int] = {}
    for span, known in zip(spans, named, strict=True):
        if not known.value:
            unknown[span.value] = unknown.get(span.value, 0) + 1
    labelled = sorted(span for span in named if span.value)
    offsets = preprocessed_offsets(pieces, sfreq, filtering)
    parts = [_Part(*offset, piece.onset_s) for offset, piece in zip(offsets, pieces, strict=True)]
    if rule.place == "onset":
        windows, shown = _at_onsets(parts, labelled, rule, window_s, filtering.rate_hz)
    else:
        windows, shown = _on_grid(parts, labelled, rule, window_s, filtering.rate_hz)
    return LabelledWindows(windows, [span for k, span in enumerate(labelled) if k not in shown], unknown)


def _at_onsets(
    parts: Sequence[_Part], spans: Sequence[Annotation], rule: WindowLabels, window_s: float, rate_hz: float
) -> tuple[list[LabelledWindow], set[int]]:
    windows, shown = [], set()
    length = round(window_s * rate_hz)
    for k, span in enumerate(spans):
        begin = span.start_s + rule.offset_s
        for part in parts:
            start = round((begin - part.onset_s) * rate_hz)
            if start >= 0 and start + length <= part.samples:
                windows.append(LabelledWindow(part.first + start, begin, begin + window_s, span.value))
                shown.add(k)
                break
    return windows, shown


def _on_grid(
    parts: Sequence[_Part], spans: Sequence[Annotation], rule: WindowLabels, window_s: float, rate_hz: float
) -> tuple[list[LabelledWindow], set[int]]:
    windows, shown = [], set()
    stride_s = rule.stride_s or window_s
    for part in parts:
        for start, begin in _grid(part, stride_s, window_s, rate_hz):
            best = max(
                (
                    (overlap, -k)
                    for k, span in enumerate(spans)
                    if (overlap := _overlap(span, begin, window_s, rule)) >= 0
                ),
                default=None,
            )
            if best is not None:
                shown.add(-best[1])
            label = rule.background if best is None else spans[-best[1]].value
            if label is not None:
                windows.append(LabelledWindow(part.first + start, begin, begin + window_s, label))
    return windows, shown


def _grid(part: _Part, stride_s: float, window_s: float, rate_hz: float) -> Iterator[tuple[int, float]]:
    """Yield first sample within a piece, and second on the clock, of windows one after another."""
    number, length = 0, round(window_s * rate_hz)
    while (start := round(number * stride_s * rate_hz)) + length <= part.samples:
        yield start, part.onset_s + number * stride_s
        number += 1


def _overlap(span: Annotation, begin: float, window_s: float, rule: WindowLabels) -> float:
    """Return the seconds that an annotation and a window share; -1 where they are too few for the window's label."""
    shared = min(span.stop_s, begin + window_s) - max(span.start_s, begin)
    if span.stop_s <= span.start_s:  # a moment
        return 0.0 if begin <= span.start_s < begin + window_s else -1.0
    return shared if shared > 0 and shared >= rule.least_overlap * min(window_s, span.stop_s - span.start_s) else -1.0
