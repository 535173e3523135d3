"""Training of a ControlNet whose conditions come from EEG."""

import torch
from diffusers import ControlNetModel
from torch import Tensor, nn

from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.latent_diffusion import Denoising, LatentDiffusion
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.sgdm.sgdm import guided
from eegdiffusion.images.structure.structure_from_eeg import StructureFromEEG

TRUTH = 3
"""Draws of the items that get what the image itself has; see ``latent_diffusion`` for the others."""


class Guide(nn.Module):
    """What is trained: a ControlNet, and, where asked for, semantic tokens and the predictor of structure.

    Args:
        controlnet: from the generator's UNet.
        tokens: for a generator that was not trained with any; None: the generator's own stay as they are.
        predictor: epochs -> structure, trained end to end; None: structure was predicted before.
    """

    def __init__(self, controlnet: ControlNetModel, tokens: SemanticTokens | None, predictor: StructureFromEEG | None):
        super().__init__()
        self.controlnet, self.tokens, self.predictor = controlnet, tokens, predictor


class ControlNetTraining(LatentDiffusion):
    """Trains a ControlNet on latents of the images seen.

    A batch has ``latent``, ``features`` and ``structure`` (of the image), ``eeg_features`` (predicted), and
    ``eeg_structure`` or, end to end, ``eeg`` and ``subject``.

    Args:
        guide: what is trained.
        generator: frozen.
        truth_share: of the items that get the image's own features and structure in place of the predicted ones.
        fresh_rate: factor of the learning rate of layers that the UNet does not have: taps, and what embeds structure.
        settings, optimisation, seed: see :class:`LatentDiffusion`.
    """

    def __init__(
        self, guide: Guide, generator: Generator, truth_share: float, fresh_rate: float, settings: Denoising,
        optimisation: Optimisation, seed: int,
    ):  # fmt: skip
        super().__init__(guide, generator.modules(), generator.scheduler, settings, optimisation, seed)
        # In a tuple, so that it is no part of what is trained and saved.
        self._generator, self.truth_share, self.fresh_rate = (generator,), truth_share, fresh_rate

    def rate_factor(self, name: str) -> float:
        return self.fresh_rate if name.startswith("controlnet.controlnet_") else 1.0

    def draw_truth(self, *stream: int) -> Tensor:
        """Draw which items of a global batch get what their image has, (B,) bool; ``stream`` tells draws apart."""
        return torch.rand(self.optimisation.batch_size, generator=self.generator(TRUTH, *stream)) < self.truth_share

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        true = self.local_slice(self.draw_truth(self.current_epoch, batch_idx))
        return super().training_step(batch | {"true": true}, batch_idx)

    def denoise(self, network: Guide, noisy: Tensor, steps: Tensor, batch: dict[str, Tensor], dropped: Tensor):
        (generator,) = self._generator
        structure = batch.get("eeg_structure")
        if structure is None:
            structure = network.predictor.typical(batch["eeg"], batch["subject"])
        structure, features = structure.float(), batch["eeg_features"]
        true = batch.get("true")
        if true is not None:
            structure = torch.where(true[:, None, None, None], batch["structure"].float(), structure)
            features = torch.where(true[:, None], batch["features"], features)
        condition = generator.condition(features, dropped, network.tokens)
        return guided(generator, network.controlnet, noisy, steps, condition, structure)
