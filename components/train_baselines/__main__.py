"""Train a baseline on the LFT's windows and splits: ``python -m components.train_baselines --baseline sparcnet``."""

import json

import mlflow
import torch
from safetensors.torch import save_file

from components.train_baselines.settings import TrainBaselines
from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.classification import Classification, probabilities
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.baselines import build_baseline
from eegdiffusion.events.results import predictions_io
from eegdiffusion.events.serving import baseline_pyfunc as serving
from eegdiffusion.events.serving import window_input
from eegdiffusion.events.store.window_store import Store


@stage("train_baselines")
def main(run: Stage) -> None:
    settings = run.settings(TrainBaselines)
    hardware = run.settings(Hardware, "hardware")
    seeds = run.settings(list[int], "matrix.seeds")
    name = run.item["baseline"]
    store_path, out, reference = run.input("store"), run.output("baseline"), run.output("reference")
    store = Store(store_path)
    train, validation, test = (store.event_windows(split) for split in ("train", "validation", "test"))
    example = test.__getitems__([0, 1])["signal"]
    sizes = {"name": name, "channels": example.shape[1], "samples": example.shape[2], "classes": len(store.classes)}
    data = [Data(f"{store.corpus} event windows", store_path, context) for context in ("training", "testing")]
    best, best_kappa = None, -1.0
    with tracked(run, settings, hardware, corpus=store.corpus, data=data) as logger:
        for seed in seeds:
            torch.manual_seed(seed)
            module = Classification(build_baseline(**sizes), settings.optimisation, seed, "signal")
            fitted = fit(
                module,
                train,
                validation,
                monitor="validation_cohen_kappa",
                mode="max",
                hardware=hardware,
                work=run.work / f"fit-{seed}",
            )
            if not run.is_rank_zero:
                continue
            model = module.averaged
            folder = out / f"seed-{seed}"
            facts = {
                "seed": seed,
                **store.facts("test"),
                "parameters": sum(p.numel() for p in model.parameters()),
                "best_epoch": fitted.best_epoch,
                "validation_cohen_kappa": fitted.best_score,
            }
            predicted = probabilities(
                model, test, "signal", settings.optimisation.batch_size, device_of(hardware.accelerator)
            ).numpy()
            metrics = predictions_io.write(folder, test.table, test.labels, predicted, fitted.curves, facts)
            (folder / "config.json").write_text(json.dumps(sizes, indent=2))
            window_input.write(folder, example, store.preprocessing)
            save_file(model.cpu().state_dict(), folder / "model.safetensors")
            logger.log_metrics({f"test_{key}": value for key, value in metrics.items()}, step=seed)
            if fitted.best_score > best_kappa:
                best, best_kappa = (folder, metrics), fitted.best_score
        if not run.is_rank_zero:
            return
        logger.drain()
        mlflow.log_artifacts(out)
        folder, metrics = best
        info = log_model.log(serving, f"baseline-{name}", folder, metrics)
        log_model.write_reference(reference, folder, logger.run_id, info)


if __name__ == "__main__":
    main()
