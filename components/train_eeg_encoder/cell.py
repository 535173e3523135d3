"""One training of a row: the data of a fold, an encoder trained on them, and its test."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas
import torch

from components.train_eeg_encoder.settings import TrainEEGEncoder
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.input_example import EXAMPLE
from eegdiffusion.core.training.classification import probabilities
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders import encoder_results
from eegdiffusion.images.encoders.encoder_results import Retrieval
from eegdiffusion.images.encoders.encoder_settings import Row
from eegdiffusion.images.encoders.encoder_training import Trained, train_aligned, train_classifier
from eegdiffusion.images.encoders.image_retrieval import Gallery, retrieve
from eegdiffusion.images.epochs.classes import Classes, classes_of
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL, Pairs
from eegdiffusion.images.epochs.paired_epochs import identities, permuted
from eegdiffusion.images.epochs.protocols import Fold
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.features.image_targets import Target, make_target
from eegdiffusion.images.serving.encoder_pyfunc import ENCODER

Band = tuple[float, float] | None


@dataclass(frozen=True)
class Study:
    """What all cells of a row share.

    Attributes:
        row: encoder, objective, control.
        settings: of the stage.
        store: epochs.
        embedding: model of the image features.
        target: the features.
        classes: of a classification.
        hardware: where to run.
    """

    row: Row
    settings: TrainEEGEncoder
    store: EpochStore
    embedding: str
    target: Target
    classes: Classes | None
    hardware: Hardware


def open_study(
    store: EpochStore, features: ImageFeatures, row: Row, settings: TrainEEGEncoder, hardware: Hardware
) -> Study:
    """Read what all cells of a row share.

    Raises:
        InputError: features are to be aligned with, and the corpus's images are not there.
    """
    if row.objective == "align" and not features.description.width:
        raise InputError(f"image_corpora.{row.corpus}: has no images to align with; set its images, or classify")
    training = (store.images["split"] == "train").to_numpy() & np.isfinite(features.features).all(1)
    centre = row.objective == "align" and settings.align.centre_features
    target = make_target(features.features, training, centre)
    classify = row.objective == "classify"
    classes = classes_of(store.images, settings.classify.classes, seed=0) if classify else None
    return Study(row, settings, store, features.description.model, target, classes, hardware)


def pairs_of(study: Study, fold: Fold, band: Band, seed: int) -> Pairs:
    """Pair the epochs of a fold with features or labels; of the control, with those of another image."""
    if study.classes is None:
        there = np.isfinite(study.target.features).all(1)
        split = np.where(there, study.store.images["split"].to_numpy(str), "")
        truth = {"features": study.target.features, "identity": identities(study.store.images)}
    else:
        split, truth = study.classes.split, {"label": study.classes.label}
    values = truth
    if study.row.pairs == "permuted":
        order = permuted(np.arange(len(split)), split, seed)
        values = {name: table[order] for name, table in truth.items()}
    return Pairs(study.store, split, values, truth, fold, band)


def classify(trained: Trained, pairs: Pairs, average: int, device: torch.device) -> pandas.DataFrame:
    """Classify the test epochs: subject, image, label, and a probability for each class."""
    tables = []
    for subject in pairs.fold.test:
        data = pairs.part("test", average, [subject])
        found = probabilities(trained.encoder, data, ("eeg", "subject"), 64, device).numpy()
        image = data.table["image"].to_numpy()
        label = pairs.truth["label"][image]
        columns = {f"p{k}": found[:, k] for k in range(found.shape[1])}
        tables.append(pandas.DataFrame({"subject": subject, "image": image, "label": label, **columns}))
    return pandas.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Cell:
    """A trained and tested encoder.

    Attributes:
        folder: of its results.
        trained: the encoder.
        pairs: its data.
        metrics: on the test split.
        validation: the metric that chose its weights, oriented so that more is better.
    """

    folder: Path
    trained: Trained
    pairs: Pairs
    metrics: dict[str, float]
    validation: float


def run_cell(
    study: Study, protocol: str, pairs: Pairs, seed: int, work: Path, folder: Path, device: torch.device
) -> Cell | None:
    """Train, test, and write a folder; None in the followers of a distributed run.

    Args:
        study: what all cells of the row share.
        protocol: that the fold is of.
        pairs: data of the fold.
        seed: of weights and order.
        work: folder for checkpoints.
        folder: to write to.
        device: for the test.
    """
    settings, row, store = study.settings, study.row, study.store
    if study.classes is None:
        trained = train_aligned(pairs, row, settings.align, seed, study.hardware, work)
    else:
        classes = len(study.classes.names)
        trained = train_classifier(pairs, row, settings.classify, classes, seed, study.hardware, work)
    trained.encoder.cpu()
    if not _leads():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "corpus": store.description.corpus,
        "layout": store.description.layout,
        "warnings": store.description.warnings,
        "preprocessing": store.description.fingerprint,
        "split_hash": pairs.split_hash(),
        "encoder": row.encoder,
        "objective": row.objective,
        "pairs": row.pairs,
        "protocol": protocol,
        "fold": asdict(pairs.fold),
        "band": pairs.band,
        "recorded_band": store.description.band,
        "epochs": {"samples": store.shape[1], "electrodes": store.shape[0], "sfreq": store.description.sfreq},
    } | trained.facts
    if study.classes is None:
        repetitions = settings.test.repetitions if row.pairs == "recorded" else [ALL]
        found = retrieve(trained.encoder, pairs, repetitions, settings.test.draws, device)
        tested = Retrieval(len(Gallery(pairs).images), *found)
        tested.write(folder)
        metrics = tested.metrics
        facts |= {"images": tested.images, "features": study.embedding, "windows": len(tested.ranks)}
        facts["repetitions"] = int(tested.ranks["repetitions"].max())
        study.target.save(folder)
    else:
        table = classify(trained, pairs, settings.classify.average, device)
        table.to_parquet(folder / encoder_results.CLASSIFIED, index=False)
        metrics = encoder_results.classification_metrics(table)
        facts |= {"concepts": study.classes.names, "split_rule": study.classes.rule, "windows": len(table)}
        facts["repetitions"] = settings.classify.average
    encoder_results.write(folder, trained.curves, facts, metrics)
    if row.pairs == "recorded":  # no one uses a control
        trained.encoder.cpu().save_pretrained(folder / ENCODER)
        pairs.input.save(folder)
        plain = pairs.part("test", pairs.repetitions(pairs.fold.test[0]), pairs.fold.test[:1], draws=1, plain=True)
        np.save(folder / EXAMPLE, plain.__getitems__([0, 1])["eeg"])
    better = -facts["validation_rank"] if study.classes is None else facts["validation_cohen_kappa"]
    return Cell(folder, trained, pairs, metrics, better)


def _leads() -> bool:
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
