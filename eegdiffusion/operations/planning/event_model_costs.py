"""What the stages of EEGDM take that train, run and probe networks: SSMDP, the LFT, baselines and probes."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from eegdiffusion.core.training.settings import Optimisation, stopping_after
from eegdiffusion.events.models.baselines import build_baseline
from eegdiffusion.events.models.diffusion import noise_scheduler, velocity_loss
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.latents import STATISTICS
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.models.ssmdp import SSMDP
from eegdiffusion.events.probes.channel_subsets import usual_subsets
from eegdiffusion.events.training.channel_subsets import channel_subsets
from eegdiffusion.events.training.event_task import task_training
from eegdiffusion.events.training.finetuning_settings import LFTTraining
from eegdiffusion.operations.planning.counted_operations import (
    META,
    Operations,
    count,
    count_step,
    matrix_products,
    weight_bytes,
)
from eegdiffusion.operations.planning.event_data_costs import montage_of, window_of
from eegdiffusion.operations.planning.stage_cost import NOTHING, Phase, Planned, StageCost
from eegdiffusion.operations.planning.training_cost import (
    CountedTraining,
    copied,
    inference,
    together,
    tracked,
    training_cost,
)

READ_WINDOW_S = 3e-5
"""Seconds of the reference machine to read a window of the store."""

TOKEN_S = 2.5e-9
"""Seconds of the reference machine to read and decode a number of the cache of latents."""

CODEC_BYTES = {"uint8": 1, "float16": 2, "float32": 4}

WINDOW_RESULT_BYTES = 90
"""Bytes on the disk of the predictions of a test window, with those of subsets of its channels."""


def _empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=META)


def backbone(planned: Planned, channels: int = 22) -> SSMDP:
    """Return the backbone of the settings on the meta device."""
    sizes = asdict(planned.settings("pretrain_ssmdp").model)
    with torch.device(META):
        return SSMDP(**sizes, n_class=channels)


def pretrain_ssmdp(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """The backbone learns from single-channel signals of the training windows, then generates some EEG."""
    settings = planned.settings("pretrain_ssmdp")
    variant = planned.settings(f"backbones.{item['backbone']}")
    size = planned.event_corpus(settings.corpus)
    channels, samples, rate_hz = window_of(planned, settings.corpus)
    sampling, batch = settings.generation, settings.optimisation.batch_size
    generated = sampling.samples * (3 if sampling.channels is None else len(sampling.channels))

    def counted() -> tuple[CountedTraining, Operations]:
        network, schedule = backbone(planned).train(), noise_scheduler(variant.schedule)
        schedule.alphas_cumprod = schedule.alphas_cumprod.to(META)
        signals, steps = _empty(batch, 1, samples), torch.zeros(batch, 1, dtype=torch.long, device=META)
        loss = partial(velocity_loss, network, schedule, signals, steps, steps, signals)
        step = count_step(network, loss)
        with torch.no_grad():
            validation = count(loss)
            drawn = _empty(generated, 1, round(sampling.seconds * rate_hz))
            ids = torch.zeros(generated, 1, dtype=torch.long, device=META)
            sample = count(lambda: network(drawn, ids, ids))
        return CountedTraining.of(network, step, validation), sample

    training, sample = planned.once(("ssmdp", item["backbone"]), counted)
    validated = min(settings.validation_samples, channels * size.windows["validation"])
    fitted = training_cost(training, settings.optimisation, channels * size.windows["train"], validated, 1.5e-5)
    walked = 49 if sampling.sampler == "ddpm" else sampling.ddim_steps
    drawing = StageCost(phases=[Phase("step of generation", walked, sample, 0.001)])
    table = 250 * sum(size.windows[split] for split in ("train", "validation")) * channels
    files = copied(training.weights + 2 * 4 * generated * round(sampling.seconds * rate_hz))
    return together(fitted, drawing, files, tracked(), host_bytes=tracked().host_bytes + table)


def tokens_shape(planned: Planned, latents: Latents) -> tuple[int, int, int, int]:
    """Return layers, pools, channels and width of the tokens of a window."""
    sizes = planned.settings("pretrain_ssmdp").model
    channels, samples, rate_hz = window_of(planned, latents.corpus)
    pools = max(1, round(samples / rate_hz / (latents.pool_s or 1.0)))
    return sizes.n_layer, pools, channels, sizes.d_model


def encoding(planned: Planned, corpus: str, pool_s: float, batch: int, statistics: int = 1) -> Operations:
    """Count the tokens of a batch of windows of a corpus."""
    channels, samples, rate_hz = window_of(planned, corpus)

    def counted() -> Operations:
        network = backbone(planned).eval()
        signals, conditions = _empty(batch, channels, samples), _empty(batch * channels, 1, network.sizes.d_cond)
        with torch.no_grad():
            window = max(2, round(pool_s * rate_hz))
            run = partial(network.pooled, signals, conditions, window, STATISTICS[0], "gate")
            return count(run)

    once = planned.once(("tokens", corpus, pool_s, batch), counted)
    return once.times(1.0 if statistics == 1 else 1.1)


def cache_latents(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Every distinct window goes through the frozen backbone once."""
    latents: Latents = planned.settings(f"latents.{item['latents']}")
    batch, size = planned.settings("cache_latents").batch_size, planned.event_corpus(latents.corpus)
    windows, shape = sum(size.windows.values()), tokens_shape(planned, latents)
    numbers = torch.Size(shape).numel()
    weights = weight_bytes(backbone(planned))
    drawn = latents.noise == "random"
    operations = encoding(planned, latents.corpus, latents.pool_s or 1.0, batch)
    run = inference("window", 0 if drawn else windows, batch, operations, weights, READ_WINDOW_S + 8e-9 * numbers)
    files = copied(weights + (0 if drawn else windows * numbers * CODEC_BYTES[latents.codec]))
    return together(run, files, host_bytes=2 * 1024 * numbers * CODEC_BYTES[latents.codec])


