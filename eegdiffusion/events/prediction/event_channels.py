"""Which channels carry an event, and its focus: by what the model says where it sees some of the channels alone.

The model sees random quarters of the channels, and the change of the event's log-odds is laid to the channels that it
goes with (RISE: Petsiuk et al., arXiv:1806.07421), by least squares. Hiding one channel at a time would say little of
an event that neighbours show as well, and so do halves, of which few lack all neighbours.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas

from eegdiffusion.core.signal.derivations import electrodes_of
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.events.prediction.classify_windows import ask_windows
from eegdiffusion.events.prediction.derived_signals import DerivedSignals
from eegdiffusion.events.prediction.event_list import CHANNELS, FOCUS, SEPARATOR, rows_of_events

OCCLUSION = "what channels add to the log-odds of an event, by occlusion of all but random quarters of them"
"""How results say that the channels of events were found."""

GENERALISED = "generalised"
"""Stands for a focus where most channels of both hemispheres carry an event."""

SUBSETS = 128
"""Subsets of channels that a window is seen by."""

MOST_WINDOWS = 4
"""Windows of an event that are looked at, the most probable ones."""

CARRYING = 0.5
"""A channel carries an event from this share of what the strongest channel gives."""

WIDESPREAD = 1 / 3
"""An event is generalised from this share of each hemisphere's channels."""

_TINY = 1e-6

ClassifySubsets = Callable[[np.ndarray, list[str], np.ndarray], np.ndarray]
"""(n, channels, samples), names of the channels, (subsets, channels) of bool -> (n, subsets, classes)."""


def hemisphere(channel: str) -> str:
    """Return the hemisphere of a channel, ``left``, ``right`` or ``middle``, by the numbers of its electrodes."""
    numbers = [int(text) for text in re.findall(r"[A-Za-z]+(\d+)", channel)]
    odd = {number % 2 for number in numbers}
    return "middle" if len(odd) != 1 else "left" if odd == {1} else "right"


