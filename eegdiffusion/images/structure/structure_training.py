"""Trains a structural VAE on the images of a corpus, then what predicts its latents from EEG."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.inference import batched
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders.encoder_settings import LINEAR
from eegdiffusion.images.encoders.registry import build_encoder
from eegdiffusion.images.encoders.ridge import select_ridge
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL, Pairs
from eegdiffusion.images.epochs.paired_epochs import ImageTable
from eegdiffusion.images.epochs.protocols import folds
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import LatentReadout, StructureFromEEG
from eegdiffusion.images.structure.structure_maps import StructureMaps
from eegdiffusion.images.structure.structure_prediction import StructurePrediction
from eegdiffusion.images.structure.structure_settings import StructuralVAESettings, StructurePredictorSettings
from eegdiffusion.images.structure.structured_images import StructuredImages
from eegdiffusion.images.structure.vae_training import StructuralAutoencoding

BATCH = 64
"""Number of images that are read or encoded at a time."""


@dataclass(frozen=True)
class StructureData:
    """Images of a corpus, their structure, and the epochs in which they were seen.

    Attributes:
        store: epoch store of the corpus.
        maps: structure maps of the images.
        images: (images, side, side, 3) uint8, of the maps' side.
        split: (images,) train, validation or test; empty where an image has no file.
    """

    store: EpochStore
    maps: StructureMaps
    images: np.ndarray
    split: np.ndarray

    def part(self, split: str) -> StructuredImages:
        """Return images and maps of a split."""
        return StructuredImages(self.images, self.maps, np.flatnonzero(self.split == split))

    def pairs(self, **values: ImageTable) -> Pairs:
        """Return epochs of all subjects, with the maps and ``values``, other tables with a row for each image."""
        subjects = sorted(self.store.index["subject"].unique())
        tables: dict[str, ImageTable] = {"structure": self.maps, **values}
        return Pairs(self.store, self.split, tables, tables, folds("joint", subjects)[0], None)


def image_splits(store: EpochStore, corpus: str) -> np.ndarray:
    """Return the split of each image of a store, (images,); empty where it has no file.

    Args:
        store: epoch store.
        corpus: setting that names the corpus, for errors.

    Raises:
        InputError: a split has no image.
    """
    split = np.where(store.images["sha256"].notna(), store.images["split"].to_numpy(str), "")
    for name in ("train", "validation", "test"):
        if not (split == name).any():
            raise InputError(f"{corpus}: a structural VAE needs pictures of every split, and {name} has none")
    return split


def mean_field(maps: StructureMaps, rows: np.ndarray) -> torch.Tensor:
    """Compute the mean of the maps of some images, (channels, side, side)."""
    total = np.zeros(maps.shape[1:])
    for k in range(0, len(rows), BATCH):
        total += maps[rows[k : k + BATCH]].sum(0, dtype=np.float64)
    return torch.from_numpy((total / len(rows)).astype(np.float32))


def mean_field_loss(vae: StructuralVAE, data: StructuredImages) -> float:
    """Compute the loss of the VAE's mean field itself as a prediction of the maps of some images."""
    kind = vae.kind

    def losses(batch: dict[str, Tensor]) -> Tensor:
        return kind.loss(prior.expand_as(batch["structure"]), batch["structure"])

    with torch.no_grad():
        prior = kind.prior(vae.mean_field[None])
    return float(batched(losses, data, BATCH, torch.device("cpu")).mean())


def train_vae(
    data: StructureData, settings: StructuralVAESettings, seed: int, hardware: Hardware, work: Path, logger=None
) -> tuple[StructuralVAE, Fitted]:
    """Train a VAE on the training images; the validation images choose its weights.

    Args:
        data: images and maps.
        settings: settings of the VAE.
        seed: seed of weights, order, noise and mirroring.
        hardware: devices to train on.
        work: folder for checkpoints, from which an interrupted training goes on.
        logger: Lightning logger of the metrics; None logs nothing.

    Returns:
        the VAE with averaged weights, and how its training went.
    """
    torch.manual_seed(seed)
    train = data.part("train")
    vae = StructuralVAE(data.maps.kind, data.maps.side, **asdict(settings.network))
    vae.centre(mean_field(data.maps, train.rows))
    baseline_loss = mean_field_loss(vae, train)
    module = StructuralAutoencoding(vae, settings.loss, baseline_loss, settings.optimisation, seed)
    fitted = fit(
        module, train, data.part("validation"), monitor="validation_loss", mode="min", hardware=hardware, work=work,
        logger=logger,
    )  # fmt: skip
    return module.ema_model, fitted


