"""Images that EEG-ConDiffusion makes of a few test epochs, and of those of the controls."""

import numpy as np

from eegdiffusion.images.condiffusion.condiffusion_sampling import ConDiffusionPipeline, generate_images
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, mismatched
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling

SAMPLES = 2
"""Number of images of each epoch."""


def condiffusion_previews(
    pipeline: ConDiffusionPipeline, epochs: PairedEpochs, seen: np.ndarray, sampling: Sampling, count: int, seed: int
) -> dict[str, np.ndarray]:
    """Make images of the first test epoch of each of a few images, under their own EEG and under the controls.

    Args:
        pipeline: trained model.
        epochs: epochs of the test split, as they are stored.
        seen: (images, side, side, 3) uint8 images of the store.
        sampling: how images are sampled.
        count: number of test images, at most.
        seed: seed of the noise, and of the control's order.

    Returns:
        arrays (n, side, side, 3) uint8: ``seen``; ``eeg_1``, ``eeg_2``, ... made with different noise; ``zeroed_eeg``;
        and, of two images or more, ``other_eeg``, made of the EEG of another image.
    """
    image = epochs.table["image"].to_numpy()
    rows = np.sort(np.unique(image, return_index=True)[1])[:count]
    items = epochs.__getitems__(rows.tolist())
    eeg, subject = items["eeg"], items["subject"]
    images = generate_images(pipeline, eeg, seeds_for(len(rows), SAMPLES, seed), sampling, subject)
    previews = {"seen": np.asarray(seen[image[rows]])}
    previews |= {f"eeg_{k + 1}": images[k::SAMPLES] for k in range(SAMPLES)}
    seeds = seeds_for(len(rows), 1, seed)
    previews["zeroed_eeg"] = generate_images(pipeline, np.zeros_like(eeg), seeds, sampling, subject)
    if len(rows) > 1:
        order = mismatched(image[rows], seed)
        previews["other_eeg"] = generate_images(pipeline, eeg[order], seeds, sampling, subject[order])
    return previews
