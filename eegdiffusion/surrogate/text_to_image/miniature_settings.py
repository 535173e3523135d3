"""Settings of the miniature of Stable Diffusion."""

from dataclasses import replace
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import EMASettings, Optimisation
from eegdiffusion.images.generation.denoising_settings import Denoising
from eegdiffusion.surrogate.text_to_image.network_settings import (
    AutoencoderSettings,
    DenoiserSettings,
    TextEncoderSettings,
)


@settings
class Miniature:
    """What the miniature of Stable Diffusion is trained on, and for how long."""

    seed: Annotated[int, Ge(0)] = 20
    """Seed of scenes, weights and all noise; also of the corpora's concepts, see ``SurrogateThings.seed``."""
    concepts: Annotated[int, Ge(2)] = 80
    """Number of concepts, the first of the order in which the corpora take theirs."""
    pictures: Annotated[int, Ge(8)] = 40_000
    """Number of scenes."""
    image_size: Annotated[int, Ge(8)] = 32
    """Side of the scenes in pixels."""
    validation_fraction: Annotated[float, Gt(0), Lt(1)] = 0.02
    """Share of the scenes that choose the weights and are not trained on."""
    autoencoder: AutoencoderSettings = AutoencoderSettings(
        kl_weight=1e-4,
        optimisation=Optimisation(
            batch_size=16, max_epochs=8, patience=8, learning_rate=2e-3, one_cycle=True, betas=(0.9, 0.99),
            validations_per_epoch=4, ema=EMASettings(beta=0.999, update_after_step=100, update_every=2),
        ),
    )  # fmt: skip
    """Autoencoder, which is trained first."""
    network: DenoiserSettings = DenoiserSettings(
        denoising=Denoising(condition_dropout=0.1),
        optimisation=Optimisation(
            batch_size=64, max_epochs=16, patience=64, learning_rate=1.5e-3, one_cycle=True, betas=(0.9, 0.99),
            weight_decay=0.01, validations_per_epoch=4,
            ema=EMASettings(beta=0.999, update_after_step=100, update_every=2),
        ),
    )  # fmt: skip
    """UNet and text encoder, which are trained together on the autoencoder's latents."""
    text_encoder: TextEncoderSettings = TextEncoderSettings(layers=2, heads=4, width=96)
    """Text encoder, of CLIP's class."""
    judge: Optimisation = Optimisation(
        batch_size=64, max_epochs=6, patience=6, learning_rate=3e-3, one_cycle=True, betas=(0.9, 0.99),
        weight_decay=0.05, ema=EMASettings(beta=0.99, update_after_step=50, update_every=2),
    )  # fmt: skip
    """Training of the judge of its pictures."""

    def trained_for(self, autoencoder: int, network: int) -> "Miniature":
        """Return the same settings with other numbers of epochs for the autoencoder and for UNet and text encoder."""
        rounds = replace(self.autoencoder.optimisation, max_epochs=autoencoder)
        network_rounds = replace(self.network.optimisation, max_epochs=network)
        return replace(
            self,
            autoencoder=replace(self.autoencoder, optimisation=rounds),
            network=replace(self.network, optimisation=network_rounds),
        )
