"""Pretrains a backbone by diffusion, and generates EEG with it."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from components.pretrain_ssmdp.settings import PretrainSSMDP
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.runtime.ranks import is_rank_zero
from eegdiffusion.core.signal.units import UNIT_UV
from eegdiffusion.core.storage.result_facts import ResultFacts, write_result
from eegdiffusion.core.storage.subset import Subset, spread
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.metric_logger import MetricLogger
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.diffusion import noise_scheduler
from eegdiffusion.events.models.signal_transform import SignalTransform
from eegdiffusion.events.models.ssmdp import SSMDP
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.eeg_sampling import chosen_channels, draw_real_eeg, generate_eeg, write_signals
from eegdiffusion.events.training.pretraining import Pretraining
from eegdiffusion.events.training.pretraining_settings import BackboneVariant


@dataclass(frozen=True)
class PretrainedBackbone:
    """A pretrained backbone in numbers, and EEG of its own beside real EEG.

    Attributes:
        validation_loss: mean squared error of the predicted velocity on the validation samples.
        parameters: number of weights.
        channels: names of the channels that EEG was generated of.
        real, generated: (channels, signals, samples) in uV.
    """

    validation_loss: float
    parameters: int
    channels: list[str]
    real: np.ndarray
    generated: np.ndarray


def compute(
    store: Store,
    settings: PretrainSSMDP,
    variant: BackboneVariant,
    hardware: Hardware,
    out: Path,
    work: Path,
    logger: MetricLogger | None = None,
) -> PretrainedBackbone | None:
    """Pretrain a backbone on single-channel signals (EEGDM, arXiv:2508.14086, section 3).

    Args:
        store: window store of the corpus.
        settings: sizes, optimisation and what is generated.
        variant: noise schedule and mu-law.
        hardware: where to run.
        out: folder to write backbone, generated and real EEG, curves and metrics to.
        work: folder for checkpoints, from which an interrupted training goes on.
        logger: a Lightning logger.

    Returns:
        what was trained; None in the followers of a distributed run, which write nothing.
    """
    sampling = settings.generation
    chosen_channels(sampling, len(store.channels))  # refused before a training, not after it
    training, validation = store.pretraining_samples("train"), store.pretraining_samples("validation")
    validation = Subset(validation, spread(len(validation), settings.validation_samples))
    torch.manual_seed(settings.seed)
    montage = store.montage
    backbone = SSMDP(**asdict(settings.model), n_class=len(montage.id_names), beta_schedule=variant.schedule)
    scheduler = noise_scheduler(variant.schedule)
    module = Pretraining(backbone, scheduler, variant.mu_law, settings.optimisation, settings.seed)
    fitted = fit(
        module,
        training,
        validation,
        monitor="validation_loss",
        mode="min",
        hardware=hardware,
        work=work / "fit",
        logger=logger,
    )
    if not is_rank_zero():
        return None
    backbone = module.ema_model.to(device_of(hardware.accelerator))
    transform = SignalTransform(variant.mu_law, store.sfreq, store.description.unit, montage.id_names)
    signal_transform.save(out / "backbone", backbone, transform)

    generated_channels = chosen_channels(sampling, len(montage.channels))
    channels, ids = ([values[k] for k in generated_channels] for values in (montage.names, montage.ids))
    generated = generate_eeg(backbone, variant.mu_law, sampling, ids, store.sfreq, settings.seed)
    real = draw_real_eeg(training, sampling, generated_channels, generated.shape[-1], settings.seed)
    (out / "generated").mkdir()
    write_signals(out / "generated" / "generated_raw.fif", generated, channels, store.sfreq)
    write_signals(out / "generated" / "real_raw.fif", real, channels, store.sfreq)

    parameters = sum(p.numel() for p in backbone.parameters())
    # Losses compare on the same samples, noise schedule and mu-law.
    data = store.facts("validation")
    data = replace(data, split_hash=text_hash(data.split_hash, settings.validation_samples, asdict(variant)))
    more = {"training_samples": len(training), **asdict(variant)}
    facts = ResultFacts(data=data, parameters=parameters, best_epoch=fitted.best_epoch, more=more)
    write_result(out, facts, {"validation_loss": fitted.best_score}, fitted.curves)
    return PretrainedBackbone(fitted.best_score, parameters, channels, real * UNIT_UV, generated * UNIT_UV)
