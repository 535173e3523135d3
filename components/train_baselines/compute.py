"""Trains a baseline on event windows, once for each seed, and tests it."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from safetensors.torch import save_file

from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.storage.input_example import first_inputs
from eegdiffusion.core.training.classification import probabilities
from eegdiffusion.core.training.classifier_training import train_classifier
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware, Optimisation
from eegdiffusion.events.models.baselines import build_baseline
from eegdiffusion.events.results.classifier_io import write_classifier_result
from eegdiffusion.events.results.window_input import write_window_input
from eegdiffusion.events.store.window_store import Store


@dataclass(frozen=True)
class TestedBaselines:
    """Baselines of all seeds in numbers.

    Attributes:
        folder: folder of the results of the seed whose validation kappa is best.
        seed: that seed.
        metrics: seed -> metric -> value on the test windows.
    """

    folder: Path
    seed: int
    metrics: dict[int, dict[str, float]]


def compute(
    store: Store,
    name: str,
    optimisation: Optimisation,
    seeds: list[int],
    hardware: Hardware,
    out: Path,
    work: Path,
) -> TestedBaselines | None:
    """Train a baseline on the windows and splits of the LFT.

    Args:
        store: window store of the corpus.
        name: name of the baseline, see :func:`.baselines.build_baseline`.
        optimisation: optimiser, its schedule, and the LFT's stopping rule.
        seeds: seeds of the weights and of the order of the samples.
        hardware: where to run.
        out: folder to write a folder ``seed-<seed>`` to, with weights, input example, predictions, curves and metrics.
        work: folder for checkpoints, from which an interrupted training goes on.

    Returns:
        how all seeds were tested, and which is best; None in the followers of a distributed run, which write nothing.
    """
    train, validation, test = (store.event_windows(split) for split in ("train", "validation", "test"))
    example = first_inputs(test, "signal")
    sizes = {"name": name, "channels": example.shape[1], "samples": example.shape[2], "classes": len(store.classes)}
    sizes["rate_hz"] = store.sfreq
    best: tuple[Path, int] | None = None
    tested_best, tested = float("-inf"), {}
    for seed in seeds:
        trained = train_classifier(
            partial(build_baseline, **sizes), train, validation, optimisation, seed, hardware, work / f"fit-{seed}"
        )
        if not is_rank_zero():
            continue
        model, fitted, folder = trained.model, trained.fitted, out / f"seed-{seed}"
        facts = trained.facts(store.facts("test"))
        batch_size, device = optimisation.batch_size, device_of(hardware.accelerator)
        predicted = probabilities(model, test, "signal", batch_size, device).numpy()
        metrics = write_classifier_result(folder, test.table, test.labels, predicted, fitted.curves, facts)
        (folder / "config.json").write_text(json.dumps(sizes, indent=2))
        write_window_input(folder, example, store.preprocessing)
        save_file(model.cpu().state_dict(), folder / "model.safetensors")
        tested[seed] = metrics
        if best is None or fitted.best_score > tested_best:
            best, tested_best = (folder, seed), fitted.best_score
    return TestedBaselines(*best, tested) if best else None
