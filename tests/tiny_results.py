"""Tiny results of the trainings of every registered model: networks of the real classes with random weights."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from eegdiffusion.core.signal.epoch_scaler import EpochInput, fit_input
from eegdiffusion.core.storage.input_example import write_input_example
from eegdiffusion.core.storage.result_facts import METRICS
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.models.baselines import build_baseline
from eegdiffusion.events.results.decision import DecisionRule, write_decision
from eegdiffusion.events.results.window_input import write_window_input
from eegdiffusion.images.condiffusion.adaptation import Adaptation
from eegdiffusion.images.condiffusion.condiffusion import make_condiffusion
from eegdiffusion.images.condiffusion.condiffusion_sampling import write_sampling
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.eeg_semantics import Calibration, EEGSemantics
from eegdiffusion.images.encoders.registry import build_encoder, load_encoder
from eegdiffusion.images.encoders.training_folders import ENCODER
from eegdiffusion.images.features.image_targets import Target
from eegdiffusion.images.generation.generator import load_generator
from eegdiffusion.images.generation.sampling_settings import Sampling
from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
from eegdiffusion.images.sgdm.control_settings import ControlSettings
from eegdiffusion.images.sgdm.sgdm import SGDM, make_controlnet
from eegdiffusion.images.structure.structural_vae import StructuralVAE
from eegdiffusion.images.structure.structure_from_eeg import PREDICTOR, LatentReadout, StructureFromEEG
from tests import tiny_generator
from tests.predict import tiny_model

CHANS, TIMES, RATE_HZ = 6, 80, 100.0
"""Of the epochs of pictures."""

FEATURES = 12
"""Width of image features."""

QUICK = Sampling(sampler="unipc", steps=2, guidance=2.0)


def _epochs() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, CHANS, TIMES), dtype=np.float32)


def _epoch_input() -> EpochInput:
    return fit_input(np.concatenate([_epochs()] * 4), RATE_HZ, None)


def _baseline(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        torch.manual_seed(0)
        folder.mkdir(parents=True)
        sizes = {"name": name, "channels": 22, "samples": 1000, "classes": len(tuev.CLASSES)}
        (folder / "config.json").write_text(json.dumps(sizes))
        windows = np.random.default_rng(0).standard_normal((2, 22, 1000), dtype=np.float32)
        write_window_input(folder, windows, tiny_model.PREPROCESSING)
        save_file(build_baseline(**sizes).state_dict(), folder / "model.safetensors")
        return folder

    return write


def _multi_label(folder: Path) -> Path:
    tiny_model.write(folder)
    write_decision(folder, DecisionRule("multi_label", dict.fromkeys(tuev.CLASSES, 0.5)))
    return folder


def _encoder(name: str, outputs: int = FEATURES) -> EEGEncoder:
    torch.manual_seed(0)
    small = {"hidden": 4, "layers": 1, "filters": 4, "kernels": (5,), "dropout": 0.0}
    options = small if name == "spatiotemporal" else {}
    return build_encoder(name, n_chans=CHANS, n_times=TIMES, n_outputs=outputs, **options).eval()


def _write_encoder(folder: Path, encoder: EEGEncoder) -> Path:
    encoder.save_pretrained(folder / ENCODER)
    _epoch_input().save(folder)
    write_input_example(folder, _epochs())
    return folder


def _aligned(folder: Path) -> Path:
    _write_encoder(folder, _encoder("spatiotemporal"))
    empty = np.zeros((0, FEATURES), np.float32)
    Target(empty, np.arange(FEATURES, dtype=np.float32), ["image_embeds"], [FEATURES]).save(folder)
    (folder / METRICS).write_text(json.dumps({"corpus": "surrogate", "fold": {"train": ["sub-01"]}}))
    return folder


def _classifying(folder: Path) -> Path:
    return _write_encoder(folder, _encoder("eegconvnet", 3))


def _predictor() -> StructureFromEEG:
    torch.manual_seed(0)
    vae = StructuralVAE("edges", tiny_generator.SIDE, latent_size=3, widths=(8, 16))
    torch.nn.init.normal_(vae.structure_head[-2].weight, std=0.1)
    return StructureFromEEG(LatentReadout(_encoder("spatiotemporal", 8), vae.latent_shape), vae, _epoch_input()).eval()


def _structural_vae(folder: Path) -> Path:
    _predictor().save(folder / PREDICTOR)
    write_input_example(folder, _epochs())
    return folder


def _generator(folder: Path) -> Path:
    pipeline = tiny_generator.write_stable_diffusion(folder.with_name(f"{folder.name}-pipeline"))
    return tiny_generator.write_generator(folder.with_name(f"{folder.name}-generator"), pipeline)


def _condiffusion(folder: Path) -> Path:
    place, classifier = _generator(folder), _classifying(folder.with_name(f"{folder.name}-classifier"))
    generator = load_generator(place)
    folder.mkdir(parents=True)
    model = make_condiffusion(generator, load_encoder(classifier / ENCODER), "lora", 2)
    model.save(folder, generator.unet, Adaptation("lora", 2, str(place), str(classifier)))
    write_sampling(folder, QUICK)
    return folder


def _controlnet(folder: Path) -> Path:
    place = _generator(folder)
    generator = load_generator(place)
    torch.manual_seed(0)

    def semantics() -> EEGSemantics:
        return EEGSemantics(_encoder("spatiotemporal"), Calibration(FEATURES), _epoch_input())

    tokens = SemanticTokens(FEATURES, 4, generator.unet.config.cross_attention_dim)
    sgdm = SGDM(generator, make_controlnet(generator, 1), tokens, semantics(), _predictor(), semantics())
    sgdm.save(folder, place, QUICK, ControlSettings())
    write_input_example(folder, _epochs())
    return folder


WRITERS: dict[str, Callable[[Path], Path]] = {
    "ssmdp": tiny_model.write,
    "lft": tiny_model.write,
    "lft-{entry}": _multi_label,
    "baseline-sparcnet": _baseline("sparcnet"),
    "baseline-contrawr": _baseline("contrawr"),
    "baseline-band-power": _baseline("band_power"),
    "eeg-aligned": _aligned,
    "eeg-convnet": _classifying,
    "structural-vae": _structural_vae,
    "condiffusion": _condiffusion,
    "sgdm-controlnet": _controlnet,
}
"""Functions that write a result to a new folder and return it, by the model's name in ``mlflow/registry.yaml``."""