def _lft(planned: Planned, latents: Latents, settings: LFTTraining, logits: int) -> tuple[CountedTraining, Operations]:
    """Count the training of an LFT on latents, and its answer to a batch."""
    layers, pools, channels, width = tokens_shape(planned, latents)
    batch = settings.optimisation.batch_size

    def counted() -> tuple[CountedTraining, Operations]:
        sizes = {"d_model": width, "n_layer": layers, "n_pool": pools, "n_channel": channels, "n_class": logits}
        with torch.device(META):
            network = LFT(**sizes, **asdict(settings.model)).train()
        tokens = _empty(batch, layers, pools, channels, width)
        step = count_step(network, lambda: network(tokens).square().mean())
        with torch.no_grad():
            validation = count(lambda: network(tokens))
        return CountedTraining.of(network, step, validation), validation

    key = ("lft", layers, pools, channels, width, batch, logits, str(settings.model))
    return planned.once(key, counted)


def lft_training(
    planned: Planned, latents: Latents, settings: LFTTraining, classes: int, distinct: bool = False,
    subsets: bool = True,
) -> StageCost:  # fmt: skip
    """Return what the training and the test of one LFT take.

    Args:
        planned: what the plan knows.
        latents: which latents it learns from.
        settings: sizes and optimisation.
        classes: number of logits.
        distinct: whether each window counts once, in place of each row.
        subsets: whether it is tested on subsets of its channels as well.
    """
    size = planned.event_corpus(latents.corpus)
    rows = size.windows if distinct else size.rows
    training, answer = _lft(planned, latents, settings, classes)
    numbers = torch.Size(tokens_shape(planned, latents)).numel()
    read_s, batch = TOKEN_S * numbers, settings.optimisation.batch_size
    costs = [training_cost(training, settings.optimisation, rows["train"], rows["validation"], read_s)]
    tested = rows["validation"] + rows["test"]
    costs.append(inference("test", tested, batch, answer, training.weights, read_s))
    if subsets and settings.model.fusion == "cross_attention":
        drawn = channel_subsets(montage_of(planned, latents.corpus))
        channels = tokens_shape(planned, latents)[2]
        share = sum(len(subset.draws) * len(subset.draws[0]) / channels for subset in drawn)
        costs.append(inference("subsets of channels", tested, batch, answer.times(share), 0, share * 0.3 * read_s))
        # Bootstrap of 1000 replicates of each subset and split.
        costs.append(StageCost(phases=[Phase("interval", 2 * len(drawn), reference_s=0.25 + 2e-5 * rows["test"])]))
    results = WINDOW_RESULT_BYTES * rows["test"] + 20 * rows["validation"]
    return together(*costs, output_bytes=results + 100_000 + training.weights, host_bytes=400 * sum(rows.values()))


def _with_backbone(planned: Planned) -> int:
    return weight_bytes(backbone(planned))


