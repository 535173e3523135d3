"""How LFTs do on fewer channels, side by side: test predictions on subsets of the montage, and a table of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.statistics.classification_metrics import bootstrap_interval, paired_bootstrap, prediction_metrics
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.events.results.tested_subsets import PREDICTIONS, SUBSETS, TestedSubsets, read_tested_subsets
from eegdiffusion.report.classifier_tables import format_interval, format_number


@dataclass(frozen=True)
class SubsetResults:
    """Test predictions of one LFT on subsets of its channels, over all seeds.

    Attributes:
        tested: the subsets, with the scores of the first seed.
        predicted: subset -> (seeds and draws, windows) the most probable class, 0-based.
    """

    tested: TestedSubsets
    predicted: dict[str, np.ndarray]


def read_subset_results(folder: Path, seeds: list[int]) -> SubsetResults | None:
    """Read what the LFTs of ``seed-<seed>/`` said of test windows of fewer channels.

    Args:
        folder: output of the LFT's stage.
        seeds: training seeds to read.

    Returns:
        the predictions; None for an LFT that takes all channels alone.

    Raises:
        InputError: seeds were tested on different subsets.
    """
    folders = [folder / f"seed-{seed}" for seed in seeds]
    if not (folders[0] / SUBSETS).is_file():
        return None
    paths = [require_file(path / SUBSETS) for path in folders]
    tested = [read_tested_subsets(read_json(path), str(path)) for path in paths]
    chosen = [[(subset.name, subset.channels) for subset in each.subsets] for each in tested]
    if any(each != chosen[0] for each in chosen):
        raise InputError(f"{folder}: all seeds must be tested on the same subsets of channels (found different ones)")
    tables = [read_parquet(require_file(path / PREDICTIONS)) for path in folders]
    rows: dict[str, list[np.ndarray]] = {subset.name: [] for subset in tested[0].subsets}
    for table in tables:
        for (name, _), part in table[table["split"] == "test"].groupby(["subset", "draw"], sort=False):
            rows[name].append(part["predicted"].to_numpy(np.int64))
    return SubsetResults(tested[0], {name: np.stack(parts) for name, parts in rows.items()})


def subset_table(
    classifiers: Mapping[str, SubsetResults], labels: np.ndarray, subjects: np.ndarray, classes: int
) -> pandas.DataFrame:
    """Make a row for each subset: balanced accuracy of each LFT, and how far the others are from the first.

    Args:
        classifiers: name -> predictions; the differences are to the first.
        labels: (windows,) recorded classes, 0-based.
        subjects: (windows,) what tells the subjects apart.
        classes: number of classes.
    """
    first, *others = classifiers
    rows = []
    for subset in classifiers[first].tested.subsets:
        row: dict[str, object] = {"channels": subset.count, "which": subset.name}
        for name, classifier in classifiers.items():
            predicted = classifier.predicted[subset.name]
            scores = [prediction_metrics(labels, each) for each in predicted]
            row[f"{name}: kappa"] = format_number(float(np.mean([score["cohen_kappa"] for score in scores])))
            accuracy = format_number(float(np.mean([score["balanced_accuracy"] for score in scores])))
            interval = format_interval(bootstrap_interval(labels, predicted, subjects, classes))
            row[f"{name}: balanced accuracy"] = f"{accuracy} ({interval})"
        own = classifiers[first].predicted[subset.name]
        for name in others:
            change = paired_bootstrap(labels, own, classifiers[name].predicted[subset.name], subjects, classes)
            row[f"{first} minus {name}"] = f"{change.mean:+z.3f} ({change.low:+z.3f} to {change.high:+z.3f})"
        rows.append(row)
    return pandas.DataFrame(rows)
