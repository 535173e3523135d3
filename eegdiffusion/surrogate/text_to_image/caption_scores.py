"""Pictures of captions that a text-to-image model has not seen, and how often a judge sees what was asked for."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from eegdiffusion.surrogate.text_to_image.scene_collection import SceneCollection
from eegdiffusion.surrogate.text_to_image.scene_judge import SceneJudge, judge_images, labels_of


@dataclass(frozen=True)
class Share:
    """A share of pictures, with the exact (Clopper-Pearson) 95 % interval."""

    share: float
    low: float
    high: float
    pictures: int

    @classmethod
    def of(cls, right: np.ndarray) -> "Share":
        """Take the share of pictures (n,) bool that are right."""
        interval = binomtest(int(right.sum()), len(right)).proportion_ci(0.95)
        return cls(float(right.mean()), float(interval.low), float(interval.high), len(right))


def caption_scores(judge: SceneJudge, collection: SceneCollection, images: np.ndarray) -> dict[str, Share]:
    """Compare what a judge sees in images with what their captions asked for.

    Args:
        judge: judge that learned from true scenes.
        collection: scenes with the captions.
        images: (scenes, side, side, 3) uint8, pictures of the captions, or the true scenes themselves.

    Returns:
        shares of pictures of which the ``concept`` and the ``colour`` were named.
    """
    asked, seen = labels_of(collection), judge_images(judge, images)
    return {name: Share.of(asked[name] == seen[name]) for name in asked}
