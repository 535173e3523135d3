"""Trains a structural VAE on the pictures of a corpus, then what predicts its latents from EEG."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, Gt, MinLen
from tqdm import tqdm

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.batches import BatchesInOrder, loader
from eegdiffusion.core.training.fit import Fitted, fit
from eegdiffusion.core.training.settings import Hardware, Optimisation, Positive
from eegdiffusion.images.encoders.encoder_settings import LINEAR
from eegdiffusion.images.encoders.registry import build_encoder
from eegdiffusion.images.encoders.ridge import select_ridge
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL, Pairs, read_all
from eegdiffusion.images.epochs.protocols import folds
from eegdiffusion.images.structure.structural_vae import Latent, StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import LatentReadout, StructureFromEEG
from eegdiffusion.images.structure.structure_maps import StructureMaps
from eegdiffusion.images.structure.structure_prediction import StructurePrediction
from eegdiffusion.images.structure.structured_images import StructuredPictures
from eegdiffusion.images.structure.vae_training import StructuralAutoencoding, VAELoss

BATCH = 64
"""Pictures that are read or encoded at a time."""


@settings
class Network:
    """Sizes of the VAE; see ``StructuralVAE``."""

    latent: Latent
    """A grid of the picture's size / 2^(number of widths), or a vector."""
    latent_size: Positive
    """Channels of the grid, or length of the vector."""
    widths: Annotated[list[Positive], MinLen(1)]
    """Channels at each halving of the picture."""


@settings
class Autoencoder:
    """The VAE."""

    network: Network
    loss: VAELoss
    optimisation: Optimisation


@settings
class Predictor:
    """What predicts the VAE's latents, and with them the structure, from EEG."""

    encoder: str
    """Of ``eegdiffusion.images.encoders.registry``; ``ridge`` is fitted to the latents, not trained."""
    options: dict[str, Any] = field(default_factory=dict)
    """Arguments of the encoder's class."""
    width: Positive
    """Outputs of the encoder, which a linear map takes to the latents."""
    subject_layers: bool
    """An input layer of its own for each training subject."""
    average: Positive
    """Repetitions of an image that are averaged into a training epoch."""
    structure_weight: Annotated[float, Ge(0)]
    """Of the structure's loss through the frozen decoder, beside the latents' squared error."""
    ridge_alphas: Annotated[list[Annotated[float, Gt(0)]], MinLen(1)]
    """Penalties that ``ridge`` chooses from, by the validation split."""
    optimisation: Optimisation


@dataclass(frozen=True)
class StructureData:
    """Pictures of a corpus, their structure, and the epochs in which they were seen.

    Attributes:
        store: epochs.
        maps: structure of the images.
        pictures: (images, side, side, 3) uint8, of the maps' side.
        split: (images,) train, validation or test; empty where an image has no file.
    """

    store: EpochStore
    maps: StructureMaps
    pictures: np.ndarray
    split: np.ndarray

    def part(self, split: str) -> StructuredPictures:
        """Pictures and maps of a split."""
        return StructuredPictures(self.pictures, self.maps, np.flatnonzero(self.split == split))

    def pairs(self, **values: np.ndarray) -> Pairs:
        """Epochs of all subjects, with the maps and other tables that go by the image."""
        subjects = sorted(self.store.index["subject"].unique())
        tables = {"structure": self.maps} | values
        return Pairs(self.store, self.split, tables, tables, folds("joint", subjects)[0], None)


def split_of(store: EpochStore, corpus: str) -> np.ndarray:
    """Split of each image of a store, (images,); empty where it has no file.

    Raises:
        InputError: a split has no image.
    """
    found = np.where(store.images["sha256"].notna(), store.images["split"].to_numpy(str), "")
    for name in ("train", "validation", "test"):
        if not (found == name).any():
            raise InputError(f"{corpus}: a structural VAE needs pictures of every split, and {name} has none")
    return found


def mean_field(maps: StructureMaps, rows: np.ndarray) -> torch.Tensor:
    """Mean of some maps, (channels, side, side)."""
    total = sum(maps[rows[k : k + BATCH]].sum(0, dtype=np.float64) for k in range(0, len(rows), BATCH))
    return torch.from_numpy((total / len(rows)).astype(np.float32))


@torch.no_grad()
def mean_field_loss(vae: StructuralVAE, data: StructuredPictures) -> float:
    """Loss of the mean field itself as a prediction of the maps of some pictures."""
    prior, kind = vae.kind.prior(vae.mean_field[None]), vae.kind
    maps = (batch["structure"] for batch in loader(data, BatchesInOrder(len(data), BATCH)))
    return float(torch.cat([kind.loss(prior.expand_as(part), part) for part in maps]).mean())


