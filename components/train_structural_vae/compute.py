"""Trains a structural VAE on a corpus's images, then what predicts their structure from EEG, and evaluates both."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from components.train_structural_vae.settings import TrainStructuralVAE
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.storage.input_example import first_inputs, write_input_example
from eegdiffusion.core.storage.result_facts import ResultFacts, write_result
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.generation.previews import write_previews
from eegdiffusion.images.structure.structure_evaluation import evaluate_structure
from eegdiffusion.images.structure.structure_from_eeg import PREDICTOR
from eegdiffusion.images.structure.structure_maps import StructureMaps
from eegdiffusion.images.structure.structure_previews import structure_previews
from eegdiffusion.images.structure.structure_training import (
    StructureData,
    encode_mean_latents,
    train_predictor,
    train_vae,
)
from eegdiffusion.images.structure.structured_images import cached_images


@dataclass(frozen=True)
class TrainedStructuralVAE:
    """A trained structural VAE with its predictor.

    Attributes:
        metrics: scores on the test images.
        warnings: what must be said beside every number of the corpus.
    """

    metrics: dict[str, float]
    warnings: list[str]


def compute(
    store: EpochStore, maps: StructureMaps, split: np.ndarray, settings: TrainStructuralVAE, hardware: Hardware,
    out: Path, work: Path, leader: bool, logger=None,
) -> TrainedStructuralVAE | None:  # fmt: skip
    """Train and evaluate a structural VAE and a predictor of structure; write both, their scores and previews.

    Args:
        store: epoch store of the corpus.
        maps: structure maps of its images.
        split: (images,) train, validation or test; empty where an image has no file.
        settings: settings of the stage.
        hardware: devices to train on.
        out: folder to make for what is written.
        work: folder for checkpoints and for the images as arrays.
        leader: whether this process writes; the others of a distributed training return None.
        logger: Lightning logger of the metrics; None logs nothing.
    """
    images = cached_images(store.images, maps.side, work / "pictures.npy")
    data, device, seed = StructureData(store, maps, images, split), device_of(hardware.accelerator), settings.seed
    vae, fitted_vae = train_vae(data, settings.vae, seed, hardware, work / "vae", logger)
    latents = encode_mean_latents(vae, data, device)
    predictor, fitted_predictor = train_predictor(
        data, vae, latents, settings.predictor, seed, hardware, work / "predictor", logger
    )
    if not leader:
        return None
    predictor.save(out / PREDICTOR)
    evaluation, pairs = evaluate_structure(predictor, data, latents, device), data.pairs()
    example = pairs.part("test", pairs.repetitions(pairs.fold.test[0]), pairs.fold.test[:1], draws=1, as_stored=True)
    write_input_example(out, first_inputs(example, "eeg"))
    more = {
        "structure": maps.kind,
        "score": vae.kind.score_name,
        "side": maps.side,
        "training_images": int((split == "train").sum()),
        "test_images": len(evaluation.rows),
        "subjects": pairs.fold.test,
        "repetitions": min(pairs.repetitions(subject) for subject in pairs.fold.test),
        "encoder": settings.predictor.encoder,
        "predictor_parameters": sum(p.numel() for p in predictor.readout.parameters()),
        "validation_loss": fitted_vae.best_score,
        "predictor_validation_loss": fitted_predictor.best_score,
    }
    facts = ResultFacts(
        data=store.facts("test", text_hash(pairs.split_hash(), maps.kind, maps.side)),
        parameters=sum(p.numel() for p in vae.parameters()),
        more=more,
    )
    write_result(out, facts, evaluation.metrics, fitted_vae.curves)
    if fitted_predictor.curves:
        write_table(out / "predictor_curves.csv", pandas.DataFrame(fitted_predictor.curves))
    evaluation.table.to_parquet(out / "structure.parquet", index=False)
    write_previews(out, **structure_previews(evaluation, vae, data, latents))
    return TrainedStructuralVAE(evaluation.metrics, store.description.warnings)
