"""A classifier of true pictures, which says of which concept a reconstruction is."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from eegdiffusion.images.metrics.image_arrays import Images
from eegdiffusion.images.metrics.metric_networks import FeatureNetwork

INVERSE_PENALTY = 0.01
"""Of the logistic regression: features are wider than there are pictures."""


@dataclass(frozen=True)
class ConceptJudge:
    """A classifier of true pictures.

    Attributes:
        network: key of the network whose pooled features it classifies.
        output: name of that output.
        classifier: logistic regression of standardised features.
    """

    network: str
    output: str
    classifier: Pipeline

    @property
    def classes(self) -> int:
        """Number of concepts that it tells apart."""
        return len(self.classifier.classes_)

    def names(self, outputs: dict[str, np.ndarray], concepts: np.ndarray) -> np.ndarray:
        """Say which pictures are named by their concept, (n,) 0 or 1.

        Args:
            outputs: outputs of the network for the pictures, by name.
            concepts: (n,) concept of each.
        """
        return (self.classifier.predict(outputs[self.output]) == concepts).astype(float)


def train_judge(network: FeatureNetwork, images: Images, concepts: np.ndarray) -> ConceptJudge:
    """Train a judge on true pictures.

    Args:
        network: network with a pooled output.
        images: (n, height, width, 3) uint8, none of which is a test image.
        concepts: (n,) concept of each.
    """
    if network.pooled is None:
        raise ValueError(f"{network.name}: has no pooled output")
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, max_iter=1000))
    return ConceptJudge(network.key, network.pooled, classifier.fit(network.outputs(images)[network.pooled], concepts))
