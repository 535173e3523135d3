"""What the stages before the report left behind."""

import json
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np
import pandas

from components.data.store import Store
from components.errors import InputError
from components.evaluation.metrics import (
    METRICS,
    Interval,
    bootstrap_interval,
    classification_metrics,
)
from components.evaluation.seeds import Summary, over_seeds

WINDOW = ["recording", "row", "start_sample", "label"]
"""Columns of ``predictions.parquet`` that say which window a row is, and what it holds."""


@dataclass(frozen=True)
class Classifier:
    """Test predictions of one classifier, trained once for each seed.

    Attributes:
        seeds: (seeds,).
        parameters: number of weights.
        windows: test windows: recording, row, start_sample, label (0-based).
        probabilities: (seeds, windows, classes).
        curves: a table for each seed.
    """

    seeds: list[int]
    parameters: int
    windows: pandas.DataFrame
    probabilities: np.ndarray
    curves: list[pandas.DataFrame]

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
        return {name: over_seeds(metrics[name]) for name in METRICS}

    def interval(self, subjects: pandas.Series) -> Interval:
        """Confidence interval of the balanced accuracy; ``subjects`` maps recordings to subjects."""
        clusters = self.windows["recording"].map(subjects).to_numpy()
        return bootstrap_interval(self.labels, self.predicted, clusters, self.probabilities.shape[-1])


def _there(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: no such file, but params.yaml: matrix asks for it; run `dvc repro`")
    return path


def read_classifier(folder: Path, seeds: list[int]) -> Classifier:
    """Read ``seed-<seed>/`` with ``metrics.json``, ``predictions.parquet`` and ``curves.csv``.

    Args:
        folder: of the classifier. What other seeds left in it earlier is not read.
        seeds: to read.

    Raises:
        InputError: a seed is missing, or the seeds were not tested on the same windows.
    """
    folders = [folder / f"seed-{seed}" for seed in seeds]
    facts = json.loads(_there(folders[0] / "metrics.json").read_text())
    tables = [pandas.read_parquet(_there(path / "predictions.parquet")) for path in folders]
    windows = tables[0][WINDOW]
    if not all(table[WINDOW].equals(windows) for table in tables):
        raise InputError(f"{folder}: all seeds must be tested on the same windows (found different ones)")
    classes = [column for column in tables[0] if column.removeprefix("p").isdigit()]
    return Classifier(
        seeds=seeds,
        parameters=facts["parameters"],
        windows=windows,
        probabilities=np.stack([table[classes].to_numpy() for table in tables]),
        curves=[pandas.read_csv(_there(path / "curves.csv")) for path in folders],
    )


def read_classifiers(folders: dict[str, Path], seeds: list[int]) -> dict[str, Classifier]:
    """Read classifiers that are to be compared.

    Raises:
        InputError: a seed is missing, or they were not tested on the same windows.
    """
    found = {name: read_classifier(folder, seeds) for name, folder in folders.items()}
    first, *others = found
    for name in others:
        if not found[name].windows.equals(found[first].windows):
            raise InputError(f"{folders[name]}: must be tested on the windows of {folders[first]} (found others)")
    return found


@dataclass(frozen=True)
class Backbone:
    """A pretrained backbone, the EEG it generated and real EEG of the same channels.

    Attributes:
        facts: ``metrics.json``.
        curves: a row for each round of training.
        channels: names.
        rate_hz: sampling rate.
        real, generated: (channels, signals, samples), uV.
    """

    facts: dict
    curves: pandas.DataFrame
    channels: list[str]
    rate_hz: float
    real: np.ndarray
    generated: np.ndarray


def _signals(raw: mne.io.BaseRaw) -> np.ndarray:
    """Cut a recording at its annotations, one for each signal; (channels, signals, samples) in uV."""
    return raw.get_data(units="uV").reshape(len(raw.ch_names), len(raw.annotations), -1)


def read_backbone(folder: Path) -> Backbone:
    """Read ``metrics.json``, ``curves.csv`` and ``generated/`` of one variant.

    Raises:
        InputError: the EEG has no annotations to cut it into signals.
    """
    raws = {}
    for kind in ("real", "generated"):
        path = folder / "generated" / f"{kind}_raw.fif"
        raws[kind] = mne.io.read_raw_fif(_there(path), verbose="error")
        if not len(raws[kind].annotations):
            raise InputError(f"{path}: annotations: must be one for each signal (found none)")
    return Backbone(
        facts=json.loads(_there(folder / "metrics.json").read_text()),
        curves=pandas.read_csv(folder / "curves.csv"),
        channels=raws["real"].ch_names,
        rate_hz=raws["real"].info["sfreq"],
        real=_signals(raws["real"]),
        generated=_signals(raws["generated"]),
    )


def read_backbones(folder: Path, names: list[str]) -> dict[str, Backbone]:
    """Read variants of the backbone, by name."""
    return {name: read_backbone(folder / name) for name in names}


@dataclass(frozen=True)
class Corpus:
    """The data behind the results.

    Attributes:
        name: ``TUEV`` or ``surrogate``.
        classes: names of the labels, in their order.
        recordings: one a row: recording, subject, split, duration_s, and more.
        problems: what ingestion found wrong.
        split: rule, seed, hash.
        windows: event windows: recording, split, label (1-based).
        pretraining: distinct windows: recording, split.
    """

    name: str
    classes: list[str]
    recordings: pandas.DataFrame
    problems: pandas.DataFrame
    split: dict
    windows: pandas.DataFrame
    pretraining: pandas.DataFrame

    @property
    def subjects(self) -> pandas.Series:
        """Subject of each recording."""
        return self.recordings.set_index("recording")["subject"]


def read_corpus(index: Path, store: Path) -> Corpus:
    """Read the outputs of ingestion and preprocessing."""
    described = Store(store)
    return Corpus(
        name=described.corpus,
        classes=[name.upper() for name in described.classes],
        recordings=pandas.read_parquet(index / "recordings.parquet"),
        problems=pandas.read_parquet(index / "problems.parquet"),
        split=json.loads((index / "split.json").read_text()),
        windows=pandas.read_parquet(store / "windows.parquet"),
        pretraining=pandas.read_parquet(store / "pretraining.parquet", columns=["recording", "split"]),
    )
