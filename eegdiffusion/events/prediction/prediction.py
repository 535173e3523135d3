"""The events of one recording, from its file to the files that hold them."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas

from eegdiffusion.core.recordings.electrode_recording import ElectrodeRecording
from eegdiffusion.core.runtime.files import written_whole
from eegdiffusion.core.runtime.printable import printable
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.core.signal.units import UNIT_UV
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.events.prediction import annotated_edf, classify_windows, derived_signals
from eegdiffusion.events.prediction import event_list as events
from eegdiffusion.events.prediction.channel_use import ChannelUse, channel_use
from eegdiffusion.events.prediction.coarse_pass import CoarsePass, two_passes
from eegdiffusion.events.prediction.derived_signals import DerivedSignals
from eegdiffusion.events.prediction.event_channels import OCCLUSION, ClassifySubsets, add_channels
from eegdiffusion.events.prediction.events_tsv import (
    Standard,
    bids_sidecar,
    bids_table,
    events_name,
    require_seizures,
    szcore_table,
)
from eegdiffusion.events.prediction.own_results import FILES, own_files, require_own
from eegdiffusion.events.prediction.prediction_sets import PredictionSets
from eegdiffusion.events.prediction.second_probabilities import write_second_probabilities
from eegdiffusion.events.prediction.stretch import Stretch, cut_out
from eegdiffusion.events.results.tested_subsets import TestedSubsets

if TYPE_CHECKING:
    import mlflow

ENDINGS = ("edf", "png", "json", "parquet", "csv")
"""Endings of the files that a prediction writes, the table last."""

PAGE = "html"
"""Ending of the page that a person reads the recording on, where it is asked for."""

BIDS: Literal["bids"] = "bids"
BIDS_SIDECAR = "bids sidecar"
SZCORE: Literal["szcore"] = "szcore"
"""Tables of events in the words of others, where they are asked for."""


def output_paths(results: Path, page: bool = False, tsv: Standard | None = None) -> dict[str, Path]:
    """Return where the files of a recording's results go.

    Args:
        results: their name, without ending.
        page: whether a page to read the recording on is asked for.
        tsv: whose table of events is asked for as well.
    """
    paths = {ending: results.with_name(f"{results.name}.{ending}") for ending in ENDINGS}
    if page:
        paths[PAGE] = results.with_name(f"{results.name}.{PAGE}")
    if tsv is not None:
        name = events_name(results)
        paths[tsv] = name.with_name(f"{name.name}.tsv")
        if tsv == BIDS:
            paths[BIDS_SIDECAR] = name.with_name(f"{name.name}.json")
    return paths


def results_of(outputs: Mapping[str, Path]) -> set[Path]:
    """Return what an earlier prediction of the same name wrote, with whichever options.

    Args:
        outputs: from :func:`output_paths`.
    """
    results = outputs["csv"].with_suffix("")
    possible = {*output_paths(results, True, BIDS).values(), *output_paths(results, True, SZCORE).values()}
    return own_files(outputs["json"], possible, output_paths(results).values())


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
        tested: subsets of its channels that it was tested on; None where it takes all of them alone.
        thresholds: class -> probability from which on a second is of it, by an operating point.
        sensitivity: what the operating points are of; empty where there are none.
        classify_subsets: what it says of subsets of a window's channels; None where it takes all of them alone, or is a
            version from before it could be asked.
        sets: by which events are unsure; None where they were not calibrated.
        coarse: a first pass that seconds are skipped by; None where every second is classified.
    """

    name: str
    model: "mlflow.pyfunc.PyFuncModel"
    preprocessing: Preprocessing
    threshold: float
    batch: int
    rename: Mapping[str, str]
    tested: TestedSubsets | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    sensitivity: str = ""
    classify_subsets: ClassifySubsets | None = None
    sets: PredictionSets | None = None
    coarse: CoarsePass | None = None

    @property
    def model_id(self) -> str:
        """MLflow's identifier of the very model."""
        return str(self.model.metadata.model_uuid)

    @property
    def fewest(self) -> int:
        """Fewest channels that it can be asked about: those of the smallest subset that it was tested on."""
        return self.tested.fewest if self.tested else len(self.preprocessing.channels)

    def probabilities(self, windows: np.ndarray, channels: list[str]) -> np.ndarray:
        """Classify windows (n, channels, samples) of some of the model's channels: (n, classes)."""
        if channels == list(self.preprocessing.channels):
            return self.model.predict(windows)
        return self.model.predict(windows, params={"channels": channels})


