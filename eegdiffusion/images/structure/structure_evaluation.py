"""Evaluates a structural VAE and a predictor of structure on the test images."""

from dataclasses import dataclass

import numpy as np
import pandas
import torch
from torch import Tensor

from eegdiffusion.core.training.inference import batched
from eegdiffusion.images.generation.pixels import as_uint8
from eegdiffusion.images.structure.structure_from_eeg import StructureFromEEG
from eegdiffusion.images.structure.structure_scores import structure_metrics, structure_table, variance_ratio
from eegdiffusion.images.structure.structure_training import StructureData

BATCH = 64
"""Number of images or epochs that are computed at a time."""


@dataclass(frozen=True)
class StructureEvaluation:
    """Results on the test images.

    Attributes:
        rows: (images,) rows of the test images in the store.
        decoded: (images, side, side, 3) uint8, the images as the VAE decodes them from their own latents.
        vae_maps: (images, C, side, side) structure that the VAE decodes from the images' latents.
        eeg_maps: (images, C, side, side) structure predicted from the EEG of each subject, by name.
        metrics: scores of VAE and predictor, means over images.
        table: scores of the predictions from EEG, a row for each subject and image.
    """

    rows: np.ndarray
    decoded: np.ndarray
    vae_maps: np.ndarray
    eeg_maps: dict[str, np.ndarray]
    metrics: dict[str, float]
    table: pandas.DataFrame


def evaluate_structure(
    predictor: StructureFromEEG, data: StructureData, latents: np.ndarray, device: torch.device
) -> StructureEvaluation:
    """Score the VAE on the test images, and the predictor on epochs that average all repetitions of each.

    Args:
        predictor: predictor with its VAE.
        data: images, maps and epochs.
        latents: (images, *latent_shape) mean latents of all images.
        device: device to compute on.
    """
    predictor.to(device)
    vae, test = predictor.vae, data.part("test")
    kind, mean_field = vae.kind, vae.mean_field.cpu()
    maps = torch.from_numpy(data.maps[test.rows])

    def reconstruct(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        decoded, logits, posterior = vae(batch["pixels"])
        error = ((decoded - batch["pixels"]) / 2).square().mean((1, 2, 3))
        return {"decoded": as_uint8(decoded), "logits": logits, "error": error, "kl": posterior.kl()}

    outputs = batched(reconstruct, test, BATCH, device)
    table = structure_table(kind, outputs["logits"], maps, mean_field).assign(image=test.rows)
    metrics = {"picture_mse": float(outputs["error"].mean()), "kl": float(outputs["kl"].mean())}
    metrics |= structure_metrics(table, "vae")

    def predict(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        predicted = predictor.latents(batch["eeg"], batch["subject"])
        return {"latents": predicted, "logits": vae.structure_logits(predicted)}

    position = {int(row): k for k, row in enumerate(test.rows)}
    tables, eeg_maps, ratios, latent_gains = [], {}, [], []
    pairs = data.pairs()
    for subject in pairs.fold.test:
        epochs = pairs.part("test", pairs.repetitions(subject), [subject], draws=1, as_stored=True)
        image = epochs.table["image"].to_numpy()
        predicted = batched(predict, epochs, BATCH, device)
        logits, true_maps = predicted["logits"], maps[[position[int(row)] for row in image]]
        table = structure_table(kind, logits, true_maps, mean_field)
        tables.append(table.assign(subject=subject, image=image))
        ratios.append(variance_ratio(kind.activate(logits), true_maps))
        latent_gains.append(_latent_gain(predicted["latents"], latents[image], predictor.readout.mean.cpu()))
        order = np.argsort([position[int(row)] for row in image])
        eeg_maps[subject] = kind.activate(logits)[order].numpy()
    table = pandas.concat(tables, ignore_index=True)
    metrics |= structure_metrics(table, "eeg")
    metrics |= {"eeg_variance_ratio": float(np.mean(ratios)), "eeg_latent_gain": float(np.mean(latent_gains))}
    predictor.cpu()
    vae_maps = kind.activate(outputs["logits"]).numpy()
    return StructureEvaluation(test.rows, outputs["decoded"].numpy(), vae_maps, eeg_maps, metrics, table)


def _latent_gain(predicted: Tensor, latents: np.ndarray, mean: Tensor) -> float:
    """Return the share of the mean latent's squared error that predicted latents (n, *latent_shape) save."""
    true = torch.from_numpy(latents)
    return 1 - float((predicted - true).square().mean() / (mean - true).square().mean())
