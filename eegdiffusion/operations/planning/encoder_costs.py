"""What the training of encoders of EEG epochs takes, under all their protocols, bands, folds and seeds."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch

from eegdiffusion.core.training.settings import Optimisation
from eegdiffusion.images.encoders.alignment import EncoderWithTemperature, nt_xent
from eegdiffusion.images.encoders.encoder_settings import LINEAR, EncoderExperiment, seeds_of
from eegdiffusion.images.encoders.registry import build_encoder, takes_positions
from eegdiffusion.images.epochs.protocols import Fold, folds
from eegdiffusion.operations.planning.corpus_size import ImageCorpusSize
from eegdiffusion.operations.planning.counted_operations import (
    META,
    Operations,
    count,
    count_step,
    matrix_products,
    moved,
)
from eegdiffusion.operations.planning.image_data_costs import epoch_shape, feature_network
from eegdiffusion.operations.planning.stage_cost import Phase, Planned, StageCost
from eegdiffusion.operations.planning.training_cost import (
    CountedTraining,
    inference,
    together,
    tracked,
    training_cost,
)

READ_S = 6e-10
"""Seconds of the reference machine to read and scale a sample of a trial."""

REPETITION_S = 2.5e-10
"""Seconds of the reference machine for each further trial that is averaged, a sample."""

TRAINING_S = 1.2
"""Seconds of the reference machine of a training beside its steps: pairing, scale of the electrodes, tables."""

INSPECTED = 40
"""Parts for each electrode that are hidden to see what retrieval rests on: ten stretches of time, bands, all."""

READ = 512
"""Number of epochs that are read at a time by a ridge regression."""


def subjects_of(size: ImageCorpusSize, experiment: EncoderExperiment) -> list[str]:
    """Return names for the subjects of a corpus, those that an experiment names among them."""
    names = [f"sub-{k:02}" for k in range(1, size.subjects + 1)]
    named = [name for name in experiment.subjects or [] if name not in names]
    return sorted([*named, *names])[: size.subjects] if named else names


def averaged(size: ImageCorpusSize, split: str, average: int | None) -> tuple[int, int]:
    """Return the epochs of a subject in a split, and the trials of each, where repetitions are averaged."""
    repetitions = size.repetitions[split]
    together_ = repetitions if average is None else min(average, repetitions)
    return size.images[split] * -(-repetitions // together_), together_


def ridge_fit(epochs: int, samples: int, width: int, alphas: int, validated: int) -> tuple[Operations, int]:
    """Return operations and memory of a ridge regression: a Gram matrix, its factor for each penalty, predictions."""
    gram = min(epochs, samples)
    over_epochs = epochs <= samples
    products = [(gram, max(epochs, samples), gram), (samples, 1 if over_epochs else epochs, width)]
    each = [(gram, gram, gram // 6 or 1), (gram, gram, width), (validated, samples, width)]
    each += [(samples, epochs, width)] if over_epochs else []
    operations = matrix_products(*products, *each * alphas)
    held = 8 * gram * gram + 8 * (gram + 3 * samples) * width // 2 + (4 * epochs * samples if over_epochs else 0)
    return operations + moved(8.0 * gram * gram * alphas), held + 3 * 8 * READ * samples


def counted_encoder(
    planned: Planned, name: str, sizes: dict[str, Any], batch: int, contrastive: bool
) -> tuple[CountedTraining, Operations]:
    """Count the training of an encoder, and its answer to a batch.

    Args:
        planned: what the plan knows.
        name: of the encoder.
        sizes: arguments of its class.
        batch: epochs in a batch.
        contrastive: whether its outputs are aligned with features; otherwise they are logits.
    """
    if takes_positions(name):
        sizes = sizes | {"positions": [[0.0, 0.0, 0.1]] * sizes["n_chans"]}

    def counted() -> tuple[CountedTraining, Operations]:
        encoder = build_encoder(name, **sizes).to(META)
        network = EncoderWithTemperature(encoder, 0.07).to(META) if contrastive else encoder
        network.train()
        eeg = torch.empty(batch, sizes["n_chans"], sizes["n_times"], device=META)
        subject = torch.zeros(batch, dtype=torch.long, device=META)
        features = torch.empty(batch, sizes["n_outputs"], device=META)

        def loss() -> torch.Tensor:
            embedding = encoder(eeg, subject)
            return nt_xent(embedding, features, subject, network.scale) if contrastive else embedding.square().mean()

        step = count_step(network, loss)
        encoder.eval()
        with torch.no_grad():
            validation = count(partial(encoder, eeg, subject))
        return CountedTraining.of(network, step, validation), validation

    key = ("encoder", name, str(sorted(sizes.items(), key=str)), batch, contrastive)
    return planned.once(key, counted)


def _trainings(experiment: EncoderExperiment, subjects: list[str], seeds: list[int]) -> Iterator[tuple[Fold, bool]]:
    """Yield the fold of each training, and whether it is of the first protocol and band."""
    first = experiment.protocols[0], experiment.bands[0]
    for protocol in experiment.protocols:
        for band in experiment.bands:
            for fold in folds(protocol, subjects, experiment.subjects):
                for _ in seeds_of(experiment, protocol, seeds):
                    yield fold, (protocol, band) == first


def train_eeg_encoder(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """An encoder is trained and tested for each protocol, band, fold and seed."""
    experiment: EncoderExperiment = planned.settings(f"eeg_encoders.{item['encoder']}")
    size, settings = planned.image_corpus(experiment.corpus), planned.settings("train_eeg_encoder")
    channels, samples = epoch_shape(planned, experiment.corpus)
    aligned = experiment.objective == "align"
    part = settings.align if aligned else settings.classify
    average = experiment.average or part.average
    width = feature_network(planned).width * len(experiment.layers) if aligned else (part.classes or size.concepts)
    subjects, seeds = subjects_of(size, experiment), planned.settings("matrix").seeds
    costs, saved = [], 0
    for fold, _ in _trainings(experiment, subjects, seeds):
        if experiment.encoder == LINEAR:
            cost = _ridge_training(size, fold, channels * samples, width, len(settings.align.ridge_alphas))
            weights = 4 * channels * samples * width
        else:
            sizes = {"n_chans": channels, "n_times": samples, "n_outputs": width}
            sizes["n_subjects"] = len(fold.train) if experiment.subject_layers else 0
            counted = counted_encoder(
                planned, experiment.encoder, sizes | experiment.options, part.optimisation.batch_size, aligned
            )
            share = 1.0 if aligned else min(1.0, width / size.concepts)
            cost = _step_training(size, fold, counted, part.optimisation, average, channels * samples, share, aligned)
            weights = counted[0].weights
        kept = weights if experiment.pairs == "recorded" else 0
        saved += kept
        costs.append(together(cost, output_bytes=kept + 150_000 + (24 * 1024 * len(fold.test) if aligned else 0)))
    if aligned and experiment.registered and experiment.encoder != LINEAR:
        hidden = channels * INSPECTED * len(subjects) * size.images["test"]
        counted = counted_encoder(planned, experiment.encoder, sizes | experiment.options, 128, aligned)
        costs.append(inference("hidden part", hidden, 128, counted[1], 0, 1.5e-9 * channels * samples))
    if experiment.protocol_sheet:
        costs.append(_protocol_sheet(planned, size, subjects, channels * samples, settings.align.ridge_alphas))
    trials = size.subjects * size.trials()
    rows = 500 * trials + (4 * size.all_images * width if aligned else 0)
    most = max((cost.host_bytes for cost in costs), default=0)
    run = [tracked()] if experiment.registered else [together(tracked(), output_bytes=0)]
    work = sum(cost.work_bytes for cost in costs)
    return together(*costs, *run, host_bytes=tracked().host_bytes + rows + most, work_bytes=work)


def _step_training(
    size: ImageCorpusSize, fold: Fold, counted: tuple[CountedTraining, Operations], optimisation: Optimisation,
    average: int, numbers: int, share: float, aligned: bool,
) -> StageCost:  # fmt: skip
    """Return what one training of an encoder takes that is trained step by step, and its test."""
    training, answer = counted
    epochs, trials = averaged(size, "train", average)
    validated, _ = averaged(size, "validation", None if aligned else average)
    own = share * len(fold.train)
    if not aligned:  # exemplars of the training concepts are held out where the test concepts are others
        of_all = size.images["train"] + size.images["validation"]
        exemplars = of_all / max(size.concepts, 1)
        if size.images["test"] and exemplars > 3 and size.images["validation"] < size.images["test"]:
            epochs, validated = round(epochs * (exemplars - 2) / exemplars), round(epochs / exemplars)
    read_s = numbers * (READ_S + REPETITION_S * (trials - 1))
    cost = training_cost(training, optimisation, round(own * epochs), round(own * validated), read_s)
    tests = size.images["test"] * len(fold.test)
    draws = sum(
        min(4, size.repetitions["test"] // k) for k in (1, 2, 5, 10, 20, 40, 80) if k <= size.repetitions["test"]
    )
    tested = tests * (max(1, draws) if aligned else size.repetitions["test"])
    test_s = numbers * (READ_S + REPETITION_S * size.repetitions["test"] / 2)
    test = inference("test", tested, max(optimisation.batch_size, 64), answer, training.weights, test_s)
    scale = Phase("scale of the electrodes", 1, reference_s=TRAINING_S + 2048 * numbers * READ_S * 3)
    return together(cost, test, StageCost(phases=[scale]))


def _ridge_training(size: ImageCorpusSize, fold: Fold, numbers: int, width: int, alphas: int) -> StageCost:
    """Return what one ridge regression takes, and its test."""
    epochs, trials = averaged(size, "train", None)
    validated, _ = averaged(size, "validation", None)
    operations, held = ridge_fit(epochs * len(fold.train), numbers, width, alphas, validated * len(fold.train))
    passes = 3 if epochs * len(fold.train) <= numbers else 4
    read = passes * epochs * trials * len(fold.train) + alphas * validated * len(fold.train)
    tests = 8 * size.images["test"] * len(fold.test)
    return StageCost(
        phases=[
            Phase("ridge regression", 1, operations, on_gpu=False),
            Phase("trial", read + tests * size.repetitions["test"] / 4, reference_s=numbers * READ_S),
            Phase("test", 1, matrix_products((tests, numbers, width), item_bytes=4), TRAINING_S, on_gpu=False),
        ],
        host_bytes=held,
    )


def _protocol_sheet(
    planned: Planned, size: ImageCorpusSize, subjects: list[str], numbers: int, alphas: list[float]
) -> StageCost:
    """Return what the ridge regressions of single subjects take, for each layer, electrodes and penalty."""
    settings = planned.settings("embed_images")
    layers = 1 + (settings.layers if isinstance(settings.layers, int) else len(settings.layers))
    width = feature_network(planned).width
    epochs, trials = averaged(size, "train", None)
    validated, _ = averaged(size, "validation", None)
    tests = 4 * size.images["test"]
    operations, held = ridge_fit(epochs, numbers, width * layers, len(alphas), validated)
    combinations = 2 * layers * len(alphas)
    each = StageCost(
        phases=[
            Phase("ridge regressions", 1.5, operations, on_gpu=False),
            Phase("combination", combinations, matrix_products((tests, numbers, width), item_bytes=4), 0.06,
                  on_gpu=False),
            Phase("trial", 2 * (1 + layers) * epochs * trials + combinations * (validated + tests * 5),
                  reference_s=numbers * READ_S),
        ],
        host_bytes=held,
    )  # fmt: skip
    return together(*[each] * len(subjects))