def finetune_lft(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """An LFT learns from cached tokens; with recorded labels it is tested on subsets of channels too."""
    settings = planned.settings("finetune_lft")
    latents: Latents = planned.settings(f"latents.{settings.latents}")
    classes = planned.event_corpus(settings.corpus).classes
    trained = lft_training(planned, latents, settings, classes, subsets=item["labels"] == "recorded")
    return together(trained, tracked(), copied(_with_backbone(planned)))


def ablate_lft(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """An LFT of a row of an ablation learns for each seed."""
    row, default = planned.settings(f"ablations.{item['row']}"), planned.settings("finetune_lft")
    latents: Latents = planned.settings(f"latents.{row.latents}")
    changed = replace(default, model=replace(default.model, **row.model))
    if "optimisation" in row.training:
        changed = replace(changed, optimisation=replace(default.optimisation, **row.training["optimisation"]))
    classes = planned.event_corpus(default.corpus).classes
    each = lft_training(planned, latents, changed, classes)
    return together(*[each] * len(planned.settings("matrix").seeds), tracked(), work_bytes=each.work_bytes)


def finetune_tasks(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """An LFT, and each baseline beside it, learns the windows of a task for each seed."""
    task = planned.settings(f"event_tasks.{item['task']}")
    settings = task_training(item["task"], task, planned.settings("finetune_lft"))
    latents: Latents = planned.settings(f"latents.{task.latents}")
    classes = len(task.classes or ()) or planned.event_corpus(task.corpus).classes
    distinct = task.head == "multi_label"
    logits = 1 if task.head == "binary" else classes
    each = [lft_training(planned, latents, settings, logits, distinct, subsets=not distinct)]
    each += [copied(_with_backbone(planned))]
    rule = settings.optimisation
    optimiser = planned.settings("train_baselines").optimisation
    stopping = stopping_after(optimiser, max_epochs=rule.max_epochs, min_epochs=rule.min_epochs, patience=rule.patience)
    each += [baseline_training(planned, name, task.corpus, stopping, classes, distinct) for name in task.baselines]
    seeds = len(planned.settings("matrix").seeds)
    of_seed = together(*each)
    interval = StageCost(phases=[Phase("interval", 1, reference_s=1.0)])
    return together(*[of_seed] * seeds, interval, tracked(), work_bytes=of_seed.work_bytes)


def test_lft(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """The trained LFTs answer to other latents of the test split."""
    row, settings = planned.settings(f"lft_tests.{item['row']}"), planned.settings("finetune_lft")
    latents: Latents = planned.settings(f"latents.{row.latents}")
    size = planned.event_corpus(settings.corpus)
    training, answer = _lft(planned, latents, settings, size.classes)
    batch, numbers = settings.optimisation.batch_size, torch.Size(tokens_shape(planned, latents)).numel()
    tested = size.rows["test"] * len(planned.settings("matrix").seeds)
    run = inference("test", tested, batch, answer, training.weights, TOKEN_S * numbers)
    return together(run, tracked(), output_bytes=WINDOW_RESULT_BYTES * tested)


def baseline_training(
    planned: Planned, name: str, corpus: str, optimisation: Optimisation, classes: int, distinct: bool = False
) -> StageCost:
    """Return what the training and the test of one baseline take.

    Args:
        planned: what the plan knows.
        name: ``sparcnet``, ``contrawr`` or ``band_power``.
        corpus: entry of ``event_corpora``.
        optimisation: optimiser and stopping rule.
        classes: number of classes.
        distinct: whether each window counts once, in place of each row.
    """
    channels, samples, rate_hz = window_of(planned, corpus)
    size, batch = planned.event_corpus(corpus), optimisation.batch_size
    rows = size.windows if distinct else size.rows

    def counted() -> CountedTraining:
        network: nn.Module = build_baseline(name, channels, samples, classes, rate_hz).to(META).train()
        signals = _empty(batch, channels, samples)
        step = count_step(network, lambda: network(signals).square().mean())
        with torch.no_grad():
            validation = count(lambda: network(signals))
        return CountedTraining.of(network, step, validation)

    training = planned.once(("baseline", name, corpus, batch, classes), counted)
    fitted = training_cost(training, optimisation, rows["train"], rows["validation"], READ_WINDOW_S)
    tested = rows["test"] + rows["validation"]
    test = inference("test", tested, batch, training.validation, training.weights, READ_WINDOW_S)
    results = WINDOW_RESULT_BYTES * rows["test"] + training.weights + 40_000
    return together(fitted, test, output_bytes=results, host_bytes=400 * sum(rows.values()))


def train_baselines(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """A baseline learns from the windows of the LFT, for each seed."""
    settings, rule = planned.settings("train_baselines"), planned.settings("finetune_lft").optimisation
    stopping = stopping_after(
        settings.optimisation, max_epochs=rule.max_epochs, min_epochs=rule.min_epochs, patience=rule.patience
    )
    classes = planned.event_corpus(settings.corpus).classes
    each = baseline_training(planned, item["baseline"], settings.corpus, stopping, classes)
    return together(*[each] * len(planned.settings("matrix").seeds), tracked(), work_bytes=each.work_bytes)


def _probe(kind: str, windows: int, features: int, classes: int, tested: int) -> Operations:
    """Return the matrix products of a probe: of ridge and LDA on the smaller matrix, of others a pass an iteration."""
    small, other = sorted((windows, features))
    match kind:
        case "ridge":  # eigenvalues of the smaller matrix take about 9 n^3
            return matrix_products((small, other, small), (9 * small, small, small), (windows, features, classes))
        case "lda":  # the covariance of Ledoit and Wolf, of each class, and its inverse
            return matrix_products((features, windows, features), (features, windows, features), (features,) * 3)
        case "linear":
            return matrix_products(*[(windows, features, 2 * classes)] * 150)
        case _:
            return matrix_products((tested, features, windows))


def probe_latents(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Probes of a backbone's tokens, of an untrained one's, and of band powers, on all labels and on shares of them."""
    settings = planned.settings("probe_latents")
    latents: Latents = planned.settings(f"latents.{item['latents']}")
    size, classes = planned.event_corpus(latents.corpus), planned.event_corpus(latents.corpus).classes
    layers, pools, channels, width = tokens_shape(planned, latents)
    train, test = size.rows["train"], size.rows["test"]
    distinct = size.windows["train"] + size.windows["test"]
    names = montage_of(planned, latents.corpus).names
    subsets = usual_subsets(names) if settings.channels is None else settings.channels
    operations = NOTHING
    for features, kinds in ((layers * width * channels, settings.probes), (layers * width * channels, settings.probes),
                            (5 * channels, ["lda"])):  # fmt: skip
        for kind in kinds:
            operations += _probe(kind, train, features, classes, test)
        for fraction in settings.fractions:
            each = _probe(kinds[0], round(fraction * train), features, classes, test)
            operations += each.times(settings.draws)
        for some in subsets.values():
            operations += _probe(kinds[0], train, features * len(some) // channels, classes, test)
    features = layers * width * channels
    encode = encoding(planned, latents.corpus, latents.pool_s or 1.0, settings.batch_size)
    numbers = layers * pools * channels * width
    run = inference("untrained backbone", distinct, settings.batch_size, encode, _with_backbone(planned), READ_WINDOW_S)
    fits = 3 * (2 + settings.draws * len(settings.fractions) + len(subsets))
    probes = StageCost(
        phases=[
            Phase("features", train + test, reference_s=4 * numbers * TOKEN_S + 2e-4),
            Phase("probe", fits, reference_s=0.05 + 2e-7 * features * train / 3),
            Phase("probes", 1, operations, on_gpu=False),
            Phase("interval", 2 * (len(settings.fractions) + 1) + fits, reference_s=0.3),
        ]
    )
    held = 8 * (train + test) * features * 2
    return together(run, probes, host_bytes=2 * held, output_bytes=40_000)


def probe_tasks(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Probes of another corpus: tokens of a backbone and of untrained ones, band powers, raw samples."""
    task = planned.settings(f"probe_tasks.{item['task']}")
    size, sizes = planned.event_corpus(task.corpus), planned.settings("pretrain_ssmdp").model
    channels, samples, rate_hz = window_of(planned, task.corpus)
    train = size.rows["train"] + size.rows["validation"]
    test = size.rows["test"]
    pools = max(1, round(samples / rate_hz / task.pool_s))
    features, networks = sizes.n_layer * pools * channels * sizes.d_model, 1 + len(task.untrained_seeds)
    operations = NOTHING
    for variant in (1, 1, 2):  # each statistic, and both together
        fold = _probe("ridge", train * (task.folds - 1) // task.folds, variant * features, size.classes, test)
        operations += fold.times(task.folds * networks)
    operations += _probe("ridge", train, 2 * features, size.classes, test).times(networks)
    raw = channels * round(samples / rate_hz * task.raw_rate_hz)
    for kind, count_ in (("ridge", raw), ("lda", raw), ("lda", 5 * channels), ("ridge", 5 * channels)):
        operations += _probe(kind, train, count_, size.classes, test).times(task.folds + 1)
    encode = encoding(planned, task.corpus, task.pool_s, task.batch_size, statistics=2)
    windows = (train + test) * networks
    run = inference("window", windows, task.batch_size, encode, _with_backbone(planned), READ_WINDOW_S)
    probes = StageCost(
        phases=[
            Phase("probes", 1, operations, on_gpu=False),
            Phase(
                "fit",
                (task.folds * 3 + 1) * networks + 4 * (task.folds + 1),
                reference_s=0.03 + 3e-8 * train * features,
            ),
            Phase("interval", 6, reference_s=1.0),
        ]
    )
    held = 4 * (train + test) * features * 2
    signals = 4 * (train + test) * channels * samples
    return together(run, probes, host_bytes=3 * held + 2 * signals, output_bytes=60_000)
