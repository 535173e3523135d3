"""Arms of a reconstruction: the same items and noise, under conditions that tell what EEG contributes."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from components.reconstruct.settings import Reconstruct
from eegdiffusion.images.condiffusion.condiffusion_sampling import Pictures, generate
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, permuted
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.sgdm.sgdm import SGDM

BATCH = 64


def shuffled(data: PairedEpochs, seed: int) -> np.ndarray:
    """For each item, another item of the same subject, drawn at random."""
    subjects = data.table["subject"].to_numpy(str)
    return permuted(np.arange(len(data)), subjects, seed)


def read_epochs(data: PairedEpochs) -> tuple[Tensor, Tensor]:
    """All items of a dataset: epochs (n, electrodes, samples) and subjects (n,)."""
    found = data.__getitems__(list(range(len(data))))
    return torch.from_numpy(found["eeg"]), torch.from_numpy(found["subject"])


@torch.inference_mode()
def in_batches(predict: Callable[[Tensor, Tensor], Tensor], eeg: Tensor, subject: Tensor, device) -> Tensor:
    """Predict from epochs, a batch at a time; on the CPU."""
    parts = zip(eeg.split(BATCH), subject.split(BATCH), strict=True)
    return torch.cat([predict(e.to(device), s.to(device)).float().cpu() for e, s in parts])


def sgdm_arms(
    sgdm: SGDM, data: PairedEpochs, truth: Tensor, settings: Reconstruct
) -> tuple[Iterator[tuple[str, np.ndarray]], dict[str, Tensor]]:
    """Make the pictures of all arms of SGDM.

    Args:
        sgdm: the model.
        data: test epochs, an item for each subject and image.
        truth: (items, channels, side, side) structure of the pictures seen.
        settings: how many pictures, how they are sampled, and the seed of the noise, which all arms share.

    Returns:
        arms one after the other, each (items, samples, height, width, 3) uint8; and structure maps by title.
    """
    device = sgdm.generator.unet.device
    eeg, subject = read_epochs(data)
    other = torch.from_numpy(shuffled(data, settings.seed))
    features = in_batches(sgdm.semantics, eeg, subject, device)
    structure = in_batches(sgdm.predictor.typical, eeg, subject, device)
    zeros = torch.zeros_like(eeg)
    blank = (
        in_batches(sgdm.semantics, zeros, subject, device),
        in_batches(sgdm.predictor.typical, zeros, subject, device),
    )
    conditions = {
        "full": (features, structure),
        "semantics_only": (features, None),
        "structure_only": (None, structure),
        "oracle_structure": (features, truth),
        "ridge": (in_batches(sgdm.baseline, eeg, subject, device), None),
        "zeroed_eeg": blank,
        "shuffled_eeg": (features[other], structure[other]),
    }
    samples = settings.samples
    seeds = seeds_for(len(eeg), samples, settings.seed)

    def repeated(values: Tensor | None) -> Tensor | None:
        return None if values is None else values.repeat_interleave(samples, 0)

    def made() -> Iterator[tuple[str, np.ndarray]]:
        for arm, (semantic, structural) in conditions.items():
            conditions_ = repeated(semantic), repeated(structural)
            found = sgdm.pictures(*conditions_, seeds, settings.sampling, settings.control, desc=arm)
            yield arm, found.reshape(len(eeg), samples, *found.shape[1:])

    return made(), {"of the picture": truth, "from EEG": structure}


def condiffusion_arms(model: Pictures, data: PairedEpochs, settings: Reconstruct) -> Iterator[tuple[str, np.ndarray]]:
    """Make the pictures of all arms of EEG-ConDiffusion; see :func:`sgdm_arms`."""
    eeg, subject = (values.numpy() for values in read_epochs(data))
    seeds = seeds_for(len(eeg), settings.samples, settings.seed)
    other = shuffled(data, settings.seed)
    arms = {"condiffusion": eeg, "condiffusion_zeroed": np.zeros_like(eeg), "condiffusion_shuffled": eeg[other]}
    for arm, epochs in arms.items():
        found = generate(model, epochs, seeds, settings.sampling, subject, desc=arm)
        yield arm, found.reshape(len(eeg), settings.samples, *found.shape[1:])
