"""Trains and tests the LFT as one row of an ablation, over all seeds."""

from dataclasses import asdict
from pathlib import Path

from components.ablate_lft.settings import AblationRow, LFTTraining
from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.training.classification import probabilities
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.metric_logger import MetricLogger
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.results.classifier_io import write_classifier_result
from eegdiffusion.events.store.latent_cache import LatentCache, make_recipe
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.finetuning import train_lft
from eegdiffusion.events.training.finetuning_settings import LFTArchitecture


def architecture(key: str, row: AblationRow, default: LFTArchitecture) -> LFTArchitecture:
    """Return the sizes of a row's LFT.

    Args:
        key: entry of the section ``ablations``, for the error.
        row: what it says.
        default: sizes of the LFT of ``finetune_lft``.

    Raises:
        InputError: a field of the row's model is unknown or breaks its rule.
    """
    return validate(asdict(default) | row.model, LFTArchitecture, f"params.yaml: ablations.{key}.model")


def open_cache(path: Path, latents: Latents, store: Store, *splits: str) -> list[LatentCache]:
    """Open splits of a latent cache, and check that it holds these latents of this store.

    Args:
        path: folder of the cache.
        latents: what it is expected to hold.
        store: window store that it is expected to be of.
        *splits: names of splits.
    """
    recipe = make_recipe(asdict(latents), path / "backbone", store.fingerprint, store.montage.ids)
    return [LatentCache(path, split, recipe) for split in splits]


def compute(
    store: Store,
    caches: tuple[Path, Path],
    latents: tuple[Latents, Latents],
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
        caches: folders of the latents to train on and to test on.
        latents: what they hold.
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
    train, validation = open_cache(caches[0], latents[0], store, "train", "validation")
    (test,) = open_cache(caches[1], latents[1], store, "test")
    windows, metrics = store.event_windows("test").table, {}
    for seed in seeds:
        trained = train_lft(train, validation, settings, len(store.classes), seed, hardware, work / f"fit-{seed}")
        if not is_rank_zero():
            continue
        predicted = probabilities(
            trained.lft,
            test,
            "tokens",
            settings.optimisation.batch_size,
            device_of(hardware.accelerator),
            # Under the reference's convention of rates the last pool is missing.
            missing_pools=latents[1].rate_convention == "reference",
        ).numpy()
        facts, curves = trained.facts(store.facts("test"), row=key), trained.fitted.curves
        metrics[seed] = write_classifier_result(out / f"seed-{seed}", windows, test.labels, predicted, curves, facts)
        if logger:
            logger.log_metrics({f"test_{name}": value for name, value in metrics[seed].items()}, step=seed)
    return metrics
