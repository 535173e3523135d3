"""Images of the arms of EEG-ConDiffusion."""

import numpy as np

from eegdiffusion.images.condiffusion.condiffusion_sampling import ConDiffusionPipeline, generate_images
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.reconstruction.arms import Arms, shuffled_rows


def condiffusion_arms(
    pipeline: ConDiffusionPipeline, epochs: PairedEpochs, samples: int, seed: int, sampling: Sampling
) -> Arms:
    """Make the images of all arms of EEG-ConDiffusion.

    Args:
        pipeline: trained model.
        epochs: test epochs, an item for each subject and image.
        samples: number of images of an item.
        seed: seed of the noise, which all arms share, and of the shuffled arm's order.
        sampling: how images are sampled.

    Returns:
        the arms, which are made as they are asked for.
    """
    items = epochs.__getitems__(list(range(len(epochs))))
    eeg, subject = items["eeg"], items["subject"]
    seeds = seeds_for(len(eeg), samples, seed)
    arms = {
        "condiffusion": eeg,
        "condiffusion_zeroed": np.zeros_like(eeg),
        "condiffusion_shuffled": eeg[shuffled_rows(epochs, seed)],
    }
    for arm, arm_eeg in arms.items():
        images = generate_images(pipeline, arm_eeg, seeds, sampling, subject, desc=arm)
        yield arm, images.reshape(len(eeg), samples, *images.shape[1:])
