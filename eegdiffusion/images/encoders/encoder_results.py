"""What a trained encoder of EEG leaves behind: predictions, metrics, learning curves."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
from sklearn.metrics import accuracy_score

from eegdiffusion.core.statistics.classification_metrics import prediction_metrics
from eegdiffusion.core.statistics.retrieval import top_k

RANKS, RETRIEVED, CLASSIFIED = "ranks.parquet", "retrieved.parquet", "classified.parquet"

PLACES = (1, 5)
"""Places that count in retrieval."""


@dataclass(frozen=True)
class Retrieval:
    """Outcome of retrieval among the test images.

    Attributes:
        images: how many there are.
        ranks, retrieved: see ``eegdiffusion.images.encoders.image_retrieval.retrieve``.
    """

    images: int
    ranks: pandas.DataFrame
    retrieved: pandas.DataFrame

    @property
    def metrics(self) -> dict[str, float]:
        """Top-1 and top-5 among all images with all repetitions averaged, means over test subjects."""
        found = {}
        for k in PLACES:
            each = []
            for _, rows in self.ranks.groupby("subject"):
                whole = rows[rows["repetitions"] == rows["repetitions"].max()]
                each.append(top_k(whole["rank"].to_numpy(), self.images, self.images, k).mean())
            found[f"top{k}"] = float(np.mean(each))
        return found

    def write(self, folder: Path) -> None:
        """Write the tables."""
        self.ranks.to_parquet(folder / RANKS, index=False)
        self.retrieved.to_parquet(folder / RETRIEVED, index=False)


def classification_metrics(table: pandas.DataFrame) -> dict[str, float]:
    """Accuracy, kappa, balanced accuracy and weighted F1 of ``label`` and probabilities ``p0``, ``p1``, ..."""
    columns = [name for name in table if name.startswith("p") and name[1:].isdigit()]
    labels, predicted = table["label"].to_numpy(), table[columns].to_numpy().argmax(1)
    return {"accuracy": float(accuracy_score(labels, predicted)), **prediction_metrics(labels, predicted)}


def write(folder: Path, curves: list[dict[str, float]], facts: dict[str, object], metrics: dict[str, float]) -> None:
    """Write ``metrics.json``, and ``curves.csv`` where there are any; the folder is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    if curves:
        pandas.DataFrame(curves).to_csv(folder / "curves.csv", index=False)
    (folder / "metrics.json").write_text(json.dumps({"split": "test", **facts, **metrics}, indent=2))
