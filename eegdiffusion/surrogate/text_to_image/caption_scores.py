"""Pictures of captions that a text-to-image model has not seen, and how often a judge sees what was asked for."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from eegdiffusion.images.generation.generator import Generator
from eegdiffusion.images.generation.image_sampling import SamplingRequest, sample_latents, seeds_for
from eegdiffusion.surrogate.text_to_image.captions import token_ids
from eegdiffusion.surrogate.text_to_image.miniature_training import TextToImage
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


def images_of_captions(
    pipeline: TextToImage, generator: Generator, captions: list[str], seed: int, steps: int = 20, guidance: float = 3.0
) -> np.ndarray:
    """Sample an image of each caption.

    Args:
        pipeline: text encoder and tokenizer, of the generator.
        generator: the same model as a generator.
        captions: prompts.
        seed: seed of the noise.
        steps: number of sampling steps.
        guidance: scale of classifier-free guidance against the empty prompt.

    Returns:
        (captions, side, side, 3) uint8.
    """
    device = generator.unet.device
    with torch.inference_mode():
        tokens = torch.from_numpy(token_ids(pipeline.tokenizer, [*captions, ""])).to(device)
        hidden = pipeline.text_encoder(tokens).last_hidden_state

    def denoise(noisy: Tensor, step: Tensor, items: slice, unconditional: bool) -> Tensor:
        seen = hidden[-1:].expand(len(noisy), -1, -1) if unconditional else hidden[:-1][items]
        return generator.unet(noisy, step, encoder_hidden_states=seen).sample

    request = SamplingRequest(
        generator.latent_shape, seeds_for(len(captions), 1, seed), steps=steps, guidance=guidance, batch_size=64,
        desc="pictures of captions",
    )  # fmt: skip
    return generator.decode(sample_latents(denoise, generator.scheduler, request, device))


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
