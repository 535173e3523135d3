"""Results of the classifiers of EEG events, and the data behind them, read from the outputs of the stages."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.signal.montages import ids_sentence
from eegdiffusion.core.statistics.calibration import apply_temperature
from eegdiffusion.core.statistics.classification_metrics import (
    METRICS,
    Interval,
    bootstrap_interval,
    classification_metrics,
)
from eegdiffusion.core.statistics.seeds import Summary, summarise_seeds
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.events.store.window_store import Store

WINDOW = ["recording", "row", "start_sample", "label"]
"""Columns of ``predictions.parquet`` that say which window a row is, and what it holds."""


@dataclass(frozen=True)
class ClassifierResults:
    """Test predictions of one classifier, trained once for each seed.

    Attributes:
        seeds: (seeds,).
        parameters: number of weights.
        windows: test windows, one a row: recording, row, start_sample, label (0-based).
        probabilities: (seeds, windows, classes).
        curves: a table for each seed.
        temperatures: (seeds,) by which logits were divided, so that probabilities come true on validation windows; None
            where they were not.
    """

    seeds: list[int]
    parameters: int
    windows: pandas.DataFrame
    probabilities: np.ndarray
    curves: list[pandas.DataFrame]
    temperatures: list[float] | None = None

    @property
    def labels(self) -> np.ndarray:
        """Recorded labels, (windows,)."""
        return self.windows["label"].to_numpy()

    @property
    def predicted(self) -> np.ndarray:
        """Most probable classes, (seeds, windows)."""
        return self.probabilities.argmax(-1)

    @property
    def metrics(self) -> pandas.DataFrame:
        """Metrics of each seed, one a row."""
        scores = [classification_metrics(self.labels, probabilities) for probabilities in self.probabilities]
        return pandas.DataFrame(scores, index=pandas.Index(self.seeds, name="seed"))

    @property
    def summaries(self) -> dict[str, Summary]:
        """Metrics over seeds."""
        metrics = self.metrics
        return {name: summarise_seeds(metrics[name]) for name in METRICS}

    def interval(self, subjects: pandas.Series) -> Interval:
        """Return the confidence interval of the balanced accuracy; ``subjects`` maps recordings to subjects."""
        clusters = self.clusters(subjects)
        return bootstrap_interval(self.labels, self.predicted, clusters, self.probabilities.shape[-1])

    def clusters(self, subjects: pandas.Series) -> np.ndarray:
        """Return the subject of each window; ``subjects`` maps recordings to subjects."""
        return self.windows["recording"].map(subjects).to_numpy()

    @property
    def uncalibrated(self) -> np.ndarray | None:
        """Probabilities before the temperatures, (seeds, windows, classes); None where there are none."""
        if self.temperatures is None:
            return None
        pairs = zip(self.probabilities, self.temperatures, strict=True)
        return np.stack([apply_temperature(probabilities, 1 / temperature) for probabilities, temperature in pairs])


def read_classifier(folder: Path, seeds: list[int]) -> ClassifierResults:
    """Read ``seed-<seed>/`` with ``metrics.json``, ``predictions.parquet`` and ``curves.csv``.

    Args:
        folder: output of the classifier's stage. What other seeds left in it earlier is not read.
        seeds: training seeds to read.

    Raises:
        InputError: a seed is missing, or the seeds were not tested on the same windows.
    """
    folders = [folder / f"seed-{seed}" for seed in seeds]
    tables = [read_parquet(require_file(path / "predictions.parquet")) for path in folders]
    facts = [json.loads(require_file(path / "metrics.json").read_text()) for path in folders]
    windows = tables[0][WINDOW]
    if not all(table[WINDOW].equals(windows) for table in tables):
        raise InputError(f"{folder}: all seeds must be tested on the same windows (found different ones)")
    classes = [column for column in tables[0] if column.removeprefix("p").isdigit()]
    return ClassifierResults(
        seeds=seeds,
        parameters=facts[0]["parameters"],
        windows=windows,
        probabilities=np.stack([table[classes].to_numpy() for table in tables]),
        curves=[pandas.read_csv(require_file(path / "curves.csv")) for path in folders],
        temperatures=[each["temperature"] for each in facts] if all("temperature" in each for each in facts) else None,
    )


def read_classifiers(folders: dict[str, Path], seeds: list[int]) -> dict[str, ClassifierResults]:
    """Read classifiers that are compared, by name.

    Raises:
        InputError: a seed is missing, or they were not tested on the same windows.
    """
    classifiers = {name: read_classifier(folder, seeds) for name, folder in folders.items()}
    first, *others = classifiers
    for name in others:
        if not classifiers[name].windows.equals(classifiers[first].windows):
            raise InputError(f"{folders[name]}: must be tested on the windows of {folders[first]} (found others)")
    return classifiers


@dataclass(frozen=True)
class EventData:
    """The corpus of EEG events behind the results.

    Attributes:
        name: ``TUEV`` or ``surrogate``.
        classes: names of the labels, in their order.
        channels: names of the channels of a window.
        channel_ids: a sentence on how they came by their numbers for the backbone.
        rate_hz: their sampling rate.
        window_s: length of a window in seconds.
        recordings: one a row: recording, subject, split, duration_s, and more.
        layout: layout of its files; empty where the store does not know it.
        warnings: what must be said with every number that is measured on the corpus.
        problems: what ingestion found wrong.
        split: rule, seed, hash.
        windows: event windows: recording, split, label (0-based).
        pretraining: distinct windows: recording, split.
    """

    name: str
    classes: list[str]
    channels: list[str]
    channel_ids: str
    rate_hz: float
    window_s: float
    recordings: pandas.DataFrame
    layout: str
    warnings: list[str]
    problems: pandas.DataFrame
    split: dict
    windows: pandas.DataFrame
    pretraining: pandas.DataFrame

    @property
    def subjects(self) -> pandas.Series:
        """Subject of each recording."""
        return self.recordings.set_index("recording")["subject"]


def read_event_data(index: Path, store: Path) -> EventData:
    """Read the outputs of ingestion and preprocessing."""
    window_store = Store(store)
    return EventData(
        name=window_store.corpus,
        classes=[name.upper() for name in window_store.classes],
        channels=window_store.channels,
        channel_ids=ids_sentence(window_store.montage),
        rate_hz=window_store.sfreq,
        window_s=window_store.description.window / window_store.sfreq,
        recordings=read_parquet(index / "recordings.parquet"),
        layout=window_store.description.layout or "",
        warnings=window_store.warnings,
        problems=read_parquet(index / "problems.parquet"),
        split=json.loads((index / "split.json").read_text()),
        windows=read_parquet(store / "windows.parquet"),
        pretraining=read_parquet(store / "pretraining.parquet", columns=["recording", "split"]),
    )