@dataclass(frozen=True)
class PredictedEvents:
    """The events of one recording.

    Attributes:
        events: see :func:`eegdiffusion.events.prediction.event_list.list_events`, with the channels that carry each.
        duration_s: seconds that were recorded, without pauses.
        unusable_s: seconds without a prediction for a constant or clipped channel.
        pauses: number of pauses, at which the recording was split.
        taken_s: time from the file to the events.
        notes: sentences on what the files leave out.
        use: the channels that were used.
    """

    events: pandas.DataFrame
    duration_s: float
    unusable_s: int
    pauses: int
    taken_s: float
    notes: list[str]
    use: ChannelUse

    def __str__(self) -> str:
        labels = self.events["label"].value_counts().drop(events.UNUSABLE, errors="ignore")
        text = ", ".join(f"{count} {label}" for label, count in labels.items()) or "no events"
        if events.UNSURE in self.events:
            text += f", {int((self.events[events.UNSURE] != '').sum())} of them unsure"
        if self.unusable_s:
            text += f"; {self.unusable_s} s have a constant or clipped channel, and no prediction"
        if self.pauses:
            text += f"; {self.pauses} pause{'s' if self.pauses > 1 else ''}, at which the recording was split"
        text += "".join(f"; {note}" for note in self.notes)
        speed = self.duration_s / self.taken_s
        return f"{text} ({self.duration_s:.0f} s in {self.taken_s:.1f} s, {speed:.0f} times faster than real time)"


def predict(
    recording: ElectrodeRecording,
    outputs: Mapping[str, Path],
    classifier: Classifier,
    stretch: Stretch = Stretch(),  # noqa: B008 (frozen)
) -> PredictedEvents:
    """Find the events of a recording and write table, EDF+ file, figure and how they were made; the table last.

    Args:
        recording: the opened recording.
        outputs: where the files go, from :func:`output_paths`; they appear together, or not at all, and what an
            earlier prediction wrote besides goes.
        classifier: the model.
        stretch: what of it is read, as if it were all; times in the table and in what is returned stay the recording's.

    Raises:
        InputError: the recording cannot be used, or a file of another is where results go; nothing is written.
        UnavailableError: the files cannot be written; none of them is left half.
    """
    earlier = results_of(outputs)
    require_own(outputs, earlier)
    recording = cut_out(recording, stretch)
    preprocessing, begin = classifier.preprocessing, time.monotonic()
    # Beside the results there is room for them, and the folder of temporary files may be in memory.
    folder = next(parent for parent in outputs["csv"].absolute().parents if parent.is_dir())
    signals, recorded_faults = derived_signals.derive(recording, preprocessing, folder, classifier.fewest)
    good = classify_windows.usable(recording.path, signals, recorded_faults, preprocessing, classifier.fewest)
    probabilities, asked = _classify(signals, good, classifier)
    use = channel_use(recording, signals, good, preprocessing.channels, classifier.tested)

    step_s = derived_signals.STEP_S
    offset_s = (preprocessing.window / preprocessing.filtering.rate_hz - step_s) / 2
    pieces = signals.pieces
    of_pieces = np.split(probabilities, np.cumsum([len(piece.starts) for piece in pieces])[:-1])
    classes, background = preprocessing.classes, events.background_class(preprocessing.classes)
    least, thresholds = classifier.threshold, classifier.thresholds
    table = events.list_events(
        of_pieces, pieces, signals.rate_hz, classes, background, step_s, offset_s, least, thresholds
    )
    windows = [(piece.onset_s + offset_s, part) for piece, part in zip(pieces, of_pieces, strict=True)]
    times_s = np.concatenate([start_s + step_s * np.arange(len(part)) for start_s, part in windows])
    table = add_channels(
        table, times_s, step_s, probabilities, signals, good, preprocessing, classifier.classify_subsets,
        classifier.fewest, classifier.batch,
    )  # fmt: skip
    if classifier.sets is not None:
        table = events.mark_unsure(table, times_s, step_s, probabilities, classes, classifier.sets)
    taken = time.monotonic() - begin
    _write_files(recording, signals, windows, table, outputs, classifier, use, stretch)
    for path in earlier.difference(outputs.values()):
        path.unlink(missing_ok=True)
    table["onset"] += stretch.start_s
    unusable_s = int(np.isnan(probabilities[:, 0]).sum()) * step_s
    notes = use.sentences() + ([classifier.coarse.sentence(asked)] if classifier.coarse else [])
    notes += [note] if (note := annotated_edf.date_note(recording.start)) else []
    return PredictedEvents(table, recording.recorded_s, unusable_s, len(pieces) - 1, taken, notes, use)


