"""What EEG says about images, computed once for a whole dataset of epochs: features and structure maps."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from eegdiffusion.core.training.batches import BatchesInOrder, loader
from eegdiffusion.images.encoders.eeg_semantics import EEGSemantics
from eegdiffusion.images.encoders.ridge import select_ridge
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.structure.structure_from_eeg import StructureFromEEG

BATCH = 64


@dataclass(frozen=True)
class Conditions:
    """Of a dataset of epochs.

    Attributes:
        features: (epochs, width) float32.
        structure: (epochs, channels, side, side) float16 from 0 to 1.
    """

    features: np.ndarray
    structure: np.ndarray


@torch.inference_mode()
def predict_conditions(
    semantics: EEGSemantics, structure: StructureFromEEG, data: PairedEpochs, device: torch.device, desc: str
) -> Conditions:
    """Predict features and structure maps of all epochs of a dataset, in order."""
    semantics, structure = semantics.to(device).eval(), structure.to(device).eval()
    found: tuple[list, list] = ([], [])
    for batch in tqdm(loader(data, BatchesInOrder(len(data), BATCH)), desc=desc, unit="batch"):
        eeg, subject = batch["eeg"].to(device), batch["subject"].to(device)
        found[0].append(semantics(eeg, subject).float().cpu().numpy())
        found[1].append(structure.typical(eeg, subject).half().cpu().numpy())
    return Conditions(*map(np.concatenate, found))


def cosines(predicted: np.ndarray, features: np.ndarray, mean: np.ndarray) -> float:
    """Mean cosine of predicted and true features (n, width) about the training mean."""
    pair = (torch.from_numpy(values - mean) for values in (predicted, features))
    return float(functional.cosine_similarity(*pair, dim=1).mean())


def fit_baseline(
    semantics: EEGSemantics, parts: dict[str, PairedEpochs], features: np.ndarray, alphas: list[float]
) -> tuple[EEGSemantics, dict[str, float]]:
    """Fit the linear baseline, a ridge regression from epochs to centred features, calibrated as ``semantics`` is.

    Args:
        semantics: gives scale and calibration.
        parts: epochs of ``train`` and ``validation``.
        features: (images, width).
        alphas: penalties, see :func:`select_ridge`; the best on the validation images is taken.

    Returns:
        the baseline, and its ``alpha`` and ``validation_cosine``.
    """
    truth = {name: features[data.table["image"]] for name, data in parts.items()}
    eeg = {name: semantics.scale(data.__getitems__(list(range(len(data))))["eeg"]) for name, data in parts.items()}
    mean = semantics.calibration.mean.cpu().numpy()

    def negative_cosine(predicted: np.ndarray) -> float:
        return -cosines(predicted + mean, truth["validation"], mean)

    selected = select_ridge(eeg["train"], truth["train"] - mean, eeg["validation"], alphas, negative_cosine)
    baseline = EEGSemantics(selected.encoder, semantics.calibration, semantics.scale)
    return baseline, {"alpha": selected.alpha, "validation_cosine": -selected.loss}
