"""Trains EEG-ConDiffusion on cached latents and features, and compares its losses between conditions."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from components.train_condiffusion.settings import TrainConDiffusion
from eegdiffusion.core.storage.result_facts import ResultFacts, write_result
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.condiffusion.adaptation import Adaptation
from eegdiffusion.images.condiffusion.condiffusion import make_condiffusion
from eegdiffusion.images.condiffusion.condiffusion_previews import condiffusion_previews
from eegdiffusion.images.condiffusion.condiffusion_sampling import ConDiffusionPipeline, write_sampling
from eegdiffusion.images.condiffusion.condiffusion_training import (
    ConDiffusionTraining,
    cache_features,
    compare_conditions,
    feature_spread,
)
from eegdiffusion.images.encoders.trained_classifier import TrainedClassifier
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.generation.denoising_gain import denoising_gain
from eegdiffusion.images.generation.generator import Generator, load_generator
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.generation.previews import write_previews
from eegdiffusion.images.generation.prompts import class_prompts, unknown_prompts

log = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TrainedConDiffusion:
    """A trained EEG-ConDiffusion.

    Attributes:
        metrics: mean losses by condition, and the gain of the right EEG.
        warnings: what must be said beside every number of the corpus.
    """

    metrics: dict[str, float]
    warnings: list[str]


def count_frozen(sizes: dict[str, int], trained: dict[str, int], adaptation: str) -> dict[str, int]:
    """Count the parameters that stayed as they were.

    Args:
        sizes: numbers of parameters of UNet and other networks before training.
        trained: numbers of trained parameters of each part.
        adaptation: ``full``, with which whole layers are no longer frozen, or ``lora``, with adapters beside them.

    Returns:
        numbers of frozen parameters by network.
    """
    unfrozen = trained["cross_attention"] if adaptation == "full" else 0
    return sizes | {"unet": sizes["unet"] - unfrozen}


def begin_prompts(generator: Generator, concepts: Sequence[str], settings: TrainConDiffusion) -> list[str]:
    """Write the prompts that EEG begins as, one for each concept; none where the settings have none.

    Args:
        generator: generator with its tokenizer.
        concepts: names of the classes.
        settings: settings of the stage.

    Raises:
        InputError: the settings name words for a class that there is not.
    """
    if settings.prompt is None:
        return []
    prompts = class_prompts(concepts, settings.prompt, settings.words)
    for prompt in unknown_prompts(prompts, generator.tokenizer):
        log.warning("train_condiffusion.words: the tokenizer does not know every word of %r", prompt)
    return prompts


def compute(
    store: EpochStore, latents: ImageLatents, classifier: TrainedClassifier, generator_path: Path,
    settings: TrainConDiffusion, hardware: Hardware, out: Path, work: Path, leader: bool, logger=None,
) -> TrainedConDiffusion | None:  # fmt: skip
    """Train what conditions a generator on EEG; write the trained parts, curves, metrics and previews.

    Args:
        store: epoch store of the corpus.
        latents: latents of its images.
        classifier: trained EEGConvNet, with its epochs.
        generator_path: folder of the generator.
        settings: settings of the stage.
        hardware: devices to train on.
        out: folder to make for what is written.
        work: folder for checkpoints and cached features.
        leader: whether this process writes; the others of a distributed training return None.
        logger: Lightning logger of the metrics; None logs nothing.

    Raises:
        InputError: generator and classifier do not fit each other.
    """
    device = device_of(hardware.accelerator)
    generator = load_generator(generator_path, ip_adapter=False)
    networks = {"unet": generator.unet, "vae": generator.vae, "eegconvnet": classifier.encoder}
    sizes = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
    torch.manual_seed(settings.seed)
    prompts = begin_prompts(generator, classifier.facts["concepts"], settings)
    model = make_condiffusion(generator, classifier.encoder, settings.adaptation, settings.rank, prompts)
    classifier.encoder.requires_grad_(False).to(device)
    data = {
        split: cache_features(
            classifier.encoder, classifier.input, classifier.part(split), latents.latents, work / f"{split}.npy"
        )
        for split in SPLITS
    }
    model.projection.fit_scale(*feature_spread(data["train"].features))
    factors = settings.rate_factors
    rate_factors = {
        "text_encoder": factors.text_encoder,
        "cross_attention": factors.cross_attention,
        "projection": factors.projection,
    }
    module = ConDiffusionTraining(
        model, generator.unet, generator.scheduler, settings.denoising, settings.optimisation, settings.seed,
        rate_factors,
    )  # fmt: skip
    fitted = fit(
        module, data["train"], data["validation"], monitor="validation_loss", mode="min", hardware=hardware, work=work,
        logger=logger,
    )  # fmt: skip
    if not leader:
        return None
    losses = {split: compare_conditions(module, data[split], settings.draws, device) for split in SPLITS[1:]}
    trained, averaged = model.trained(), module.ema_model
    pipeline = ConDiffusionPipeline(generator, classifier.encoder, classifier.input, averaged).to(device)
    pipeline.model.install(generator.unet)
    more = {
        "split_rule": classifier.facts["split_rule"],
        "concepts": classifier.facts["concepts"],
        "repetitions": classifier.facts["repetitions"],
        "subjects": {split: classifier.facts["fold"][split] for split in ("train", "test")},
        "epochs": {split: len(part) for split, part in data.items()},
        "prompts": prompts,
        "adaptation": settings.adaptation,
        "rank": settings.rank if settings.adaptation == "lora" else None,
        "image_size": generator.source.image_size,
        "trained": trained,
        "frozen": count_frozen(sizes, trained, settings.adaptation),
    }
    facts = ResultFacts(
        data=store.facts("test", classifier.pairs.split_hash()),
        parameters=sum(trained.values()),
        seed=settings.seed,
        best_epoch=fitted.best_epoch,
        windows=len(data["test"]),
        more=more,
    )
    metrics = denoising_gain(losses, data["test"].image)
    write_result(out, facts, metrics, fitted.curves)
    adaptation = Adaptation(settings.adaptation, settings.rank, str(generator_path), str(classifier.folder))
    averaged.save(out, generator.unet, adaptation)
    write_sampling(out, settings.sampling)
    previews = condiffusion_previews(
        pipeline, classifier.part("test"), latents.images, settings.sampling, settings.shown, settings.seed
    )
    write_previews(out, **previews)
    return TrainedConDiffusion(metrics, store.description.warnings)