def _classify(signals: DerivedSignals, good: np.ndarray, classifier: Classifier) -> tuple[np.ndarray, float]:
    """Return the probabilities (windows, classes), and the share of the usable windows that were classified."""
    preprocessing, asked = classifier.preprocessing, 0

    def ask(rows: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += int(rows.sum())
        some = good & rows[:, None]
        return classify_windows.classify(signals, some, preprocessing, classifier.probabilities, classifier.batch)

    usable = good.any(axis=1)
    if classifier.coarse is None:
        return ask(usable), 1.0
    lengths = [len(piece.starts) for piece in signals.pieces]
    background = list(preprocessing.classes).index(events.background_class(preprocessing.classes))
    coarse = classifier.coarse
    probabilities = two_passes(lengths, background, coarse.step, coarse.plain, usable, ask)
    return probabilities, asked / max(int(usable.sum()), 1)


def _write_files(
    recording: ElectrodeRecording,
    signals: DerivedSignals,
    windows: list[tuple[float, np.ndarray]],
    table: pandas.DataFrame,
    outputs: Mapping[str, Path],
    classifier: Classifier,
    use: ChannelUse,
    stretch: Stretch,
) -> None:
    from eegdiffusion.events.figures.prediction_figure import draw_prediction

    rate_hz, channels = signals.rate_hz, signals.channels

    def microvolts(start: int, stop: int) -> np.ndarray:
        return signals.read_clock(start, stop, 0.0) * UNIT_UV

    def excerpt(start_s: float, end_s: float) -> np.ndarray:
        return signals.read_clock(round(start_s * rate_hz), round(end_s * rate_hz), np.nan) * UNIT_UV

    count = int((table["label"] != events.UNUSABLE).sum())
    name = printable(recording.path.name)
    of_channels = f", {len(use.sources)} of {len(use.montage)} channels" if use.lacking else ""
    later = f" from {stretch.start_s:g} s on" if stretch.start_s else ""
    title = f"{name}{later}: {count} event{'' if count == 1 else 's'} ({classifier.name}{of_channels})"
    duration_s = signals.clock_samples / rate_hz
    classes = classifier.preprocessing.classes
    figure = draw_prediction(excerpt, duration_s, channels, rate_hz, windows, classes, table, title)
    # Times keep their milliseconds however long the recording is.
    rounded = table.assign(
        onset=table["onset"] + stretch.start_s, probability=[float(f"{value:.6g}") for value in table["probability"]]
    )
    made_by = {
        "recording": name,
        "model": classifier.name,
        "model_id": classifier.model_id,
        "sensitivity": classifier.sensitivity or None,
        "thresholds": dict(classifier.thresholds),
        "classes": classes,
        "first_pass": asdict(classifier.coarse) if classifier.coarse else None,
        "prediction_sets": asdict(classifier.sets) if classifier.sets else None,
        "channels_of_events": OCCLUSION if classifier.classify_subsets else None,
        "rate_hz": recording.rate_hz,
        "start_s": stretch.start_s,
        "duration_s": duration_s,
        FILES: [path.name for path in outputs.values()],
        **use.document(),
    }
    background = events.background_class(classes)
    texts = {
        PAGE: lambda: _render_page(signals, windows, table, classifier, use, stretch, f"{name}{later}"),
        BIDS: lambda: bids_table(rounded),
        BIDS_SIDECAR: lambda: bids_sidecar(
            classes, background, classifier.name, classifier.sets.coverage if classifier.sets else None
        ),
        SZCORE: lambda: szcore_table(rounded, require_seizures(classes), recording.start, duration_s),
    }
    more = [key for key in texts if key in outputs]
    # The file that says which files are of the prediction first, the table last.
    kinds = ["json", *more, *(key for key in ENDINGS if key != "json")]
    with written_whole(*(outputs[key] for key in kinds)) as (sidecar, *parts, edf, png, seconds, csv):
        for key, part in zip(more, parts, strict=True):
            part.write_text(texts[key](), encoding="utf-8")
        annotated_edf.write_annotated_edf(
            edf, microvolts, signals.clock_samples, channels, rate_hz, table, recording.start
        )
        figure.savefig(png, dpi=110)
        sidecar.write_text(json.dumps(made_by, indent=2))
        shifted = [(onset_s + stretch.start_s, part) for onset_s, part in windows]
        write_second_probabilities(seconds, shifted, classes, derived_signals.STEP_S)
        write_table(csv, rounded, float_format="%.10g")


def _render_page(
    signals: DerivedSignals,
    windows: list[tuple[float, np.ndarray]],
    table: pandas.DataFrame,
    classifier: Classifier,
    use: ChannelUse,
    stretch: Stretch,
    title: str,
) -> str:
    from eegdiffusion.events.figures.reading_page import ReadRecording, render_reading_page

    classes = classifier.preprocessing.classes
    shown = ReadRecording(
        title=title,
        model=classifier.name,
        notes=use.sentences(),
        channels=signals.channels,
        rate_hz=signals.rate_hz,
        duration_s=signals.clock_samples / signals.rate_hz,
        offset_s=stretch.start_s,
        classes=classes,
        background=events.background_class(classes),
        thresholds=classifier.thresholds,
        least=classifier.threshold,
        windows=windows,
        events=table,
        read=lambda start, stop: signals.read_clock(start, stop, np.nan) * UNIT_UV,
    )
    return render_reading_page(shown)
