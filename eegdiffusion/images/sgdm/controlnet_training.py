"""Training of a ControlNet whose conditions come from EEG."""

import torch
from diffusers import ControlNetModel
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.encoders.eeg_semantics import EEGSemantics
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.latent_diffusion import LatentDiffusion
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.sgdm.sgdm import guided_prediction
from eegdiffusion.images.structure.structure_from_eeg import StructureFromEEG

TEACHER_FORCING = 3
"""Stream of random numbers that decides which items learn from the image itself; see ``latent_diffusion``."""


class Guide(nn.Module):
    """The trained networks: a ControlNet and, where asked for, semantic tokens and what predicts conditions from EEG.

    Args:
        controlnet: ControlNet made from the generator's UNet.
        tokens: semantic tokens for a generator that was not trained with any; None: the generator's stay as they are.
        predictor: network from epochs to structure that is trained end to end; None: structure was predicted before.
        semantics: network from epochs to features that is trained end to end; None: features were predicted before.
    """

    def __init__(
        self, controlnet: ControlNetModel, tokens: SemanticTokens | None, predictor: StructureFromEEG | None = None,
        semantics: EEGSemantics | None = None,
    ):  # fmt: skip
        super().__init__()
        self.controlnet, self.tokens, self.predictor, self.semantics = controlnet, tokens, predictor, semantics


class ControlNetTraining(LatentDiffusion):
    """Trains a ControlNet on latents of the images seen.

    A batch has ``latent``, ``features`` and ``structure`` (of the image), ``eeg_features`` (predicted), and
    ``eeg_structure`` or, end to end, ``eeg`` and ``subject``.

    Args:
        guide: ControlNet and what is trained with it.
        generator: frozen generator.
        teacher_forcing_fraction: share of items that learn from the image's own features and structure.
        new_layer_lr_factor: factor of the learning rate of layers that the UNet does not have.
        settings: settings of the loss.
        optimisation: settings of the optimiser.
        seed: seed of steps, noise, dropped conditions and teacher forcing.
    """

    def __init__(
        self, guide: Guide, generator: Generator, teacher_forcing_fraction: float, new_layer_lr_factor: float,
        settings: Denoising, optimisation: Optimisation, seed: int,
    ):  # fmt: skip
        super().__init__(guide, generator.modules(), generator.scheduler, settings, optimisation, seed)
        self.image_generator = generator
        self.teacher_forcing_fraction, self.new_layer_lr_factor = teacher_forcing_fraction, new_layer_lr_factor

    def rate_factor(self, name: str) -> float:
        """Return the factor of a parameter's learning rate: that of layers which the UNet does not have, else 1."""
        return self.new_layer_lr_factor if name.startswith("controlnet.controlnet_") else 1.0

    def draw_teacher_forced(self, *stream: int) -> Tensor:
        """Draw which items of a global batch learn from the image itself, (B,) bool; ``stream`` tells draws apart."""
        random = self.generator(TEACHER_FORCING, *stream)
        return torch.rand(self.optimisation.batch_size, generator=random) < self.teacher_forcing_fraction

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Return the mean loss of a batch, some of whose items learn from the image itself; see :meth:`denoise`."""
        forced = self.local_slice(self.draw_teacher_forced(self.current_epoch, batch_idx))
        return super().training_step(batch | {"teacher_forced": forced}, batch_idx)

    def denoise(self, network: Guide, noisy: Tensor, steps: Tensor, batch: dict[str, Tensor], dropped: Tensor):
        """Predict (B, c, h, w) from noisy latents, guided by what EEG predicts, or the image itself where forced."""
        structure = batch.get("eeg_structure")
        if structure is None:
            if network.predictor is None:
                raise InputError("eeg_structure: must be in the batch, as no predictor is trained with the ControlNet")
            structure = network.predictor.decode_renormalised(batch["eeg"], batch["subject"])
        structure, features = structure.float(), batch["eeg_features"]
        if network.semantics is not None:
            features = network.semantics(batch["eeg"], batch["subject"])
        forced = batch.get("teacher_forced")
        if forced is not None:
            structure = torch.where(forced[:, None, None, None], batch["structure"].float(), structure)
            features = torch.where(forced[:, None], batch["features"], features)
        condition = self.image_generator.condition(features, dropped, network.tokens)
        return guided_prediction(self.image_generator, network.controlnet, noisy, steps, condition, structure)
