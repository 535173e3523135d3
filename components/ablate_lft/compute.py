"""Trains and tests the LFT as one row of an ablation, over all seeds."""

from dataclasses import asdict
from pathlib import Path

from components.ablate_lft.settings import AblationRow, LFTTraining
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.metric_logger import MetricLogger
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.results.classifier_io import write_classifier_result
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.channel_subsets import score_subsets
from eegdiffusion.events.training.classifier_tokens import classify_tokens, open_tokens
from eegdiffusion.events.training.finetuning import train_lft
from eegdiffusion.events.training.finetuning_settings import LFTArchitecture


def row_training(key: str, row: AblationRow, default: LFTTraining) -> LFTTraining:
    """Return how a row's LFT is trained.

    Args:
        key: entry of the section ``ablations``, for the error.
        row: what it says.
        default: how the LFT of ``finetune_lft`` is.

    Raises:
        InputError: a field of the row is unknown, breaks its rule, or has a place of its own.
    """
    where = f"params.yaml: ablations.{key}"
    if placed := row.training.keys() & {"latents", "corpus", "model"}:
        raise InputError(f"{where}.training: must not have {', '.join(sorted(placed))}, which the row itself states")
    model = validate(asdict(default.model) | row.model, LFTArchitecture, f"{where}.model")
    changed = asdict(default) | row.training | {"latents": row.latents, "model": asdict(model)}
    return validate(changed, LFTTraining, f"{where}.training")


def compute(
    store: Store,
    cache: Path,
    latents: Latents,
    key: str,
    settings: LFTTraining,
    seeds: list[int],
    hardware: Hardware,
    out: Path,
    work: Path,
    logger: MetricLogger | None = None,
) -> dict[int, dict[str, float]]:
    """Train and test an LFT for each seed.

    Args:
        store: window store that the latents were computed from.
        cache: folder of the latents.
        latents: what it holds.
        key: entry of the section ``ablations``.
        settings: sizes and optimisation of the row's LFT.
        seeds: seeds of the weights and of the order of the samples.
        hardware: where to run.
        out: folder to write a folder ``seed-<seed>`` to, with predictions, curves and metrics.
        work: folder for checkpoints, from which an interrupted training goes on.
        logger: takes the test metrics, with the seed as step.

    Returns:
        seed -> metric -> value on the test windows; nothing in the followers of a distributed run.
    """
    train, validation, test = open_tokens(cache, latents, store, "train", "validation", "test")
    batch_size, device = settings.optimisation.batch_size, device_of(hardware.accelerator)
    windows, metrics = store.event_windows("test").table, {}
    for seed in seeds:
        trained = train_lft(train, validation, settings, len(store.classes), seed, hardware, work / f"fit-{seed}")
        if not is_rank_zero():
            continue
        predicted = classify_tokens(trained.lft, test, batch_size, device, seed).numpy()
        facts, curves = trained.facts(store.facts("test"), row=key), trained.fitted.curves
        metrics[seed] = write_classifier_result(out / f"seed-{seed}", windows, test.labels, predicted, curves, facts)
        splits = {"validation": validation, "test": test}
        dropout = settings.channel_dropout and asdict(settings.channel_dropout)
        recordings = {split: store.event_windows(split).table["recording"].to_numpy() for split in splits}
        score_subsets(
            trained.lft, store.montage, splits, recordings, len(store.classes), batch_size, device, dropout,
            out / f"seed-{seed}",
        )  # fmt: skip
        if logger:
            logger.log_metrics({f"test_{name}": value for name, value in metrics[seed].items()}, step=seed)
    return metrics
