"""Trains the ControlNet of SGDM on conditions that EEG predicts, and compares its losses between conditions."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel

from components.train_controlnet.settings import TrainControlNet
from eegdiffusion.core.storage.input_example import first_inputs, write_input_example
from eegdiffusion.core.storage.result_facts import ResultFacts, write_result
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders.eeg_semantics import EEGSemantics, load_aligned
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL, split_hash
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, mismatched
from eegdiffusion.images.generation.denoising_gain import denoising_gain
from eegdiffusion.images.generation.generator import Generator, load_generator, weights_digest
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.generation.latent_diffusion import losses_by_condition
from eegdiffusion.images.generation.previews import write_previews
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.sgdm.controlnet_dataset import ControlNetDataset
from eegdiffusion.images.sgdm.controlnet_training import ControlNetTraining, Guide
from eegdiffusion.images.sgdm.image_conditions import (
    fit_baseline,
    keep_predictions,
    mean_cosine,
    predict_features,
)
from eegdiffusion.images.sgdm.published_controlnet import load_published_controlnet
from eegdiffusion.images.sgdm.sgdm import SGDM, make_controlnet, require_features
from eegdiffusion.images.sgdm.sgdm_previews import sgdm_previews
from eegdiffusion.images.structure.structure_from_eeg import (
    PREDICTOR,
    StructureFromEEG,
    load_structure_predictor,
)
from eegdiffusion.images.structure.structure_maps import StructureMaps


@dataclass(frozen=True)
class ControlNetInputs:
    """Folders that the stage reads, and what it has opened of them.

    Attributes:
        store: epoch store of the corpus.
        features: (images, width) features of its images.
        structure: structure maps of the images.
        latents: latents of the images.
        encoder: folder of the encoder aligned with the features.
        generator: folder of the generator.
        predictor: output of ``train_structural_vae``, with the predictor of structure.
    """

    store: EpochStore
    features: np.ndarray
    structure: StructureMaps
    latents: ImageLatents
    encoder: Path
    generator: Path
    predictor: Path

    @property
    def subjects(self) -> list[str]:
        """Names of all subjects, in the order of their numbers."""
        return sorted(self.store.index["subject"].unique())

    def split(self, name: str) -> np.ndarray:
        """Say which images are of a split and have a latent, (images,) bool."""
        return self.latents.known & (self.store.images["split"].to_numpy(str) == name)


@dataclass(frozen=True)
class TrainedControlNet:
    """A trained ControlNet.

    Attributes:
        metrics: mean losses by condition, and the gain of the right EEG.
        warnings: what must be said beside every number of the corpus.
    """

    metrics: dict[str, float]
    warnings: list[str]


def choose_condition(
    wanted: str, aligned: EEGSemantics, ridge: EEGSemantics, validation: PairedEpochs, features: np.ndarray,
    device: torch.device,
) -> tuple[str, dict[str, float]]:  # fmt: skip
    """Choose what predicts features from EEG: ``aligned``, ``ridge``, or the ``better`` of them on validation images.

    Args:
        wanted: setting ``condition``.
        aligned: encoder aligned with the features.
        ridge: linear baseline.
        validation: validation epochs.
        features: (images, width) features of the store's images.
        device: device to compute on.

    Returns:
        ``aligned`` or ``ridge``, and the mean cosine of both to the features of the validation images.
    """
    image, mean = validation.table["image"].to_numpy(), aligned.calibration.mean.cpu().numpy()
    cosines = {
        name: mean_cosine(predict_features(semantics, validation, device).numpy(), features, image, mean)
        for name, semantics in (("aligned", aligned), ("ridge", ridge))
    }
    return max(cosines, key=cosines.__getitem__) if wanted == "better" else wanted, cosines


def predict_datasets(
    inputs: ControlNetInputs, epochs: dict[str, PairedEpochs], semantics: EEGSemantics,
    predictor: StructureFromEEG | None, device: torch.device, folder: Path,
) -> tuple[dict[str, ControlNetDataset], dict[str, float]]:  # fmt: skip
    """Predict the conditions of all epochs once: features of 4 bytes a number, structure maps of 2, memory-mapped.

    Args:
        inputs: what the stage reads.
        epochs: epochs by split.
        semantics: network from EEG to features.
        predictor: network from EEG to structure; None where it is trained, so that structure is not predicted before.
        device: device to compute on.
        folder: folder for files of the predictions.

    Returns:
        datasets by split, and the mean cosine of predicted features by split, as ``<split>_cosine``.
    """
    datasets, facts = {}, {}
    folder.mkdir(parents=True, exist_ok=True)
    mean, semantics = semantics.calibration.mean.cpu().numpy(), semantics.to(device).eval()
    for name, part in epochs.items():
        features = keep_predictions(semantics, part, device, np.float32, folder / f"features-{name}.npy")
        facts[f"{name}_cosine"] = mean_cosine(features, inputs.features, part.table["image"].to_numpy(), mean)
        maps = None
        if predictor is not None:
            path = folder / f"structure-{name}.npy"
            maps = keep_predictions(predictor.decode_renormalised, part, device, np.float16, path)
        datasets[name] = ControlNetDataset(
            part, inputs.latents.latents, inputs.features, inputs.structure, features, maps
        )
    return datasets, facts


def make_guide(
    inputs: ControlNetInputs, generator: Generator, semantics: EEGSemantics, predictor: StructureFromEEG,
    settings: TrainControlNet, published: ControlNetModel | None = None,
) -> Guide:  # fmt: skip
    """Make what is trained; new weights are those that the seed determines.

    Args:
        inputs: what the stage reads.
        generator: frozen generator.
        semantics: network from EEG to features.
        predictor: network from EEG to structure; the two are trained as well where the settings say so.
        settings: settings of the stage.
        published: ControlNet that training begins with; None: one made of the UNet's weights.
    """
    torch.manual_seed(settings.seed)
    tokens = None
    if generator.source.ip_adapter is None:
        width = generator.unet.config.cross_attention_dim
        tokens = SemanticTokens(inputs.features.shape[1], settings.tokens, width)
        tokens.fit_scale(torch.from_numpy(inputs.features[inputs.split("train")]))
    controlnet = published or make_controlnet(generator, inputs.structure.channels)
    if not settings.end_to_end:
        return Guide(controlnet, tokens)
    return Guide(controlnet, tokens, predictor.requires_grad_(True), deepcopy(semantics).requires_grad_(True))


def compute(
    inputs: ControlNetInputs, settings: TrainControlNet, hardware: Hardware, out: Path, work: Path, leader: bool,
    logger=None,
) -> TrainedControlNet | None:  # fmt: skip
    """Train a ControlNet and what goes with it; write SGDM without its generator, curves, metrics and previews.

    Args:
        inputs: what the stage reads.
        settings: settings of the stage.
        hardware: devices to train on.
        out: folder to make for what is written.
        work: folder for checkpoints.
        leader: whether this process writes; the others of a distributed training return None.
        logger: Lightning logger of the metrics; None logs nothing.

    Raises:
        InputError: a part of the inputs is missing, or the parts do not fit each other.
    """
    keep_freed_memory()
    device, store = device_of(hardware.accelerator), inputs.store
    generator = load_generator(inputs.generator).to(device)
    require_features(generator, inputs.features.shape[1])
    published, begun = None, {}
    if settings.pretrained_controlnet:
        folder = Path(settings.pretrained_controlnet)
        published = load_published_controlnet(folder, generator, inputs.structure.channels)
        begun = {"pretrained_controlnet": folder.as_posix(), "pretrained_controlnet_digest": weights_digest(published)}
    predictor = load_structure_predictor(inputs.predictor / PREDICTOR).to(device)
    averages = {"train": settings.average, "validation": ALL, "test": ALL}
    epochs = {
        name: PairedEpochs(store.epochs(None, None, average), {}, inputs.subjects, wanted=inputs.split(name))
        for name, average in averages.items()
    }
    semantics = load_aligned(inputs.encoder, torch.from_numpy(inputs.features[inputs.split("train")]))
    ridge, ridge_facts = fit_baseline(semantics, epochs, inputs.features, settings.ridge_alphas)
    condition, cosines = choose_condition(
        settings.condition, semantics, ridge, epochs["validation"], inputs.features, device
    )
    semantics = ridge if condition == "ridge" else semantics
    before = None if settings.end_to_end else predictor.to(device).eval()
    datasets, cosine_facts = predict_datasets(inputs, epochs, semantics, before, device, work / "conditions")
    guide = make_guide(inputs, generator, semantics, predictor, settings, published)
    module = ControlNetTraining(
        guide, generator, settings.teacher_forcing_fraction, settings.new_layer_lr_factor, settings.denoising,
        settings.optimisation, settings.seed,
    )  # fmt: skip
    fitted = fit(
        module, datasets["train"], datasets["validation"], monitor="validation_loss", mode="min", hardware=hardware,
        work=work, logger=logger,
    )  # fmt: skip
    if not leader:
        return None
    losses = {}
    for name in ("validation", "test"):
        other = datasets[name].with_eeg(mismatched(datasets[name].image, settings.seed))
        conditions = {"own": (datasets[name], False), "shuffled": (other, False)}
        losses[name] = losses_by_condition(module, conditions, settings.draws, device)
    metrics = denoising_gain(losses, datasets["test"].image)
    averaged = module.ema_model
    if settings.end_to_end:
        semantics, predictor = averaged.semantics, averaged.predictor
        _, cosine_facts = predict_datasets(inputs, epochs, semantics, None, device, work / "averaged")
    sgdm = SGDM(generator, averaged.controlnet, averaged.tokens, semantics, predictor, ridge).to(device)
    sgdm.save(out, inputs.generator, settings.sampling, settings.control)
    more = (
        cosine_facts
        | begun
        | {
            "ridge": ridge_facts,
            "condition": condition,
            "condition_validation_cosine": cosines,
            "repetitions": int(store.index["repetition"].max()) + 1,
            "structure": inputs.structure.kind,
            "end_to_end": settings.end_to_end,
            "image_size": generator.source.image_size,
            "frozen": {type(m).__name__: sum(p.numel() for p in m.parameters()) for m in generator.modules()},
        }
    )
    facts = ResultFacts(
        data=store.facts("test", split_hash(store.images, inputs.split("test"), inputs.subjects)),
        parameters=sum(p.numel() for p in guide.parameters()),
        seed=settings.seed,
        best_epoch=fitted.best_epoch,
        windows=len(epochs["test"]),
        more=more,
    )
    write_result(out, facts, metrics, fitted.curves)
    write_input_example(out, first_inputs(epochs["test"], "eeg"))
    previews = sgdm_previews(
        sgdm, epochs["test"], inputs.latents.images, inputs.structure, settings.sampling, settings.control,
        settings.shown, settings.seed,
    )  # fmt: skip
    write_previews(out, **previews)
    return TrainedControlNet(metrics, store.description.warnings)