def encode_mean_latents(vae: StructuralVAE, data: StructureData, device: torch.device) -> np.ndarray:
    """Encode all images of a corpus to their mean latents.

    Args:
        vae: trained VAE; it comes back on the CPU.
        data: images and maps.
        device: device to compute on.

    Returns:
        (images, *latent_shape) float32; zeros where an image has no file.
    """
    latents = np.zeros((len(data.split), *vae.latent_shape), np.float32)
    with_file = StructuredImages(data.images, data.maps, np.flatnonzero(data.split != ""))
    vae.to(device)
    means = batched(lambda batch: vae.encode(batch["pixels"]).mean.float(), with_file, BATCH, device, "latents")
    latents[with_file.rows] = means.numpy()
    vae.cpu()
    return latents


def _fit_ridge(
    pairs: Pairs, vae: StructuralVAE, latents: np.ndarray, alphas: list[float]
) -> tuple[LatentReadout, Fitted]:
    """Fit a ridge regression on the averages over all repetitions; the penalty is the best on the validation split."""
    train, validation = pairs.part("train", ALL), pairs.part("validation", ALL)
    mean, scale = latents.mean(0), np.sqrt(latents.var(0).mean())

    def standardised(values: np.ndarray) -> np.ndarray:
        return ((values - mean) / scale).reshape(len(values), -1)

    target = standardised(validation.values("latent"))

    def squared_error(predicted: np.ndarray) -> float:
        return float(np.square(predicted - target).mean())

    selected = select_ridge(train, lambda items: standardised(items["latent"]), validation, alphas, squared_error)
    readout = LatentReadout(selected.encoder, vae.latent_shape)
    readout.fit_scale(torch.from_numpy(latents))
    return readout, Fitted([], 0.0, selected.loss, False)


def train_predictor(
    data: StructureData, vae: StructuralVAE, latents: np.ndarray, settings: StructurePredictorSettings, seed: int,
    hardware: Hardware, work: Path, logger=None,
) -> tuple[StructureFromEEG, Fitted]:  # fmt: skip
    """Train what predicts latents and structure from averaged epochs of all subjects.

    Args:
        data: epochs and maps.
        vae: trained VAE, which is frozen.
        latents: (images, *latent_shape) mean latents of all images.
        settings: settings of the predictor.
        seed: seed of weights and order.
        hardware: devices to train on.
        work: folder for checkpoints, from which an interrupted training goes on.
        logger: Lightning logger of the metrics; None logs nothing.

    Returns:
        the predictor with averaged weights, and how its training went.
    """
    torch.manual_seed(seed)
    pairs, vae = data.pairs(latent=latents), vae.eval().requires_grad_(False)
    if settings.encoder == LINEAR:
        readout, fitted = _fit_ridge(pairs, vae, latents[data.split == "train"], settings.ridge_alphas)
        return StructureFromEEG(readout, vae.cpu(), pairs.input).eval(), fitted
    channels, samples = data.store.shape
    subjects = len(pairs.fold.train) if settings.subject_layers else 0
    sizes = {"n_chans": channels, "n_times": samples, "n_outputs": settings.width, "n_subjects": subjects}
    readout = LatentReadout(build_encoder(settings.encoder, **sizes | settings.options), vae.latent_shape)
    readout.fit_scale(torch.from_numpy(latents[data.split == "train"]))
    baseline_loss = mean_field_loss(vae, data.part("train"))
    module = StructurePrediction(readout, vae, settings.structure_weight, baseline_loss, settings.optimisation, seed)
    train, validation = pairs.part("train", settings.average), pairs.part("validation", ALL)
    fitted = fit(
        module, train, validation, monitor="predictor_validation_loss", mode="min", hardware=hardware, work=work,
        logger=logger,
    )  # fmt: skip
    return StructureFromEEG(module.ema_model.cpu(), vae.cpu(), pairs.input).eval(), fitted
