"""A tiny event classifier, random but real, as finetune_lft writes it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import mlflow
import numpy as np
import torch

from eegdiffusion import LFT, SSMDP
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.montages import choose_montage
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.signal_transform import SignalTransform
from eegdiffusion.events.results.tested_subsets import TestedSubset, TestedSubsets, write_tested_subsets
from eegdiffusion.events.results.window_input import write_window_input
from eegdiffusion.events.training.channel_subsets import channel_subsets
from tests import registered_versions
from tests.e2e.workspace import ROOT
from tests.tracking_uri import tracking_uri_restored

EDF = ROOT / "tests/golden/tuev_mini/edf/train/aaaaaaar/aaaaaaar_00000001.edf"
PREPROCESSING = Preprocessing(
    filtering=EEGDM, channels=BIPOLAR, window=1000, unit="100 uV", classes=tuev.CLASSES, corpus="surrogate"
)


@torch.inference_mode()
def _tell_windows_apart(lft: LFT, tokens: torch.Tensor) -> None:
    """Centre the logits of these windows and spread them to unit sd, so that each class wins some of them."""
    linear = lft.eval().classifier.linear
    torch.nn.init.normal_(linear.weight)
    logits = lft(tokens)
    scale = 1 / logits.std(dim=0)
    linear.bias.copy_(scale * (linear.bias - logits.mean(dim=0)))
    linear.weight.mul_(scale[:, None])


def windows() -> torch.Tensor:
    signals = tuev.derive(EDF)
    starts = range(0, signals.shape[1] - PREPROCESSING.window + 1, 200)
    return torch.from_numpy(np.stack([signals[:, k : k + PREPROCESSING.window] for k in starts]).astype(np.float32))


def write(folder: Path, preprocessing: Preprocessing = PREPROCESSING) -> Path:
    """Write backbone, LFT, latents, preprocessing and example."""
    torch.manual_seed(0)
    backbone = SSMDP(d_model=4, d_state=4, n_layer=2, d_cond=8, d_cond_embed=8)
    signal_transform.save(folder / "backbone", backbone, SignalTransform(True, EEGDM.rate_hz, "100 uV", BIPOLAR))
    sizes = {"d_model": 4, "n_layer": 2, "n_pool": 5, "n_channel": 22, "n_fusion": 2, "num_heads": 2}
    lft = LFT(**sizes, encoder_blocks=1, n_class=len(preprocessing.classes), token_scale=30.0)
    how = {"step": 1, "noise": "none", "kind": "gate", "statistic": "std", "codec": "float32"}
    latents = Latents(backbone="base", corpus="tuev", **how)
    saved = signal_transform.load(folder / "backbone")
    _tell_windows_apart(lft, signal_transform.tokens(*saved, latents, windows(), torch.Generator().manual_seed(0)))
    lft.save_pretrained(folder / "lft")
    (folder / "latents.json").write_text(json.dumps({"recipe": asdict(latents)}))
    write_window_input(
        folder, 0.2 * np.random.default_rng(0).standard_normal((2, 22, 1000), dtype=np.float32), preprocessing
    )
    return folder


def made_up_scores(channel_dropout: dict | None) -> TestedSubsets:
    """Return scores on 22, 20, 16, 8 and 4 of the channels, which are made up."""
    subsets = [
        TestedSubset(
            subset.name,
            subset.count,
            [BIPOLAR[k] for k in subset.draws[0]] if len(subset.draws) == 1 else None,
            len(subset.draws),
            {"test": {"balanced_accuracy": subset.count / 40, "low": 0.1, "high": 0.9}},
        )
        for subset in channel_subsets(choose_montage("tcp22"))
    ]
    return TestedSubsets(list(BIPOLAR), channel_dropout, subsets)


def write_tested(folder: Path, channel_dropout: dict | None = None) -> TestedSubsets:
    """Write the model with its scores on subsets of its channels."""
    write(folder)
    tested = made_up_scores(channel_dropout)
    write_tested_subsets(folder, tested)
    return tested


def register(folder: Path, write_model: Callable[[Path], Path] = write) -> tuple[str, str]:
    """Write a model and register it, as the champion, in a local store: (tracking URI, model URI)."""
    uri = f"sqlite:///{folder}/mlflow.db"
    with tracking_uri_restored():
        mlflow.set_tracking_uri(uri)
        mlflow.create_experiment("finetune_lft", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("finetune_lft")
        with mlflow.start_run():
            version = registered_versions.register("lft", write_model(folder / "lft"), {"corpus": PREPROCESSING.corpus})
        mlflow.MlflowClient().set_registered_model_alias("lft", "champion", version.version)
    return uri, "models:/lft@champion"
