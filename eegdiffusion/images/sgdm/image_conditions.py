"""What EEG says about images, computed once for a whole dataset of epochs: features and structure maps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.storage.array_file import map_array
from eegdiffusion.core.storage.batched_array import write_batches
from eegdiffusion.core.training.inference import BatchedDataset, batched
from eegdiffusion.images.encoders.eeg_semantics import EEGSemantics
from eegdiffusion.images.encoders.ridge import select_ridge
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.structure.structure_from_eeg import StructureFromEEG

BATCH = 64
"""Number of epochs that are computed at a time."""

ROWS = 4096
"""Number of predictions that are compared at a time."""


@dataclass(frozen=True)
class PredictedConditions:
    """Predictions from the epochs of a dataset.

    Attributes:
        features: (epochs, width) float32 image features.
        structure: (epochs, channels, side, side) structure maps from 0 to 1.
    """

    features: Tensor
    structure: Tensor


def predict_conditions(
    semantics: EEGSemantics, structure: StructureFromEEG, data: BatchedDataset, device: torch.device, desc: str
) -> PredictedConditions:
    """Predict features and structure maps of all epochs of a dataset, in order.

    Args:
        semantics: network from EEG to features.
        structure: network from EEG to structure.
        data: dataset of ``eeg`` and ``subject``.
        device: device to compute on.
        desc: label of the progress bar.

    Returns:
        predictions on the CPU.
    """
    semantics, structure = semantics.to(device).eval(), structure.to(device).eval()

    def predict(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        eeg, subject = batch["eeg"], batch["subject"]
        maps = structure.decode_renormalised(eeg, subject)
        return {"features": semantics(eeg, subject).float(), "structure": maps}

    return PredictedConditions(**batched(predict, data, BATCH, device, desc))


def predict_features(semantics: EEGSemantics, data: BatchedDataset, device: torch.device) -> Tensor:
    """Predict the features of all epochs of a dataset, in order.

    Args:
        semantics: network from EEG to features.
        data: dataset of ``eeg`` and ``subject``.
        device: device to compute on.

    Returns:
        (epochs, width) float32 on the CPU.
    """
    semantics = semantics.to(device).eval()
    return batched(lambda batch: semantics(batch["eeg"], batch["subject"]).float(), data, BATCH, device)


def keep_predictions(
    function: Callable[[Tensor, Tensor], Tensor], data: BatchedDataset, device: torch.device, dtype: type, path: Path
) -> np.ndarray:
    """Predict from all epochs of a dataset once, in order, to a file; an interrupted call is gone on with.

    Args:
        function: takes ``eeg`` and ``subject`` of a batch, on the device; returns (batch, ...).
        data: dataset of ``eeg`` and ``subject``.
        device: device to compute on.
        dtype: type of the numbers in the file.
        path: file to write, or to read where it is there.

    Returns:
        (epochs, ...) memory-mapped predictions.
    """

    def predicted(rows: range) -> np.ndarray:
        batch = data.__getitems__(list(rows))
        eeg, subject = (torch.from_numpy(batch[name]).to(device) for name in ("eeg", "subject"))
        with torch.inference_mode():
            return function(eeg, subject).float().cpu().numpy()

    def batches(first: int) -> Iterator[np.ndarray]:
        for k in progress(range(first, len(data), BATCH), desc=path.stem, unit="batch"):
            yield predicted(range(k, min(k + BATCH, len(data))))

    if not path.exists():
        write_batches(path, (len(data), *predicted(range(1)).shape[1:]), dtype, batches, BATCH)
    return map_array(path)


def mean_cosine(predicted: np.ndarray, features: np.ndarray, image: np.ndarray, mean: np.ndarray) -> float:
    """Average the cosine similarity of predicted and true features about the training mean, a few at a time.

    Args:
        predicted: (n, width) predicted features.
        features: (images, width) features of images.
        image: (n,) row of the image that each prediction is of.
        mean: (width,) mean feature of the training images.
    """
    total = 0.0
    for k in range(0, len(image), ROWS):
        rows = slice(k, k + ROWS)
        pair = (torch.from_numpy(values - mean) for values in (predicted[rows], features[image[rows]]))
        total += float(functional.cosine_similarity(*pair, dim=1).sum(dtype=torch.float64))
    return total / len(image)


def fit_baseline(
    semantics: EEGSemantics, parts: dict[str, PairedEpochs], features: np.ndarray, alphas: list[float]
) -> tuple[EEGSemantics, dict[str, float]]:
    """Fit the linear baseline, a ridge regression from epochs to centred features, calibrated as ``semantics`` is.

    Args:
        semantics: aligned encoder whose scale and calibration the baseline takes.
        parts: epochs of ``train`` and ``validation``.
        features: (images, width) features of the store's images.
        alphas: penalties, see :func:`select_ridge`; the best on the validation images is taken.

    Returns:
        the baseline, and its ``alpha`` and ``validation_cosine``.
    """
    train, validation = (parts[name].transformed(semantics.scale) for name in ("train", "validation"))
    image, mean = validation.table["image"].to_numpy(), semantics.calibration.mean.cpu().numpy()

    def negative_cosine(predicted: np.ndarray) -> float:
        return -mean_cosine(predicted + mean, features, image, mean)

    selected = select_ridge(train, lambda items: features[items["image"]] - mean, validation, alphas, negative_cosine)
    baseline = EEGSemantics(selected.encoder, semantics.calibration, semantics.scale)
    return baseline, {"alpha": selected.alpha, "validation_cosine": -selected.loss}
