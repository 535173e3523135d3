"""Previews of a structural VAE and a predictor of structure for a few test images, and traversals of the latents."""

import numpy as np
import torch

from eegdiffusion.images.generation.pixels import to_images
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_evaluation import StructureEvaluation
from eegdiffusion.images.structure.structure_training import StructureData

PREVIEWED = 10
"""Number of test images in the previews, chosen at random."""

AXES = 3
"""Number of principal axes of the latents that are traversed."""

STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Positions on a principal axis, in standard deviations from the mean latent."""


def principal_axes(latents: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the axes along which latents vary most.

    Args:
        latents: (n, *latent_shape).
        count: number of axes.

    Returns:
        the mean latent (*latent_shape), and axes (count, *latent_shape) as long as a standard deviation.
    """
    flat = latents.reshape(len(latents), -1)
    mean = flat.mean(0)
    _, lengths, axes = np.linalg.svd(flat - mean, full_matrices=False)
    axes = axes[:count] * lengths[:count, None] / np.sqrt(len(flat))
    return mean.reshape(latents.shape[1:]), axes.reshape(-1, *latents.shape[1:])


@torch.inference_mode()
def latent_traversals(vae: StructuralVAE, latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decode latents along their first principal axes, at ``STEPS``.

    Args:
        vae: VAE on the CPU.
        latents: (n, *latent_shape) of the training images.

    Returns:
        images (axes, steps, side, side, 3) uint8, and structure maps (axes, steps, C, side, side) from 0 to 1.
    """
    mean, axes = principal_axes(latents, AXES)
    images, maps = [], []
    for axis in axes:
        path = np.stack([mean + step * axis for step in STEPS]).astype(np.float32)
        decoded, logits = vae.decode(torch.from_numpy(path))
        images.append(to_images(decoded))
        maps.append(vae.kind.activate(logits).numpy())
    return np.stack(images), np.stack(maps)


def structure_previews(
    evaluation: StructureEvaluation, vae: StructuralVAE, data: StructureData, latents: np.ndarray
) -> dict[str, np.ndarray]:
    """Gather what figures show, for test images chosen at random.

    Args:
        evaluation: results on the test images.
        vae: VAE on the CPU.
        data: images and maps.
        latents: (images, *latent_shape) mean latents of all images.

    Returns:
        ``seen`` and ``decoded`` (n, side, side, 3) uint8; ``maps``, ``vae_maps``, ``mean_field`` and
        ``eeg_maps_<subject>`` (n, C, side, side) from 0 to 1; ``traversal_images``, ``traversal_maps`` and
        ``traversal_steps`` of :func:`latent_traversals`.
    """
    chosen = np.sort(np.random.default_rng(0).permutation(len(evaluation.rows))[:PREVIEWED])
    rows = evaluation.rows[chosen]
    traversal_images, traversal_maps = latent_traversals(vae, latents[data.split == "train"])
    eeg_maps = {f"eeg_maps_{subject}": maps[chosen] for subject, maps in evaluation.eeg_maps.items()}
    return {
        "seen": np.asarray(data.images[rows]),
        "decoded": evaluation.decoded[chosen],
        "maps": data.maps[rows],
        "vae_maps": evaluation.vae_maps[chosen],
        **eeg_maps,
        "mean_field": np.repeat(vae.mean_field[None].numpy(), len(chosen), 0),
        "traversal_images": traversal_images,
        "traversal_maps": traversal_maps,
        "traversal_steps": np.array(STEPS),
    }
