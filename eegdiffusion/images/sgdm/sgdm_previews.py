"""Images that SGDM makes of a few test epochs, with all of its conditions and with one of them."""

import numpy as np
import torch

from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.sgdm.control_settings import ControlSettings
from eegdiffusion.images.sgdm.sgdm import SGDM
from eegdiffusion.images.structure.structure_maps import StructureMaps


@torch.inference_mode()
def sgdm_previews(
    sgdm: SGDM, epochs: PairedEpochs, seen: np.ndarray, structure: StructureMaps, sampling: Sampling,
    control: ControlSettings, count: int, seed: int,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Make images of test epochs drawn at random.

    Args:
        sgdm: trained model.
        epochs: epochs of the test split.
        seen: (images, side, side, 3) uint8 images of the store.
        structure: structure maps of the images.
        sampling: how images are sampled.
        control: how far the ControlNet takes part.
        count: number of epochs, at most.
        seed: seed of the draw of epochs.

    Returns:
        ``seen``, ``full``, ``features_alone`` and ``structure_alone`` (n, side, side, 3) uint8; ``maps`` and
        ``eeg_maps`` (n, C, side, side) from 0 to 1, structure of the images and predicted from EEG.
    """
    rows = np.random.default_rng(seed).permutation(len(epochs))[:count]
    batch = epochs.__getitems__(rows.tolist())
    device = sgdm.generator.unet.device
    eeg, subject = (torch.from_numpy(batch[name]).to(device) for name in ("eeg", "subject"))
    maps, features = sgdm.predictor.decode_renormalised(eeg, subject), sgdm.semantics(eeg, subject)
    seeds = seeds_for(len(eeg), 1, 0)
    conditions = {"full": (features, maps), "features_alone": (features, None), "structure_alone": (None, maps)}
    images = {name: sgdm.generate(*pair, seeds, sampling, control) for name, pair in conditions.items()}
    return {
        "seen": np.asarray(seen[batch["image"]]),
        "maps": structure[batch["image"]],
        "eeg_maps": maps.cpu().numpy(),
        **images,
    }
