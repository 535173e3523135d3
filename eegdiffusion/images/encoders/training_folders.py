"""Where the trainings of an encoder lie: a folder for each protocol, band, fold and seed below the encoder's own."""

from pathlib import Path

from eegdiffusion.images.epochs.protocols import JOINT_FOLD, Protocol

Band = tuple[float, float]
"""(low, high) in Hz of a band filter."""

ENCODER = "encoder"
"""Folder of the weights and the configuration of a trained encoder, below the training's."""


def band_name(band: Band | None) -> str:
    """Name the folder of a band: ``all`` for epochs that are not filtered, or e.g. ``5-95Hz``."""
    return "all" if band is None else f"{band[0]:g}-{band[1]:g}Hz"


def training_folder(encoder: Path, protocol: Protocol, band: Band | None, fold: str, seed: int) -> Path:
    """Return the folder of one training.

    Args:
        encoder: folder of an entry of ``eeg_encoders``.
        protocol: protocol of training and test subjects.
        band: band filter of the epochs; None: none.
        fold: name of the fold.
        seed: seed of the training.
    """
    return encoder / protocol / band_name(band) / fold / f"seed-{seed}"


def joint_training_folder(encoder: Path, seed: int) -> Path:
    """Return the folder of the training on all subjects and unfiltered epochs, which conditions image generators."""
    return training_folder(encoder, "joint", None, JOINT_FOLD, seed)
