"""Pretrain an SSMDP backbone and generate EEG with it: ``python -m components.pretrain_ssmdp --backbone base``."""

import json
from dataclasses import asdict

import mlflow
import mne
import numpy as np
import pandas
import torch

from components.pretrain_ssmdp.generation import generate, real_signals
from components.pretrain_ssmdp.settings import PretrainSSMDP, Variant
from eegdiffusion.core.observe.figures import figures
from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.storage.subset import Subset, spread
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.diffusion import noise_scheduler
from eegdiffusion.events.models.signal_transform import Embedding
from eegdiffusion.events.models.ssmdp import SSMDP
from eegdiffusion.events.serving import ssmdp_pyfunc as serving
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.pretraining import Pretraining


def _raw(signals: np.ndarray, channels: list[str], rate: float) -> mne.io.RawArray:
    """(channels, signals, length) in 100 uV -> a recording with one annotated signal after the other."""
    joined = signals.reshape(len(channels), -1) * 1e-4
    raw = mne.io.RawArray(joined, mne.create_info(channels, rate, "eeg"), verbose="error")
    length = signals.shape[-1] / rate
    return raw.set_annotations(mne.Annotations(length * np.arange(signals.shape[1]), length, "signal"))


@stage("pretrain_ssmdp")
def main(run: Stage) -> None:
    settings = run.settings(PretrainSSMDP)
    hardware = run.settings(Hardware, "hardware")
    variant = run.settings(Variant, f"backbones.{run.item['backbone']}")
    store_path, out, reference = run.input("store"), run.output("ssmdp"), run.output("reference")
    store = Store(store_path)
    train, validation = store.pretraining_samples("train"), store.pretraining_samples("validation")
    validation = Subset(validation, spread(len(validation), settings.validation_samples))

    torch.manual_seed(settings.seed)
    backbone = SSMDP(**asdict(settings.model), beta_schedule=variant.schedule)
    schedule = noise_scheduler(variant.schedule)
    module = Pretraining(backbone, schedule, variant.mu_law, settings.optimisation, settings.seed)
    data = [Data(f"{store.corpus} pretraining samples", store_path, context) for context in ("training", "validation")]
    with tracked(run, settings, variant, hardware, corpus=store.corpus, data=data) as logger:
        fitted = fit(
            module,
            train,
            validation,
            monitor="validation_loss",
            mode="min",
            hardware=hardware,
            work=run.work / "fit",
            logger=logger,
        )
        if not run.is_rank_zero:
            return
        backbone = module.averaged.to(device_of(hardware.accelerator))
        embedded = Embedding(variant.mu_law, store.sfreq, store.description.unit, store.channels)
        signal_transform.save(out / "backbone", backbone, embedded)

        generation = settings.generation
        names = [store.channels[k] for k in generation.channels]
        generated = generate(backbone, variant.mu_law, generation, store.sfreq, settings.seed)
        real = real_signals(store.pretraining_samples("train"), generation, generated.shape[-1], settings.seed)
        (out / "generated").mkdir()
        _raw(generated, names, store.sfreq).save(out / "generated" / "generated_raw.fif", verbose="error")
        _raw(real, names, store.sfreq).save(out / "generated" / "real_raw.fif", verbose="error")

        pandas.DataFrame(fitted.curves).to_csv(out / "curves.csv", index=False)
        facts = store.facts("validation")
        metrics = {
            "validation_loss": fitted.best_score,
            "best_epoch": fitted.best_epoch,
            "parameters": sum(p.numel() for p in backbone.parameters()),
            "training_samples": len(train),
            **asdict(variant),
            **facts,
            # Losses compare on the same samples, noise schedule and embedding.
            "split_hash": text_hash(facts["split_hash"], settings.validation_samples, asdict(variant)),
        }
        (out / "metrics.json").write_text(json.dumps(metrics, indent=2))
        logger.drain()
        mlflow.log_artifacts(out)
        title = f"Real and generated EEG ({store.corpus} data)"
        mlflow.log_figure(figures.traces(real * 100, generated * 100, names, store.sfreq, title), "generated.png")
        # Under a name of its own: it has no step, and the curve of validation_loss has.
        scores = {"best_validation_loss": metrics["validation_loss"], "parameters": metrics["parameters"]}
        model = log_model.log(serving, "ssmdp", out, scores)
        log_model.write_reference(reference, out, logger.run_id, model)


if __name__ == "__main__":
    main()
