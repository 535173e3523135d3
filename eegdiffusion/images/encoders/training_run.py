"""One training of an encoder: the data of a fold, an encoder trained on them, and its test."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.input_example import first_inputs, write_input_example
from eegdiffusion.core.storage.result_facts import ResultFacts, write_result
from eegdiffusion.core.training.classification import probabilities
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders.encoder_results import CLASSIFIED, Retrieval, classification_metrics
from eegdiffusion.images.encoders.encoder_settings import Align, Classify, EncoderExperiment, RetrievalTest
from eegdiffusion.images.encoders.encoder_training import TrainedEncoder, train_aligned, train_classifier
from eegdiffusion.images.encoders.image_retrieval import Gallery, retrieve_images
from eegdiffusion.images.encoders.training_folders import ENCODER, Band
from eegdiffusion.images.epochs.classes import Classes, classes_of
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL, Pairs
from eegdiffusion.images.epochs.paired_epochs import identities, permuted
from eegdiffusion.images.epochs.protocols import Fold, Protocol
from eegdiffusion.images.features.image_features import OUTPUT, ImageFeatures
from eegdiffusion.images.features.image_targets import Target, make_target

BATCH = 64
"""Number of test epochs that are classified at a time."""


@dataclass(frozen=True)
class ExperimentData:
    """What all trainings of an experiment share.

    Attributes:
        experiment: encoder, objective, control.
        store: epochs.
        features_model: name of the network of the image features.
        target: the features that encoders are aligned with.
        classes: concepts that are classified; None of an alignment.
    """

    experiment: EncoderExperiment
    store: EpochStore
    features_model: str
    target: Target
    classes: Classes | None

    def pair_epochs(self, fold: Fold, band: Band | None, seed: int) -> Pairs:
        """Pair the epochs of a fold with features or labels; of a control, with those of another image.

        Args:
            fold: training and test subjects.
            band: band filter of the epochs in Hz; None: none.
            seed: seed of a control's pairing.
        """
        if self.classes is None:
            has_features = np.isfinite(self.target.features).all(1)
            split = np.where(has_features, self.store.images["split"].to_numpy(str), "")
            truth = {"features": self.target.features, "identity": identities(self.store.images)}
        else:
            split, truth = self.classes.split, {"label": self.classes.label}
        values = truth
        if self.experiment.pairs == "permuted":
            order = permuted(np.arange(len(split)), split, seed)
            values = {name: table[order] for name, table in truth.items()}
        chosen = self.experiment
        return Pairs(self.store, split, values, truth, fold, band, chosen.train_task, chosen.test_task)


def open_experiment(
    store: EpochStore, features: ImageFeatures, experiment: EncoderExperiment, align: Align, classify: Classify
) -> ExperimentData:
    """Read what all trainings of an experiment share.

    Args:
        store: epochs.
        features: features of the store's images.
        experiment: entry of ``eeg_encoders``.
        align: settings of alignment.
        classify: settings of classification.

    Raises:
        InputError: features are to be aligned with, and the corpus's images are not there, or a layer is not kept; or
            the corpus has no such task.
    """
    for field in ("train_task", "test_task"):
        task = getattr(experiment, field)
        if task is not None and task not in store.tasks:
            known = ", ".join(store.tasks) or "none, as it tells no tasks"
            rule = f"must be among those of the corpus {experiment.corpus}, {known}"
            raise InputError(f"eeg_encoders: {field}: {rule} (found {task})")
    aligned = experiment.objective == "align"
    if aligned and not features.description.width:
        raise InputError(f"image_corpora.{experiment.corpus}: has no images to align with; set its images, or classify")
    training = (store.images["split"] == "train").to_numpy() & np.isfinite(features.features).all(1)
    chosen = experiment.layers if aligned else [OUTPUT]
    setting = f"eeg_encoders: layer, of the corpus {experiment.corpus}"
    layers = {name: features.layer(name, setting) for name in chosen}
    target = make_target(layers, training, aligned and align.centre_features)
    if len(chosen) > 1 and align.mse_weight:
        raise InputError(
            f"train_eeg_encoder.align.mse_weight: must be 0 where a mixture of layers is aligned with, whose features "
            f"have length 1 (found {align.mse_weight:g})"
        )
    classes = None if aligned else classes_of(store.images, classify.classes, seed=0)
    return ExperimentData(experiment, store, features.description.model, target, classes)


@dataclass(frozen=True)
class TrainingRun:
    """A trained and tested encoder.

    Attributes:
        folder: folder of its results.
        trained: the encoder.
        pairs: epochs that it was trained and tested on.
        metrics: metrics on the test split.
        validation: the metric that chose its weights, oriented so that more is better.
    """

    folder: Path
    trained: TrainedEncoder
    pairs: Pairs
    metrics: dict[str, float]
    validation: float

    @property
    def seed(self) -> int:
        """Seed of the training, which its folder is named after."""
        return int(self.folder.name.removeprefix("seed-"))


@dataclass(frozen=True)
class RunSettings:
    """How the encoders of a stage are trained and tested.

    Attributes:
        align: settings of alignment.
        classify: settings of classification.
        test: settings of the test of aligned encoders.
        hardware: what trains.
        device: what tests.
    """

    align: Align
    classify: Classify
    test: RetrievalTest
    hardware: Hardware
    device: torch.device


def run_training(
    data: ExperimentData, pairs: Pairs, protocol: Protocol, seed: int, settings: RunSettings, folder: Path, work: Path
) -> TrainingRun | None:
    """Train and test an encoder and write its results.

    Args:
        data: what all trainings of the experiment share.
        pairs: epochs of the fold.
        protocol: protocol that the fold is of.
        seed: seed of weights and order.
        settings: how it is trained and tested.
        folder: folder to write: ``metrics.json``, ``curves.csv`` where it is trained step by step, tables of the test,
            and, unless it is a control, weights, scale and an input example.
        work: folder for checkpoints, from which an interrupted training goes on.

    Returns:
        the training; None in all but the first process of a distributed run.
    """
    experiment, store = data.experiment, data.store
    if data.classes is None:
        widths = data.target.widths if len(data.target.widths) > 1 else []
        trained = train_aligned(pairs, experiment, settings.align, seed, settings.hardware, work, widths)
    else:
        classes = len(data.classes.names)
        trained = train_classifier(pairs, experiment, settings.classify, classes, seed, settings.hardware, work)
    trained.encoder.cpu()
    if not _is_rank_zero():
        return None
    folder.mkdir(parents=True, exist_ok=True)
    if data.classes is None:
        metrics, windows, test_facts = _test_retrieval(data, trained, pairs, settings, folder)
        validation = -trained.validation["validation_rank"]
    else:
        metrics, windows, test_facts = _test_classification(data.classes, trained, pairs, settings, folder)
        validation = trained.validation["validation_cohen_kappa"]
    experiment_facts = {
        "encoder": experiment.encoder,
        "objective": experiment.objective,
        "pairs": experiment.pairs,
        "protocol": protocol,
        "fold": asdict(pairs.fold),
        "band": pairs.band,
        "recorded_band": store.description.band,
        "epochs": {"samples": store.shape[1], "electrodes": store.shape[0], "sfreq": store.description.sfreq},
    }
    tasks = {"train_task": experiment.train_task, "test_task": experiment.test_task}
    facts = ResultFacts(
        data=store.facts("test", pairs.split_hash()),
        parameters=trained.parameters,
        seed=seed,
        best_epoch=trained.best_epoch,
        windows=windows,
        more=experiment_facts | {k: v for k, v in tasks.items() if v} | trained.validation | test_facts,
    )
    write_result(folder, facts, metrics, trained.curves)
    if experiment.pairs == "recorded":  # no one uses a control
        trained.encoder.cpu().save_pretrained(folder / ENCODER)
        pairs.input.save(folder)
        first = pairs.fold.test[:1]
        stored = pairs.part("test", pairs.repetitions(first[0]), first, draws=1, as_stored=True)
        write_input_example(folder, first_inputs(stored, "eeg"))
    return TrainingRun(folder, trained, pairs, metrics, validation)


def _test_retrieval(
    data: ExperimentData, trained: TrainedEncoder, pairs: Pairs, settings: RunSettings, folder: Path
) -> tuple[dict[str, float], int, dict]:
    """Test an aligned encoder and write its tables; return metrics, number of test epochs, and facts of the test."""
    repetitions = settings.test.repetitions if data.experiment.pairs == "recorded" else [ALL]
    tables = retrieve_images(trained.encoder, pairs, repetitions, settings.test.draws, settings.device)
    retrieval = Retrieval(len(Gallery(pairs).images), *tables)
    retrieval.write_tables(folder)
    data.target.save(folder)
    most = int(retrieval.ranks["repetitions"].max())
    facts = {
        "images": retrieval.images,
        "features": data.features_model,
        "repetitions": most,
        "layers": data.target.layers,
    }
    if trained.encoder.layer_mixture is not None:
        facts["layer_weights"] = trained.encoder.layer_mixture.weights.tolist()
    return retrieval.metrics, len(retrieval.ranks), facts


def _test_classification(
    classes: Classes, trained: TrainedEncoder, pairs: Pairs, settings: RunSettings, folder: Path
) -> tuple[dict[str, float], int, dict]:
    """Test a classifier and write its predictions; return metrics, number of test epochs, and facts of the test."""
    average = settings.classify.average
    table = classify_test_epochs(trained.encoder, pairs, average, settings.device)
    table.to_parquet(folder / CLASSIFIED, index=False)
    facts = {"concepts": classes.names, "split_rule": classes.rule, "repetitions": average}
    return classification_metrics(table), len(table), facts


def classify_test_epochs(
    encoder: torch.nn.Module, pairs: Pairs, average: int, device: torch.device
) -> pandas.DataFrame:
    """Classify the test epochs.

    Args:
        encoder: network from epochs and subjects to logits.
        pairs: epochs, and ``label`` of each image.
        average: number of repetitions of an image that are averaged into an epoch.
        device: device to compute on.

    Returns:
        a row for each epoch: subject, image, label, and a probability ``p0``, ``p1``, ... for each class.
    """
    tables = []
    for subject in pairs.fold.test:
        data = pairs.part("test", average, [subject])
        predicted = probabilities(encoder, data, ("eeg", "subject"), BATCH, device).numpy()
        image = data.table["image"].to_numpy()
        label = pairs.truth["label"][image]
        columns = {f"p{k}": predicted[:, k] for k in range(predicted.shape[1])}
        tables.append(pandas.DataFrame({"subject": subject, "image": image, "label": label, **columns}))
    return pandas.concat(tables, ignore_index=True)


def _is_rank_zero() -> bool:
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
