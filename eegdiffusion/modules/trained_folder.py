"""Folders that trainings write, and registered models carry: a backbone, or an LFT with its backbone."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.events.models.lft_network import LFTNetwork, LFTSizes
from eegdiffusion.events.models.ssmdp_network import SSMDPNetwork, SSMDPSizes
from eegdiffusion.modules.channel_ids import channel_ids
from eegdiffusion.modules.token_settings import TokenSettings
from eegdiffusion.modules.weights_state import check_sizes, read_weights

TRANSFORM, LATENTS, PREPROCESSING = "signal_transform.json", "latents.json", "preprocessing.json"
_CONFIG, _WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"


def is_trained_classifier(folder: Path) -> bool:
    """Return whether a folder is that of a trained LFT."""
    return (folder / "lft").is_dir() and (folder / LATENTS).is_file()


def read_trained_backbone(folder: Path) -> tuple[SSMDPSizes, TokenSettings, dict[str, Tensor], str]:
    """Read a backbone that pretraining wrote, or ``eeg import-checkpoint``.

    Args:
        folder: its folder ``backbone``, or the one that holds it.

    Returns:
        sizes, how tokens are made unless an LFT says otherwise, weights by their names in :class:`.Backbone`, and the
        file of the weights.

    Raises:
        InputError: it is no such folder, or a file breaks a rule; the message names both.
    """
    folder = folder / "backbone" if (folder / "backbone").is_dir() else folder
    if not (folder / TRANSFORM).is_file():
        raise InputError(
            f"{folder}: must be a folder of a model: with config.json and model.safetensors, or with {TRANSFORM} (a "
            "backbone of pretrain_ssmdp), or with lft/ and backbone/ (a classifier of finetune_lft)"
        )
    sizes, transform = _sizes(folder, SSMDPSizes), _object(folder / TRANSFORM)
    state = read_weights(folder / _WEIGHTS)
    check_sizes(SSMDPNetwork, sizes, state, "", str(folder / _WEIGHTS))
    try:
        tokens = TokenSettings(
            tuple(transform["channels"]), transform["rate_hz"], transform["unit"], transform["mu_law"]
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{folder / TRANSFORM}: must say channels, rate_hz, unit and mu_law ({error})") from error
    return sizes, tokens, {f"network.{name}": value for name, value in state.items()}, str(folder / _WEIGHTS)


def read_trained_classifier(folder: Path) -> dict[str, Any]:
    """Read an LFT with its backbone: the arguments of :class:`.StoredClassifier`.

    An LFT of one logit, which tells two classes apart, gets two outputs: the first is 0, so that their softmax is the
    logit's sigmoid.

    Raises:
        InputError: a file is missing or breaks a rule, or the LFT was trained on tokens that no module makes: of noisy
            signals, at another rate, or of parts in the reference's order.
    """
    sizes, known, state, _ = read_trained_backbone(folder / "backbone")
    preprocessing, recipe = _object(folder / PREPROCESSING), _object(folder / LATENTS).get("recipe")
    if not isinstance(recipe, dict):
        raise InputError(f"{folder / LATENTS}: recipe: must say how tokens are made")
    tokens = _token_settings(folder, recipe, known, preprocessing)
    fusion, source = _sizes(folder / "lft", LFTSizes), str(folder / "lft" / _WEIGHTS)
    weights = read_weights(folder / "lft" / _WEIGHTS)
    check_sizes(LFTNetwork, fusion, weights, "", source)
    head = {name: weights.pop(f"classifier.linear.{name}") for name in ("weight", "bias")}
    if fusion.n_class == 1:
        head = {name: torch.cat([torch.zeros_like(value), value]) for name, value in head.items()}
        fusion = LFTSizes(**vars(fusion) | {"n_class": 2})
    classes = list(preprocessing["classes"])
    if len(classes) != fusion.n_class:
        raise InputError(f"{folder / PREPROCESSING}: classes: must be {fusion.n_class} (found {len(classes)})")
    state = {f"backbone.{name}": value for name, value in state.items()}
    state |= {f"fusion.{name}": value for name, value in weights.items()}
    state |= {f"final_layer.{name}": value for name, value in head.items()}
    window = {
        "chs_info": [{"ch_name": name} for name in preprocessing["channels"]],
        "n_times": preprocessing["window"],
        "sfreq": tokens.rate_hz,
    }
    return {
        "sizes": sizes, "fusion": fusion, "tokens": tokens, "classes": classes,
        "input": window, "state": state, "source": source,
    }  # fmt: skip


def _token_settings(
    folder: Path, recipe: Mapping[str, Any], known: TokenSettings, preprocessing: Mapping[str, Any]
) -> TokenSettings:
    """Return how an LFT's tokens are made."""
    for field, value in (("rate", 1), ("parts", "physical")):
        if recipe.get(field, value) != value:
            rule = f"must be {value!r} in a model for others' code"
            raise InputError(f"{folder / LATENTS}: recipe.{field}: {rule} (found {recipe[field]!r})")
    missing = [name for name in ("channels", "window", "classes") if name not in preprocessing]
    if missing:
        raise InputError(f"{folder / PREPROCESSING}: must have the field {missing[0]}")
    names = preprocessing["channels"]
    ids = recipe.get("channel_ids") or list(range(len(names)))
    named = channel_ids(names, known.channels)
    return TokenSettings(
        known.channels,
        known.rate_hz,
        known.unit,
        known.mu_law,
        _signal_scale(folder, recipe),
        recipe["kind"],
        recipe["statistic"],
        recipe["step"],
        recipe.get("pool_s") or 1.0,
        {name: number for name, number, other in zip(names, ids, named, strict=True) if number != other},
    )


def _signal_scale(folder: Path, recipe: Mapping[str, Any]) -> float:
    """Return the factor on signals that the forward process without noise is."""
    noise = recipe.get("noise", "none")
    if noise == "none":
        return 1.0
    if noise != "scaled" or recipe.get("step") is None:
        rule = "must be 'none' or 'scaled' in a model for others' code"
        raise InputError(f"{folder / LATENTS}: recipe.noise: {rule} (found {noise!r})")
    from eegdiffusion.events.models.diffusion import noise_scheduler

    config = _object(folder / "backbone" / _CONFIG)
    schedule = noise_scheduler(config["beta_schedule"], config["num_train_timesteps"])
    return float(schedule.alphas_cumprod[recipe["step"]].sqrt())


def _sizes[Sizes: (SSMDPSizes, LFTSizes)](folder: Path, kind: type[Sizes]) -> Sizes:
    config = _object(folder / _CONFIG)
    try:
        return kind(**{field.name: config[field.name] for field in fields(kind) if field.name in config})
    except TypeError as error:
        raise InputError(f"{folder / _CONFIG}: {error}") from error


def _object(path: Path) -> dict[str, Any]:
    document = read_json(path)
    if not isinstance(document, dict):
        raise InputError(f"{path}: must be an object")
    return document