def train_vae(
    data: StructureData, settings: Autoencoder, seed: int, hardware: Hardware, work: Path, logger=None
) -> tuple[StructuralVAE, Fitted]:
    """Train a VAE on the training pictures; the validation pictures choose its weights.

    Args:
        data: pictures and maps.
        settings: of the VAE.
        seed: of weights, order, noise and turns.
        hardware: where to run.
        work: folder for checkpoints, from which an interrupted training goes on.
        logger: of Lightning.
    """
    torch.manual_seed(seed)
    train = data.part("train")
    vae = StructuralVAE(data.maps.kind, data.maps.side, **asdict(settings.network))
    vae.centre(mean_field(data.maps, train.rows))
    least = mean_field_loss(vae, train)
    module = StructuralAutoencoding(vae, settings.loss, least, settings.optimisation, seed)
    done = fit(
        module, train, data.part("validation"), monitor="validation_loss", mode="min", hardware=hardware, work=work,
        logger=logger,
    )  # fmt: skip
    return module.ema_model, done


@torch.inference_mode()
def latents_of(vae: StructuralVAE, data: StructureData, device: torch.device) -> np.ndarray:
    """Mean latents of all images, (images, *latent_shape); zeros where an image has no file."""
    found = np.zeros((len(data.split), *vae.latent_shape), np.float32)
    vae.to(device)
    every = StructuredPictures(data.pictures, data.maps, np.flatnonzero(data.split != ""))
    for k in tqdm(range(0, len(every), BATCH), desc="latents", unit="batch", leave=False):
        places = list(range(k, min(k + BATCH, len(every))))
        pixels = torch.from_numpy(every.__getitems__(places)["pixels"]).to(device)
        found[every.rows[places]] = vae.encode(pixels).mean.float().cpu().numpy()
    vae.cpu()
    return found


def _fit_linear(
    pairs: Pairs, vae: StructuralVAE, latents: np.ndarray, alphas: list[float]
) -> tuple[LatentReadout, Fitted]:
    """Ridge regression on the averages over all repetitions; the penalty is the validation's best."""
    train, validation = read_all(pairs.part("train", ALL)), read_all(pairs.part("validation", ALL))
    mean, scale = latents.mean(0), np.sqrt(latents.var(0).mean())
    centred, target = (
        ((part["latent"] - mean) / scale).reshape(len(part["latent"]), -1) for part in (train, validation)
    )

    def squared_error(predicted: np.ndarray) -> float:
        return float(np.square(predicted - target).mean())

    selected = select_ridge(train["eeg"], centred, validation["eeg"], alphas, squared_error)
    readout = LatentReadout(selected.encoder, vae.latent_shape)
    readout.fit_scale(torch.from_numpy(latents))
    return readout, Fitted([], 0.0, selected.loss, False)


def train_predictor(
    data: StructureData, vae: StructuralVAE, latents: np.ndarray, settings: Predictor, seed: int, hardware: Hardware,
    work: Path, logger=None,
) -> tuple[StructureFromEEG, Fitted]:  # fmt: skip
    """Train what predicts latents and structure from averaged epochs of all subjects.

    Args:
        data: epochs and maps.
        vae: trained; it is frozen.
        latents: of all images.
        settings: of the predictor.
        seed: of weights and order.
        hardware, work, logger: see :func:`train_vae`.
    """
    torch.manual_seed(seed)
    pairs, vae = data.pairs(latent=latents), vae.eval().requires_grad_(False)
    if settings.encoder == LINEAR:
        readout, done = _fit_linear(pairs, vae, latents[data.split == "train"], settings.ridge_alphas)
        return StructureFromEEG(readout, vae.cpu(), pairs.input).eval(), done
    channels, samples = data.store.shape
    subjects = len(pairs.fold.train) if settings.subject_layers else 0
    sizes = {"n_chans": channels, "n_times": samples, "n_outputs": settings.width, "n_subjects": subjects}
    readout = LatentReadout(build_encoder(settings.encoder, **sizes | settings.options), vae.latent_shape)
    readout.fit_scale(torch.from_numpy(latents[data.split == "train"]))
    least = mean_field_loss(vae, data.part("train"))
    module = StructurePrediction(readout, vae, settings.structure_weight, least, settings.optimisation, seed)
    train, validation = pairs.part("train", settings.average), pairs.part("validation", ALL)
    done = fit(
        module, train, validation, monitor="predictor_validation_loss", mode="min", hardware=hardware, work=work,
        logger=logger,
    )  # fmt: skip
    return StructureFromEEG(module.ema_model.cpu(), vae.cpu(), pairs.input).eval(), done
