"""What EEG says about images, computed once for a whole dataset of epochs: features and structure maps."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from components.data.paired_epochs import PairedEpochs
from components.models.eeg_semantics import EEGSemantics, LinearPrior
from components.models.linear_encoder import LinearEncoder
from components.training.batches import BatchesInOrder, loader
from components.training.ridge import RidgeEpochs

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
def embeddings(semantics: EEGSemantics, data: PairedEpochs, device: torch.device) -> Tensor:
    """Embed all epochs of a dataset, before the prior: (epochs, width) on the CPU."""
    semantics = semantics.to(device).eval()
    batches = loader(data, BatchesInOrder(len(data), BATCH))
    return torch.cat([semantics.embed(b["eeg"].to(device), b["subject"].to(device)).cpu() for b in batches])


@torch.inference_mode()
def predict_conditions(
    semantics: EEGSemantics, structure: nn.Module, data: PairedEpochs, device: torch.device, desc: str
) -> Conditions:
    """Predict features and structure maps of all epochs of a dataset, in order."""
    semantics, structure = semantics.to(device).eval(), structure.to(device).eval()
    found: tuple[list, list] = ([], [])
    for batch in tqdm(loader(data, BatchesInOrder(len(data), BATCH)), desc=desc, unit="batch"):
        eeg, subject = batch["eeg"].to(device), batch["subject"].to(device)
        found[0].append(semantics(eeg, subject).float().cpu().numpy())
        found[1].append(structure(eeg, subject).half().cpu().numpy())
    return Conditions(*map(np.concatenate, found))


def choose_ridge(
    inputs: dict[str, np.ndarray], features: dict[str, np.ndarray], alphas: list[float]
) -> tuple[LinearEncoder, dict[str, float]]:
    """Fit a ridge regression to the training epochs; the penalty is the validation's best.

    Args:
        inputs: of ``train`` and ``validation``: (epochs, electrodes, samples).
        features: of the same: (epochs, width).
        alphas: penalties, see :class:`RidgeEpochs`.

    Returns:
        the map, and what was found: ``alpha`` and ``explained``, the share of the validation features' variance about
        the training mean.
    """
    ridge, wanted = RidgeEpochs(inputs["train"]), features["validation"]
    total = np.square(wanted - features["train"].mean(0)).sum()
    found = []
    for alpha in alphas:
        fitted = ridge.fit(features["train"], alpha)
        error = np.square(ridge.predict(fitted, inputs["validation"]) - wanted).sum()
        found.append((1 - float(error / total), alpha, fitted))
    explained, alpha, fitted = max(found, key=lambda one: one[0])
    return ridge.encoder(fitted), {"alpha": alpha, "explained": explained}


def fit_semantics(
    semantics: EEGSemantics, parts: dict[str, PairedEpochs], features: np.ndarray, alphas: list[float],
    device: torch.device,
) -> tuple[EEGSemantics, EEGSemantics, dict]:  # fmt: skip
    """Fit the prior of an aligned encoder, and the linear baseline, which predicts features from the epochs themselves.

    Args:
        semantics: the encoder, without a prior.
        parts: epochs of ``train`` and ``validation``.
        features: (images, width).
        alphas: penalties that both choose from.
        device: where the encoder runs.

    Returns:
        the encoder with its prior, the baseline, and facts of both.
    """
    truth = {name: features[data.table["image"]] for name, data in parts.items()}
    embedded = {name: embeddings(semantics, data, device) for name, data in parts.items()}
    unit = {name: functional.normalize(found, dim=1)[:, None].numpy() for name, found in embedded.items()}
    fitted, facts = choose_ridge(unit, truth, alphas)
    prior = LinearPrior(fitted.map.in_features, fitted.map.out_features)
    prior.map.load_state_dict(fitted.map.state_dict())
    eeg = {name: semantics.scale(data.__getitems__(list(range(len(data))))["eeg"]) for name, data in parts.items()}
    baseline, chosen = choose_ridge(eeg, truth, alphas)
    return (
        EEGSemantics(semantics.encoder, prior.eval(), semantics.scale),
        EEGSemantics(baseline, None, semantics.scale),
        {"prior": facts, "ridge": chosen},
    )
