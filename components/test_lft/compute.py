"""Tests trained LFTs on other latents of the test split; trains nothing."""

import json
from pathlib import Path

import pandas
import torch

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.core.storage.result_facts import ResultFacts
from eegdiffusion.core.training.metric_logger import MetricLogger
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.results.classifier_io import write_classifier_result
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.classifier_tokens import classify_tokens, open_tokens


def check_backbone(trained: Path, cache: Path) -> None:
    """Check that latents were made by the backbone that an LFT was trained on.

    Args:
        trained: folder of the LFT, as finetune_lft wrote it.
        cache: folder of the latent cache.

    Raises:
        InputError: they are of another backbone.
    """
    if content_hash(trained / "backbone") != content_hash(cache / "backbone"):
        raise InputError(f"{cache}/backbone: must be the backbone that {trained} was trained on (found another)")


def compute(
    store: Store,
    cache: Path,
    latents: Latents,
    key: str,
    trained: Path,
    seeds: list[int],
    batch_size: int,
    device: torch.device,
    out: Path,
    logger: MetricLogger | None = None,
) -> dict[int, dict[str, float]]:
    """Test the LFT of each seed.

    Args:
        store: window store that the latents were computed from.
        cache: folder of the latents to test on.
        latents: what it holds.
        key: entry of the section ``lft_tests``.
        trained: folder of the trained LFTs, a folder ``seed-<seed>`` each.
        seeds: seeds to test.
        batch_size: windows that go through an LFT at once.
        device: where it runs.
        out: folder to write a folder ``seed-<seed>`` to, with predictions, metrics, and the curves of the training.
        logger: takes the test metrics, with the seed as step.

    Returns:
        seed -> metric -> value on the test windows.

    Raises:
        InputError: an LFT is missing, or was trained on another backbone.
    """
    (test,) = open_tokens(cache, latents, store, "test")
    windows, metrics = store.event_windows("test").table, {}
    # Under the reference's convention of rates the last pool is missing.
    missing_pools = latents.rate_convention == "reference"
    for seed in seeds:
        folder = trained / f"seed-{seed}"
        facts = json.loads(require_file(folder / "metrics.json").read_text())
        check_backbone(folder, cache)
        lft = load_folder(LFT, folder / "lft")
        predicted = classify_tokens(lft, test, batch_size, device, seed, missing_pools).numpy()
        curves = pandas.read_csv(folder / "curves.csv").to_dict("records")
        result = ResultFacts(
            data=store.facts("test"),
            seed=seed,
            parameters=sum(p.numel() for p in lft.parameters()),
            best_epoch=facts["best_epoch"],
            more={"validation_cohen_kappa": facts["validation_cohen_kappa"], "row": key},
        )
        metrics[seed] = write_classifier_result(out / f"seed-{seed}", windows, test.labels, predicted, curves, result)
        if logger:
            logger.log_metrics({f"test_{name}": value for name, value in metrics[seed].items()}, step=seed)
    return metrics
