"""Images of the arms of SGDM."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.reconstruction.arms import Arms, ZeroedEEG, shuffled_rows
from eegdiffusion.images.sgdm.control_settings import ControlSettings
from eegdiffusion.images.sgdm.image_conditions import predict_conditions, predict_features
from eegdiffusion.images.sgdm.sgdm import SGDM


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
        what makes the images of each arm, and structure maps by title.
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

    def batches(arm: str, first: int) -> Iterator[np.ndarray]:
        return sgdm.generate_batches(*conditions[arm], seeds, sampling, control, samples, first, desc=arm)

    return {arm: partial(batches, arm) for arm in conditions}, {"of the picture": truth, "from EEG": own.structure}