def draw_subsets(channels: int, fewest: int) -> np.ndarray:
    """Draw subsets of a quarter of the channels, the same at every call.

    Args:
        channels: number of channels.
        fewest: channels that a subset must have.

    Returns:
        (subsets, channels) of bool; none where there are no more channels than ``fewest``.
    """
    if channels <= fewest:
        return np.zeros((0, channels), bool)
    rng, size = np.random.default_rng(channels), max(fewest, channels // 4)
    drawn = np.zeros((SUBSETS, channels), bool)
    for subset in drawn:
        subset[rng.choice(channels, size, replace=False)] = True
    return drawn


def contributions(probabilities: np.ndarray, subsets: np.ndarray) -> np.ndarray:
    """Lay the log-odds of each class to the channels that were seen.

    Args:
        probabilities: (n, subsets, classes).
        subsets: (subsets, channels) of bool, which channels were seen.

    Returns:
        (n, classes, channels): the log-odds that seeing a channel adds, by least squares.
    """
    clipped = np.clip(probabilities.astype(np.float64), _TINY, 1 - _TINY)
    log_odds = np.log(clipped) - np.log1p(-clipped)
    design = np.column_stack([subsets, np.ones(len(subsets))])
    # Of subsets of one size nobody can tell the sum of all channels from the intercept: the least norm splits it.
    return np.einsum("ks,nsc->nck", np.linalg.pinv(design)[:-1], log_odds)


def carrying_channels(added: Mapping[str, float]) -> list[str]:
    """Return the channels that carry an event, the strongest first; none where no channel speaks for it.

    Args:
        added: channel -> the log-odds that it adds.
    """
    strongest = max(added.values(), default=0.0)
    names = [name for name, value in added.items() if value > 0 and value >= CARRYING * strongest]
    return sorted(names, key=lambda name: -added[name])


def focus_of(added: Mapping[str, float]) -> str:
    """Return the focus of an event: the electrode whose derivations give most together, or ``generalised``.

    Args:
        added: channel -> the log-odds that it adds.

    Returns:
        name of the electrode; ``generalised`` where a share of :data:`WIDESPREAD` or more of each hemisphere's channels
        carries the event; empty where no channel does.
    """
    carrying = carrying_channels(added)
    if not carrying:
        return ""
    shares = []
    for side in ("left", "right"):
        seen = [name for name in added if hemisphere(name) == side]
        shares.append(len(set(seen) & set(carrying)) / len(seen) if seen else 0.0)
    if min(shares) >= WIDESPREAD:
        return GENERALISED
    of_electrode: dict[str, float] = {}
    for name, value in added.items():
        for electrode in electrodes_of(name):
            of_electrode[electrode] = of_electrode.get(electrode, 0.0) + max(value, 0.0)
    return max(of_electrode, key=lambda electrode: of_electrode[electrode])


def add_channels(
    events: pandas.DataFrame,
    times_s: np.ndarray,
    step_s: float,
    probabilities: np.ndarray,
    signals: DerivedSignals,
    good: np.ndarray,
    preprocessing: Preprocessing,
    classify_subsets: ClassifySubsets | None,
    fewest: int,
    batch: int,
) -> pandas.DataFrame:
    """Add the columns ``channels`` and ``focus`` to a table of events.

    Args:
        events: ``onset`` and ``duration`` in seconds, ``label``; in order.
        times_s: (windows,) beginning of the second that each window stands for, in order.
        step_s: length of it.
        probabilities: (windows, classes); NaN where there is none.
        signals: the derivations.
        good: (windows, channels) of bool, which channels each window used.
        preprocessing: what the model carries.
        classify_subsets: what the model says of subsets of channels; None for a model that takes all of them alone.
        fewest: fewest channels that it can be asked about.
        batch: windows in a call.

    Returns:
        the table with both columns: names with a comma between, the strongest first; empty where there is no event,
        or no more channels than ``fewest``.
    """
    rows_of = _windows_of_events(events, times_s, step_s, probabilities, preprocessing.classes)
    wanted = np.zeros_like(good)
    rows = np.unique(np.concatenate([np.zeros(0, int), *rows_of]))
    if classify_subsets is not None and len(rows):
        enough = rows[good[rows].sum(axis=1) > fewest]
        wanted[enough] = good[enough]
    place = np.full(len(good), -1)
    asked = np.flatnonzero(wanted.any(axis=1))
    place[asked] = np.arange(len(asked))
    added = np.full((len(asked), len(preprocessing.classes), len(signals.channels)), np.nan, np.float32)

    def answer(rows: np.ndarray, windows: np.ndarray, kept: np.ndarray) -> None:
        subsets = draw_subsets(len(kept), fewest)
        said = classify_subsets(windows, [signals.channels[k] for k in kept], subsets)  # type: ignore[misc]
        added[place[rows][:, None, None], np.arange(added.shape[1])[:, None], kept] = contributions(said, subsets)

    ask_windows(signals, wanted, preprocessing.window, answer, batch, "channels of events")
    cells = []
    for label, rows in zip(events["label"], rows_of, strict=True):
        kept = place[rows][place[rows] >= 0]
        means = dict[str, float]()
        if len(kept):
            values = added[kept, list(preprocessing.classes).index(label)]
            means = {
                name: float(np.nanmean(values[:, k]))
                for k, name in enumerate(signals.channels)
                if np.isfinite(values[:, k]).any()
            }
        cells.append((SEPARATOR.join(carrying_channels(means)), focus_of(means)))
    channels, focus = ([cell[k] for cell in cells] for k in (0, 1))
    return events.assign(**{CHANNELS: channels, FOCUS: focus})


def _windows_of_events(
    events: pandas.DataFrame, times_s: np.ndarray, step_s: float, probabilities: np.ndarray, classes: Sequence[str]
) -> list[np.ndarray]:
    """Return positions of the most probable windows of each event; none of stretches without a prediction."""
    rows_of = []
    for label, rows in zip(events["label"], rows_of_events(events, times_s, step_s), strict=True):
        if len(rows):
            of_label = probabilities[rows, list(classes).index(label)]
            rows = rows[np.argsort(-of_label, kind="stable")[:MOST_WINDOWS]]
        rows_of.append(rows)
    return rows_of
