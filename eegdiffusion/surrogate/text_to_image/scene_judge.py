"""A judge of pictures: a small network that learns from true scenes to name their concept and their colour."""

from pathlib import Path

import numpy as np
import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

from eegdiffusion.core.training.ema_module import EMALightningModule
from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.inference import ArrayDataset, batched
from eegdiffusion.core.training.settings import Hardware, Optimisation
from eegdiffusion.images.generation.pixels import to_pixels
from eegdiffusion.surrogate.text_to_image.captioned_scenes import HUES
from eegdiffusion.surrogate.text_to_image.scene_collection import SceneCollection


class SceneJudge(ModelMixin, ConfigMixin):
    """Names what a scene shows.

    Args:
        concepts: names of the concepts.
        widths: channels of each level; each halves the side of the picture.
    """

    @register_to_config
    def __init__(self, concepts: list[str], widths: tuple[int, ...] = (16, 32, 64)):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *widths[:-1]), widths, strict=True):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.Conv2d(after, after, 3, 2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.2))
        self.concept = nn.Linear(4 * widths[-1], len(concepts))
        self.colour = nn.Linear(4 * widths[-1], len(HUES) + 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Judge pixels (B, 3, side, side) from -1 to 1.

        Returns:
            (B, concepts) logits of the concepts, and (B, colours + 1) logits of :data:`HUES` and of no colour.
        """
        features = self.features(pixels)
        return self.concept(features), self.colour(features)


class JudgeTraining(EMALightningModule):
    """Minimises the cross entropies of concept and colour (batches of ``images``, ``concept`` and ``colour``)."""

    def __init__(self, model: SceneJudge, optimisation: Optimisation, seed: int):
        super().__init__(model, optimisation, seed)
        self.average_over_validation("loss")

    def _loss(self, network: SceneJudge, batch: dict[str, Tensor]) -> Tensor:
        concept, colour = network(to_pixels(batch["images"]))
        return functional.cross_entropy(concept, batch["concept"]) + functional.cross_entropy(colour, batch["colour"])

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch, and log it as ``train_loss``."""
        loss = self._loss(self.model, batch)
        return self.log_training_loss(loss, len(batch["images"]))

    @torch.no_grad()
    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Add the loss of a batch under the averaged weights."""
        self.update_validation({"loss": self._loss(self.ema_model, batch)}, len(batch["images"]))


def labels_of(collection: SceneCollection) -> dict[str, np.ndarray]:
    """Return ``concept`` and ``colour`` (scenes,) int64 of scenes, the colour after the last where there is none."""
    colours = [*HUES, None]
    return {
        "concept": np.array([collection.concepts.index(scene.concept) for scene in collection.scenes]),
        "colour": np.array([colours.index(scene.colour) for scene in collection.scenes]),
    }


def train_judge(
    collection: SceneCollection, held_out: np.ndarray, hardware: Hardware, work: Path, seed: int,
    optimisation: Optimisation,
) -> tuple[SceneJudge, Fitted]:  # fmt: skip
    """Train a judge.

    Args:
        collection: true scenes.
        held_out: (scenes,) bool, scenes that choose the weights and are not trained on.
        hardware: devices to train on.
        work: folder for checkpoints.
        seed: seed of weights and order.
        optimisation: optimiser and stopping rule.

    Returns:
        the judge in evaluation mode, and how its training went.
    """
    torch.manual_seed(seed)
    training = JudgeTraining(SceneJudge(collection.concepts), optimisation, seed)
    arrays = {"images": collection.images, **labels_of(collection)}
    parts = [ArrayDataset(**{k: values[rows] for k, values in arrays.items()}) for rows in (~held_out, held_out)]
    fitted = fit(training, *parts, monitor="validation_loss", mode="min", hardware=hardware, work=work)
    return training.ema_model, fitted


def judge_images(judge: SceneJudge, images: np.ndarray) -> dict[str, np.ndarray]:
    """Name ``concept`` and ``colour`` of images (n, side, side, 3) uint8, by numbers (n,)."""

    def names(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        concept, colour = judge(to_pixels(batch["images"]))
        return {"concept": concept.argmax(1), "colour": colour.argmax(1)}

    named = batched(names, ArrayDataset(images=images), 256, judge.device)
    return {name: values.numpy() for name, values in named.items()}
