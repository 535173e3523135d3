"""A recording as an HTML page that a person pages through, event by event: one file, without a network."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
from scipy.signal import resample_poly

from eegdiffusion.core.observe.figures.style import COLOURS
from eegdiffusion.core.runtime.templates import templates
from eegdiffusion.events.prediction.event_channels import hemisphere
from eegdiffusion.events.prediction.event_list import SEPARATOR, UNSURE, UNUSABLE

TEMPLATES = templates(Path(__file__).parent)

BLOCK_S = 10
"""Seconds of traces that are kept together."""

SHOWN_HZ = 100.0
"""Rate of traces at most; a screen has as many dots a second at 30 mm/s."""

MOST_BLOCKS = 240
"""Blocks of traces in a page, of those with the most probable events first: 40 min, about 14 MB."""

SIDES = {"left": "#0b3d91", "right": "#a01818", "middle": "#202020"}
"""Colours of traces by hemisphere, as clinics have them."""

_MARGIN_S = 1
_STEPS_A_MICROVOLT = 10


@dataclass(frozen=True)
class ReadRecording:
    """What a page shows.

    Attributes:
        title: name of the recording.
        model: what the model is called.
        notes: sentences on what was left out, and the like.
        channels: names of the derivations.
        rate_hz: their rate.
        duration_s: seconds on the clock.
        offset_s: seconds that times on the page are later than in ``windows``.
        classes: names.
        background: the class that is no event.
        thresholds: class -> probability from which on a second is of it.
        least: least probability of an event's seconds, for classes without a threshold.
        windows: of each piece the time of its first row, and the (seconds, classes) probabilities; NaN where there is
            no prediction.
        read: (start, stop) samples on the clock -> (channels, samples) in uV; NaN where nothing was recorded.
        events: ``onset``, ``duration``, ``label``, and which ``channels`` carry each, with its ``focus``.
    """

    title: str
    model: str
    notes: Sequence[str]
    channels: Sequence[str]
    rate_hz: float
    duration_s: float
    offset_s: float
    classes: Sequence[str]
    background: str
    thresholds: Mapping[str, float]
    least: float
    windows: Sequence[tuple[float, np.ndarray]]
    read: Callable[[int, int], np.ndarray]
    events: pandas.DataFrame


def chosen_blocks(recording: ReadRecording, most: int = MOST_BLOCKS) -> list[int]:
    """Choose the blocks of traces that a page holds: those with the most probable events, and their neighbours.

    Args:
        recording: what the page shows.
        most: number of blocks; of a recording of so many or fewer all are chosen.

    Returns:
        numbers of the blocks, in order.
    """
    count = max(1, int(np.ceil(recording.duration_s / BLOCK_S)))
    if count <= most:
        return list(range(count))
    scores = np.zeros(count)
    of_event = [k for k, name in enumerate(recording.classes) if name != recording.background]
    for start_s, probabilities in recording.windows:
        event = np.nan_to_num(probabilities[:, of_event]).max(axis=1, initial=0)
        blocks = ((start_s + np.arange(len(event))) // BLOCK_S).astype(int)
        np.maximum.at(scores, np.clip(blocks, 0, count - 1), event)
    chosen: set[int] = set()
    for block in np.argsort(-scores, kind="stable").tolist():
        wanted = {k for k in (block - 1, block, block + 1) if 0 <= k < count}
        if len(chosen | wanted) > most:
            break
        chosen |= wanted
    return sorted(chosen)


def _trace(recording: ReadRecording, block: int, down: int) -> str:
    """Return a block's traces as base64 of int16 in tenths of a microvolt, channel after channel."""
    rate = round(recording.rate_hz)
    margin, first, length = _MARGIN_S * rate, block * BLOCK_S * rate, BLOCK_S * rate
    total = int(recording.duration_s * recording.rate_hz)
    low, high = max(0, first - margin), min(total, first + length + margin)
    values = np.full((len(recording.channels), length + 2 * margin), np.nan)
    values[:, low - first + margin : high - first + margin] = recording.read(low, high)
    recorded = np.isfinite(values)
    shown = resample_poly(np.where(recorded, values, 0.0), 1, down, axis=1) if down > 1 else np.nan_to_num(values)
    skipped = margin // down
    kept = slice(skipped, skipped + length // down)
    scaled = np.clip(np.rint(shown[:, kept] * _STEPS_A_MICROVOLT), -32767, 32767).astype("<i2")
    scaled[~recorded[:, ::down][:, kept]] = -32768  # stands for what was not recorded
    return base64.b64encode(scaled.tobytes()).decode()


def _seconds(recording: ReadRecording) -> list[dict]:
    """Return each piece's probabilities as base64 of float32, exact, so that the page decides as the table does."""
    pieces = []
    for start_s, probabilities in recording.windows:
        text = base64.b64encode(probabilities.astype("<f4").tobytes()).decode()
        pieces.append({"start": start_s, "seconds": len(probabilities), "values": text})
    return pieces


def _carried(recording: ReadRecording) -> list[dict]:
    """Return what the table says of each event beside its class; at other gains a page has other events."""
    return [
        {
            "start": event.onset,
            "stop": event.onset + event.duration,
            "name": event.label,
            "channels": event.channels.split(SEPARATOR) if event.channels else [],
            "focus": event.focus,
            "unsure": getattr(event, UNSURE, "").split(SEPARATOR) if getattr(event, UNSURE, "") else [],
        }
        for event in recording.events.itertuples()
        if event.label != UNUSABLE
    ]


def render_reading_page(recording: ReadRecording, most: int = MOST_BLOCKS) -> str:
    """Render the page.

    Args:
        recording: what it shows.
        most: blocks of traces that it holds at most.

    Returns:
        HTML, with names of files and channels as text.
    """
    down = max(1, int(recording.rate_hz // SHOWN_HZ))
    blocks = chosen_blocks(recording, most)
    colours = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(recording.classes)}
    data = {
        "channels": list(recording.channels),
        "rate": recording.rate_hz / down,
        "duration": recording.duration_s,
        "offset": recording.offset_s,
        "classes": list(recording.classes),
        "colours": colours,
        "inks": [SIDES[hemisphere(name)] for name in recording.channels],
        "background": recording.background,
        "thresholds": dict(recording.thresholds),
        "least": recording.least,
        "pieces": _seconds(recording),
        "carried": _carried(recording),
        "block": BLOCK_S,
        "traces": {str(block): _trace(recording, block, down) for block in blocks},
    }
    # Within a script nothing but "<" could end it, or begin a comment.
    script = json.dumps(data).replace("<", "\\u003c").replace("\u2028", "").replace("\u2029", "")
    return TEMPLATES.get_template("reading_page.html.j2").render(
        title=recording.title,
        model=recording.model,
        notes=list(recording.notes),
        data=script,
        whole=len(blocks) * BLOCK_S >= recording.duration_s,
        minutes=len(blocks) * BLOCK_S / 60,
    )
