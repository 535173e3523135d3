"""What the papers' protocol of CHB-MIT is worth: one detector trained and tested by it and by that of events.

``python -m benchmarks.chbmit_protocols`` makes surrogates of CHB-MIT, takes each in by both protocols, trains a linear
discriminant on band powers on the same training cases, and tests it on chb23 and chb24. It prints the table of
``benchmarks/chbmit_protocols.md``.
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import sklearn.metrics
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from components.ingest_events.compute import compute as ingest
from components.ingest_events.settings import IngestEvents
from components.preprocess_events.compute import compute as preprocess
from components.preprocess_events.settings import PreprocessEvents
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.spectra import band_power, welch
from eegdiffusion.core.signal.units import UNIT_UV
from eegdiffusion.core.storage.packages import CACHE
from eegdiffusion.core.storage.splits import SPLITS
from eegdiffusion.events.corpora.chbmit import PAPER_LEFT_OUT, PAPER_SPLITS, PAPER_WINDOW_S
from eegdiffusion.events.corpora.event_corpus import EventCorpus, channel_recipe, corpus_filtering
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.surrogate.chbmit import chbmit_demo
from eegdiffusion.surrogate.chbmit.chbmit_settings import SurrogateChbMit

ROOT = Path(__file__).parents[1]
NOTCH_60 = Filtering(notch_hz=60.0)
METRICS = {
    "AUROC": sklearn.metrics.roc_auc_score,
    "average precision": sklearn.metrics.average_precision_score,
    "balanced accuracy": lambda labels, scores: sklearn.metrics.balanced_accuracy_score(labels, scores > 0.5),
}


@dataclass(frozen=True)
class Windows:
    """The windows of a corpus by one protocol.

    Attributes:
        table: recording, start_s, label (1 for a seizure), split (``train`` or ``test``) and added: a paper's window
            at a seizure, beside those one after another.
        features: (windows, 2 * bands) log10 of band powers, their mean over channels and the largest.
    """

    table: pandas.DataFrame
    features: np.ndarray

    def of(self, split: str) -> np.ndarray:
        """Return which windows are of a split."""
        return (self.table["split"] == split).to_numpy()

    @property
    def labels(self) -> np.ndarray:
        """(windows,) 1 for a seizure."""
        return self.table["label"].to_numpy()


def take_in(corpus: Path, work: Path, protocol: str, workers: int) -> Windows:
    """Ingest and preprocess a corpus, and compute the features of its windows."""
    entry = EventCorpus(
        root=str(corpus),
        layout="chbmit",
        montage="double_banana_16",
        window_s=PAPER_WINDOW_S,
        protocol=protocol,
        filtering=NOTCH_60 if protocol == "events" else None,
    )
    (work / "parts").mkdir(parents=True)
    filtering, recipe = corpus_filtering(entry, Filtering()), channel_recipe(entry, {})
    ingest(entry, IngestEvents(), filtering, recipe, work / "index", work)
    settings = PreprocessEvents(filtering=filtering, workers=workers)
    preprocess(corpus, work / "index", settings, work / "store", work / "parts")
    store, parts = Store(work / "store"), []
    for split in SPLITS:
        windows = store.event_windows(split)
        signals = windows.__getitems__(list(range(len(windows))))["signal"]
        parts.append(windows.table.assign(features=list(_features(signals, store.sfreq))))
    table = pandas.concat(parts)
    events = pandas.read_parquet(work / "index/events.parquet")[["recording", "row", "start_s"]]
    table = table.merge(events, on=["recording", "row"], validate="one_to_one")
    return _with_cases(table)


def _features(signals: np.ndarray, rate_hz: float) -> np.ndarray:
    """Return log10 of the band powers of windows (windows, channels, samples): mean over channels, and the largest."""
    powers = [band_power(*welch(window[:, None] * UNIT_UV, rate_hz)) for window in signals]
    logarithms = np.log10(np.maximum(powers, 1e-6))
    return np.concatenate([logarithms.mean(1), logarithms.max(1)], axis=1)


def _with_cases(table: pandas.DataFrame) -> Windows:
    """Let both protocols have the same cases: the papers' test split, and those that train by the papers.

    Features are taken off their median over each recording, in which most windows have no seizure.
    """
    case = table["recording"].str.partition("/")[0]
    split = case.map(PAPER_SPLITS).fillna("train").mask(case.isin(PAPER_LEFT_OUT), "left out")
    side_by_side = np.isclose(table["start_s"] % PAPER_WINDOW_S, 0)
    table = table.assign(split=split, added=~side_by_side)
    features = pandas.DataFrame(np.stack(table["features"].to_list()), index=table.index)
    features -= features.groupby(table["recording"]).transform("median")
    return Windows(table.drop(columns="features"), features.to_numpy())


def detector(windows: Windows) -> LinearDiscriminantAnalysis:
    """Train a linear discriminant on the training windows, both classes weighing the same."""
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])
    return model.fit(windows.features[windows.of("train")], windows.labels[windows.of("train")])


def interior(paper: Windows, events: Windows) -> tuple[int, int]:
    """Count the windows of seizures, and those of them that the papers' rule takes for background.

    Of windows one after another, which both protocols have.
    """
    by_both = events.table.merge(
        paper.table[~paper.table["added"]], on=["recording", "start_s"], suffixes=("", "_paper")
    )
    seizures = by_both[by_both["label"] == 1]
    return len(seizures), int((seizures["label_paper"] == 0).sum())


def compare(corpus: Path, work: Path, workers: int) -> tuple[pandas.DataFrame, tuple[int, int]]:
    """Return the scores by who trained and who tests, and what :func:`interior` counts."""
    by = {protocol: take_in(corpus, work / protocol, protocol, workers) for protocol in ("paper", "events")}
    rows = []
    for trained, windows in by.items():
        model = detector(windows)
        for tested, others in by.items():
            test = others.of("test")
            scores = model.predict_proba(others.features[test])[:, 1]
            values = {name: float(metric(others.labels[test], scores)) for name, metric in METRICS.items()}
            rows.append({"trained by": trained, "tested by": tested, **values})
    return pandas.DataFrame(rows), interior(by["paper"], by["events"])


def main() -> None:
    """Compare the protocols on surrogates of several seeds, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    tables, seizures, missed = [], 0, 0
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory(prefix="chbmit-protocols-") as folder:
            corpus = Path(folder) / "corpus"
            chbmit_demo.build(corpus, ROOT / CACHE, SurrogateChbMit(seed=seed))
            table, (of_seizures, inside) = compare(corpus, Path(folder), options.workers)
        tables.append(table)
        seizures, missed = seizures + of_seizures, missed + inside
    grouped = pandas.concat(tables).groupby(["trained by", "tested by"], sort=False)[list(METRICS)]
    mean, spread = grouped.mean(), grouped.std()
    shown = mean.map("{:.3f}".format) + " ± " + spread.map("{:.3f}".format)
    print(f"\n{options.seeds} surrogates; {missed} of {seizures} windows of seizures are none by the papers' rule\n")
    print(shown.reset_index().to_markdown(index=False))


if __name__ == "__main__":
    main()
