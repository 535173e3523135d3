"""Chooses the depth of the image network that EEG tells most of, on the validation split, by ridge regressions.

Layers differ in how many directions they vary in and in how alike their images are, and retrieval with them as they are
favours some whatever was recorded. So each is described by as many principal components, of unit variance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas
from sklearn.decomposition import PCA

from eegdiffusion.core.statistics.retrieval import ranks
from eegdiffusion.images.encoders.ridge import RidgeEpochs, by_image
from eegdiffusion.images.epochs.image_pairs import ALL, Pairs

COMPONENTS = 32
"""Largest number of principal components of a layer."""


@dataclass(frozen=True)
class LayerSweep:
    """Layers by how well epochs of the validation split retrieve their images.

    Attributes:
        table: a row for each layer, from shallow to deep: ``layer``, ``alpha`` (penalty), ``rank`` (mean rank of the
            right image among the validation images, 0 best, 0.5 by chance) and ``correlation`` (mean over components
            of what is predicted with what is).
    """

    table: pandas.DataFrame

    @property
    def best(self) -> str:
        """The layer with the least mean rank; the shallower of equal ones."""
        return str(self.table.loc[self.table["rank"].idxmin(), "layer"])


def whitened_components(features: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Compute principal components of unit variance of standardised features, (images, components).

    Args:
        features: (images, width).
        fitted: rows of the images that mean, deviation and components are taken from.
    """
    chosen = features[fitted]
    scaled = (features - chosen.mean(0)) / (chosen.std(0) + 1e-6)
    count = min(COMPONENTS, len(np.unique(fitted)) - 1, features.shape[1])
    return PCA(count, whiten=True, random_state=0).fit(scaled[fitted]).transform(scaled).astype(np.float32)


def sweep_layers(pairs: Pairs, layers: Mapping[str, np.ndarray], alphas: Sequence[float]) -> LayerSweep:
    """Fit a ridge regression from the training subjects' epochs to each layer, and compare them on validation epochs.

    Test images take no part.

    Args:
        pairs: epochs of a fold, and ``identity`` of each image.
        layers: (images, width) activations of each layer, from shallow to deep.
        alphas: penalties that are chosen from, by the same ranks.
    """
    train, validation = pairs.part("train", ALL), pairs.part("validation", ALL)
    ridge, identity, shown = RidgeEpochs(train), validation.values("identity"), train.table["image"].to_numpy()
    rows = []
    for name, features in layers.items():
        used = np.isin(pairs.split, ("train", "validation"))
        numbers = np.cumsum(used) - 1
        components = whitened_components(features[used], numbers[np.unique(shown)])
        targets = np.full((len(features), components.shape[1]), np.nan, np.float32)
        targets[used] = components
        wanted = targets[validation.table["image"].to_numpy()]
        projection = ridge.project(by_image(targets))
        candidates = []
        for alpha in alphas:
            predicted = ridge.predict(ridge.fit(projection, alpha), validation)
            rank = float(ranks(predicted, wanted, identity).mean()) / max(1, len(np.unique(identity)) - 1)
            candidates.append((rank, alpha, predicted))
        rank, alpha, predicted = min(candidates, key=lambda candidate: candidate[0])
        correlation = np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(predicted.T, wanted.T, strict=True)])
        rows.append({"layer": name, "alpha": alpha, "rank": rank, "correlation": float(correlation)})
    return LayerSweep(pandas.DataFrame(rows))
