"""Images of each arm of a reconstruction: the same items and noise, under conditions that tell what EEG contributes."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.core.training.inference import BatchedDataset
from eegdiffusion.images.condiffusion.condiffusion_sampling import ConDiffusionPipeline, generate_images
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, permuted
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.sgdm.control_settings import ControlSettings
from eegdiffusion.images.sgdm.image_conditions import predict_conditions, predict_features
from eegdiffusion.images.sgdm.sgdm import SGDM

Arms = Iterator[tuple[str, np.ndarray]]
"""Names of arms and their images (items, samples, height, width, 3) uint8, one arm after the other."""


class ZeroedEEG:
    """A dataset of epochs whose EEG is zero.

    Args:
        epochs: dataset of ``eeg`` and whatever else its items have.
    """

    def __init__(self, epochs: BatchedDataset):
        self._epochs = epochs

    def __len__(self) -> int:
        return len(self._epochs)

    def __getitems__(self, indices: list[int]) -> dict[str, np.ndarray]:
        """Read items, stacked."""
        items = self._epochs.__getitems__(indices)
        return {**items, "eeg": np.zeros_like(items["eeg"])}


def shuffled_rows(epochs: PairedEpochs, seed: int) -> np.ndarray:
    """Draw for each item an item of the same subject at random, (items,) rows."""
    subjects = epochs.table["subject"].to_numpy(str)
    return permuted(np.arange(len(epochs)), subjects, seed)


def sgdm_arms(
    sgdm: SGDM, epochs: PairedEpochs, truth: Tensor, samples: int, seed: int, sampling: Sampling,
    control: ControlSettings,
) -> tuple[Arms, dict[str, Tensor]]:  # fmt: skip
    """Make the images of all arms of SGDM.

    Args:
        sgdm: trained model.
        epochs: test epochs, an item for each subject and image.
        truth: (items, channels, side, side) structure of the images seen.
        samples: number of images of an item.
        seed: seed of the noise, which all arms share, and of the shuffled arm's order.
        sampling: how images are sampled.
        control: how far the ControlNet takes part.

    Returns:
        the arms, which are made as they are asked for, and structure maps by title.
    """
    device = sgdm.generator.unet.device
    order = torch.from_numpy(shuffled_rows(epochs, seed))
    own = predict_conditions(sgdm.semantics, sgdm.predictor, epochs, device, "conditions")
    zeroed = predict_conditions(sgdm.semantics, sgdm.predictor, ZeroedEEG(epochs), device, "conditions, zeroed EEG")
    conditions = {
        "full": (own.features, own.structure),
        "semantics_only": (own.features, None),
        "structure_only": (None, own.structure),
        "oracle_structure": (own.features, truth),
        "ridge": (predict_features(sgdm.baseline, epochs, device), None),
        "zeroed_eeg": (zeroed.features, zeroed.structure),
        "shuffled_eeg": (own.features[order], own.structure[order]),
    }
    seeds = seeds_for(len(epochs), samples, seed)

    def repeated(values: Tensor | None) -> Tensor | None:
        return None if values is None else values.repeat_interleave(samples, 0)

    def generate_arms() -> Arms:
        for arm, (features, structure) in conditions.items():
            images = sgdm.generate(repeated(features), repeated(structure), seeds, sampling, control, desc=arm)
            yield arm, images.reshape(len(epochs), samples, *images.shape[1:])

    return generate_arms(), {"of the picture": truth, "from EEG": own.structure}


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
