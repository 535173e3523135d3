"""A figure of a recording with its detections."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.style import COLOURS, REAL
from eegdiffusion.events.figures.eeg_figures import scale_bar, stack
from eegdiffusion.events.prediction.event_list import UNSURE, UNUSABLE

EXCERPT_S = 10
MOST_EXCERPTS = 3

MOST_PARTS, PART_S = 20, 30
"""The scale of a long recording is that of so many parts of so many seconds, spread over it."""

LABEL_S, LABEL_ROWS = 2, 3
"""Seconds that a label takes, and rows of them, so that labels of events a second long do not lie on each other."""


def _excerpts(events: pandas.DataFrame, duration_s: float) -> list[tuple[float, float]]:
    """Return starts and ends of the excerpts: around the most probable events of some labels, or else the beginning.

    An event that would give an excerpt that overlaps another is left out.
    """
    length = min(EXCERPT_S, duration_s)
    kept = events[events["label"] != UNUSABLE].sort_values("probability", ascending=False).drop_duplicates("label")
    starts: list[float] = []
    for event in kept.itertuples():
        centre = event.onset + min(event.duration, EXCERPT_S) / 2
        start = min(max(centre - length / 2, 0), duration_s - length)
        if len(starts) < MOST_EXCERPTS and all(abs(start - other) >= length for other in starts):
            starts.append(start)
    return [(start, start + length) for start in sorted(starts) or [0]]


def _spacing(read: Callable[[float, float], np.ndarray], duration_s: float) -> float:
    """Return the distance of traces in which 99.5 % of the signals stay, by parts of a long recording."""
    parts = max(1, min(MOST_PARTS, int(duration_s // PART_S)))
    length = duration_s / parts if duration_s <= MOST_PARTS * PART_S else PART_S
    starts = np.linspace(0, duration_s - length, parts)
    values = np.concatenate([np.abs(read(start, start + length)).ravel() for start in starts])
    values = values[np.isfinite(values)]
    return 2 * float(np.quantile(values, 0.995)) or 1.0


def draw_prediction(
    read: Callable[[float, float], np.ndarray],
    duration_s: float,
    channels: Sequence[str],
    rate_hz: float,
    windows: Sequence[tuple[float, np.ndarray]],
    classes: Sequence[str],
    events: pandas.DataFrame,
    title: str,
) -> Figure:
    """Draw the classes' probabilities over the whole recording, and excerpts of it with their events shaded.

    Args:
        read: (start, end) in seconds on the clock -> (channels, samples) in uV; NaN where nothing was recorded.
        duration_s: seconds from the recording's first sample to its last on the clock.
        channels: names.
        rate_hz: sampling rate.
        windows: of each piece of the recording the time of its first row, and the (seconds, classes) probabilities; NaN
            where there is no prediction.
        classes: names.
        events: ``onset``, ``duration``, ``label``, ``probability``, ``focus``.
        title: title of the figure.
    """
    excerpts = _excerpts(events, duration_s)
    colours = dict(zip(classes, COLOURS, strict=False)) | {UNUSABLE: "#808080"}
    figure = Figure(figsize=(max(8, 6 * len(excerpts)), 9.5), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    grid = figure.add_gridspec(2, len(excerpts), height_ratios=[1, 4])
    _timeline(figure.add_subplot(grid[0, :]), windows, classes, duration_s, excerpts, figure)
    spacing = _spacing(read, duration_s)
    for k, (start, end) in enumerate(excerpts):
        ax = figure.add_subplot(grid[1, k])
        stack(ax, read(start, end), rate_hz, spacing, REAL, start)
        _shade(ax, events, start, end, colours)
        ax.set_xlim(start, end)
        ax.set_ylim(-(len(channels) - 0.35) * spacing, 0.85 * spacing)
        ax.set_yticks(-spacing * np.arange(len(channels)), channels if k == 0 else [""] * len(channels), fontsize=8)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("time (s)")
        ax.spines[["top", "right", "left"]].set_visible(False)
        if k == len(excerpts) - 1:
            scale_bar(ax, spacing)
    return figure


def _timeline(
    ax: Axes,
    windows: Sequence[tuple[float, np.ndarray]],
    classes: Sequence[str],
    duration_s: float,
    excerpts: list[tuple[float, float]],
    figure: Figure,
) -> None:
    """Draw the probability of each class over time; brackets mark the excerpts, grey what has no prediction."""
    ax.set_facecolor("#dddddd")
    for start, probabilities in windows:
        if not len(probabilities):
            continue
        extent = (start, start + len(probabilities), len(classes) - 0.5, -0.5)
        image = ax.imshow(
            probabilities.T, aspect="auto", cmap="Blues", vmin=0, vmax=1, extent=extent, interpolation="nearest"
        )
    for start, end in excerpts:
        ax.plot([start, end], [-0.75, -0.75], color="black", linewidth=2, clip_on=False)
    ax.set_xlim(0, duration_s)
    ax.set_ylim(len(classes) - 0.5, -0.5)
    ax.set_yticks(range(len(classes)), classes)
    ax.tick_params(length=0)
    ax.set_xlabel("time (s); grey: no prediction, black: shown below")
    figure.colorbar(image, ax=ax, label="probability", pad=0.01)


def _shade(ax: Axes, events: pandas.DataFrame, start: float, end: float, colours: dict[str, str]) -> None:
    """Shade the events and write their names above, where no trace is."""
    shown = events[(events["onset"] < end) & (events["onset"] + events["duration"] > start)]
    for k, event in enumerate(shown.itertuples()):
        low, high = max(event.onset, start), min(event.onset + event.duration, end)
        ax.axvspan(low, high, color=colours[event.label], alpha=0.25, linewidth=0)
        text = event.label if np.isnan(event.probability) else f"{event.label} {event.probability:.2f} {event.focus}"
        text += " (unsure)" if getattr(event, UNSURE, "") else ""
        last = low > end - LABEL_S
        ax.text(
            end if last else low,
            1 + 0.02 * (k % LABEL_ROWS),
            text,
            transform=ax.get_xaxis_transform(),
            fontsize=9,
            ha="right" if last else "left",
            va="bottom",
        )
