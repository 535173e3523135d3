"""Images of the arms of EEG-ConDiffusion."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from eegdiffusion.core.storage.batched_dataset import BatchedDataset
from eegdiffusion.core.storage.subset import Subset
from eegdiffusion.images.condiffusion.condiffusion_sampling import ConDiffusionPipeline, generate_batches
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.reconstruction.arms import Arms, ZeroedEEG, shuffled_rows


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
        what makes the images of each arm.
    """
    seeds = seeds_for(len(epochs), samples, seed)
    arms: dict[str, BatchedDataset] = {
        "condiffusion": epochs,
        "condiffusion_zeroed": ZeroedEEG(epochs),
        "condiffusion_shuffled": Subset(epochs, shuffled_rows(epochs, seed)),
    }

    def batches(arm: str, first: int) -> Iterator[np.ndarray]:
        return generate_batches(pipeline, arms[arm], seeds, sampling, first=first, desc=arm)

    return {arm: partial(batches, arm) for arm in arms}
