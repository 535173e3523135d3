"""The events of one recording, from its file to the files that hold them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas

from eegdiffusion.core.runtime.files import written_whole
from eegdiffusion.core.runtime.printable import printable
from eegdiffusion.core.signal.montage import derivations
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.signal.units import UNIT_UV
from eegdiffusion.events.corpora.tuev import BACKGROUND
from eegdiffusion.events.prediction import annotated_edf, classify_windows
from eegdiffusion.events.prediction import event_list as events
from eegdiffusion.events.prediction.recording import ElectrodeRecording

if TYPE_CHECKING:
    import mlflow

ENDINGS = ("edf", "png", "csv")
"""Endings of the files that a prediction writes, the table last."""


@dataclass(frozen=True)
class Classifier:
    """A registered model and how it is asked.

    Attributes:
        name: its address and what it was trained on.
        model: windows -> probabilities.
        preprocessing: what the model carries.
        threshold: least probability of an event's seconds.
        batch: windows in a batch.
        rename: names that stand for electrodes.
    """

    name: str
    model: "mlflow.pyfunc.PyFuncModel"
    preprocessing: Preprocessing
    threshold: float
    batch: int
    rename: Mapping[str, str]


@dataclass(frozen=True)
class PredictedEvents:
    """The events of one recording.

    Attributes:
        events: see :func:`eegdiffusion.events.prediction.event_list.merge_windows`.
        duration_s: length of the recording.
        unusable_s: seconds without a prediction for a constant or clipped channel.
        taken_s: time from the file to the probabilities.
    """

    events: pandas.DataFrame
    duration_s: float
    unusable_s: int
    taken_s: float

    def __str__(self) -> str:
        labels = self.events["label"].value_counts().drop(events.UNUSABLE, errors="ignore")
        text = ", ".join(f"{count} {label}" for label, count in labels.items()) or "no events"
        if self.unusable_s:
            text += f"; {self.unusable_s} s have a constant or clipped channel, and no prediction"
        speed = self.duration_s / self.taken_s
        return f"{text} ({self.duration_s:.0f} s in {self.taken_s:.1f} s, {speed:.0f} times faster than real time)"


def predict(recording: ElectrodeRecording, outputs: Mapping[str, Path], classifier: Classifier) -> PredictedEvents:
    """Find the events of a recording and write table, EDF+ file and figure; the table last.

    Args:
        recording: what was read of its file.
        outputs: a path for each of ``ENDINGS``; they appear together, or not at all.
        classifier: the model.

    Raises:
        InputError: the recording cannot be used; nothing is written.
        UnavailableError: the files cannot be written; none of them is left half.
    """
    preprocessing, begin = classifier.preprocessing, time.monotonic()
    signals = classify_windows.derived(recording, preprocessing)
    good = classify_windows.usable(recording, signals, preprocessing)
    probabilities = classify_windows.classify(signals, good, preprocessing, classifier.model.predict, classifier.batch)
    taken = recording.reading_s + time.monotonic() - begin

    from eegdiffusion.events.figures.prediction_figure import draw_prediction

    rate_hz = preprocessing.filtering.rate_hz
    offset_s = (preprocessing.window / rate_hz - classify_windows.STEP_S) / 2
    table = events.merge_windows(
        probabilities, preprocessing.classes, BACKGROUND, classify_windows.STEP_S, offset_s, classifier.threshold
    )
    channels = derivations(preprocessing.montage_sign)
    signals *= UNIT_UV
    count = int((table["label"] != events.UNUSABLE).sum())
    title = f"{printable(recording.path.name)}: {count} event{'' if count == 1 else 's'} ({classifier.name})"
    figure = draw_prediction(signals, channels, rate_hz, probabilities, preprocessing.classes, offset_s, table, title)
    with written_whole(outputs["edf"], outputs["png"], outputs["csv"]) as (edf, png, csv):
        annotated_edf.write_annotated_edf(edf, signals, channels, rate_hz, table, recording.start)
        figure.savefig(png, dpi=110)
        table.to_csv(csv, index=False, float_format="%.6g")
    unusable_s = int(np.isnan(probabilities[:, 0]).sum()) * classify_windows.STEP_S
    return PredictedEvents(table, recording.signals.shape[1] / recording.rate_hz, unusable_s, taken)
