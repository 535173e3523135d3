"""What the test of a trained encoder of EEG leaves behind: tables of retrieved or classified images, and metrics."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
from sklearn.metrics import accuracy_score

from eegdiffusion.core.statistics.classification_metrics import prediction_metrics
from eegdiffusion.core.statistics.retrieval import top_k

RANKS, RETRIEVED, CLASSIFIED = "ranks.parquet", "retrieved.parquet", "classified.parquet"

TOP_K = (1, 5)
"""Numbers k of which retrieval counts whether the right image is among the k most similar."""


@dataclass(frozen=True)
class Retrieval:
    """Outcome of retrieval among the test images.

    Attributes:
        images: number of test images.
        ranks: rank of the right image, see ``eegdiffusion.images.encoders.image_retrieval.retrieve``.
        retrieved: images that were retrieved, see there.
    """

    images: int
    ranks: pandas.DataFrame
    retrieved: pandas.DataFrame

    @property
    def metrics(self) -> dict[str, float]:
        """Top-1 and top-5 among all images with all repetitions averaged, means over test subjects."""
        metrics = {}
        for k in TOP_K:
            each = []
            for _, rows in self.ranks.groupby("subject"):
                all_averaged = rows[rows["repetitions"] == rows["repetitions"].max()]
                each.append(top_k(all_averaged["rank"].to_numpy(), self.images, self.images, k).mean())
            metrics[f"top{k}"] = float(np.mean(each))
        return metrics

    def write_tables(self, folder: Path) -> None:
        """Write ``ranks.parquet`` and ``retrieved.parquet``."""
        self.ranks.to_parquet(folder / RANKS, index=False)
        self.retrieved.to_parquet(folder / RETRIEVED, index=False)


def classification_metrics(table: pandas.DataFrame) -> dict[str, float]:
    """Compute accuracy, kappa, balanced accuracy and weighted F1 of ``label`` and probabilities ``p0``, ``p1``, ..."""
    columns = [name for name in table if name.startswith("p") and name[1:].isdigit()]
    labels, predicted = table["label"].to_numpy(), table[columns].to_numpy().argmax(1)
    return {"accuracy": float(accuracy_score(labels, predicted)), **prediction_metrics(labels, predicted)}
