"""Folders of models: those of hubs (``config.json``, ``model.safetensors``, a card), and those of trainings."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.events.models.lft_network import LFTNetwork, LFTSizes
from eegdiffusion.events.models.ssmdp_network import SSMDPNetwork, SSMDPSizes
from eegdiffusion.modules.backbone import Backbone
from eegdiffusion.modules.classifier import Classifier
from eegdiffusion.modules.model_card import backbone_card, classifier_card
from eegdiffusion.modules.own_folder import CARD, CONFIG, LIBRARY, WEIGHTS, require_own_folder
from eegdiffusion.modules.token_settings import TokenSettings
from eegdiffusion.modules.trained_folder import is_trained_classifier, read_trained_backbone, read_trained_classifier
from eegdiffusion.modules.weights_state import check_sizes, load_weights, read_weights

_LARGEST = {"n_layer": 256, "encoder_blocks": 256, "n_pool": 3600, "num_train_timesteps": 10_000}
_LARGEST_WIDTH = 16_384
"""Of any other size; the paper's models are far below."""


@dataclass(frozen=True)
class StoredClassifier:
    """Parts of a classifier that was read.

    Attributes:
        sizes: of the backbone's network.
        fusion: of the transformer.
        tokens: how the backbone makes tokens.
        classes: names of the classes, where they are known.
        input: arguments of the class that say what its windows are.
        state: weights by their names in :class:`.Classifier`.
        source: the file that they are of, for errors.
    """

    sizes: SSMDPSizes
    fusion: LFTSizes
    tokens: TokenSettings
    classes: list[str] | None
    input: dict[str, Any]
    state: dict[str, Tensor]
    source: str

    def load_into(self, model: Classifier) -> None:
        """Give a classifier of the same sizes these weights, as many seconds as it has, and its own head if it differs.

        Raises:
            InputError: weights are missing, unknown or misshapen.
        """
        state = dict(self.state)
        for name in ("fusion.decoder.cls_token", "fusion.classifier.pos_embed"):
            if name in state and state[name].dim() > 2:
                pools = torch.arange(model.sizes.n_pool).clamp(max=state[name].shape[2] - 1)
                state[name] = state[name][:, :, pools]
        if model.n_outputs != self.fusion.n_class:
            head = {name: weight for name, weight in model.state_dict().items() if name.startswith("final_layer.")}
            state = {name: weight for name, weight in state.items() if not name.startswith("final_layer.")} | head
        load_weights(model, state, self.source)


def read_classifier_parts(folder: Path) -> StoredClassifier:
    """Read what a folder holds of a classifier.

    Raises:
        InputError: it holds none, or what it holds breaks a rule; the message names file, field and rule.
    """
    if is_trained_classifier(folder):
        return StoredClassifier(**read_trained_classifier(folder))
    config = _read_config(folder, "Classifier")
    where, source = str(folder / CONFIG), str(folder / WEIGHTS)
    sizes, fusion = _section(config, "backbone", SSMDPSizes, where), _section(config, "fusion", LFTSizes, where)
    state = read_weights(folder / WEIGHTS)
    check_sizes(SSMDPNetwork, sizes, state, "backbone.network.", source)
    check_sizes(LFTNetwork, fusion, state, "fusion.", source)
    tokens = _section(config, "tokens", TokenSettings, where)
    return StoredClassifier(sizes, fusion, tokens, config.get("classes"), _input(config, where), state, source)


def read_classifier[Model: Classifier](cls: type[Model], folder: Path, settings: Mapping[str, Any]) -> Model:
    """Read a classifier; see :meth:`.Classifier.from_pretrained`."""
    stored = read_classifier_parts(folder)
    chosen = dict(stored.input)
    if settings.get("chs_info") is not None or settings.get("n_chans") is not None:
        chosen.pop("chs_info", None)
    if {"n_times", "input_window_seconds", "sfreq"} & settings.keys():
        chosen.pop("n_times", None)
        if settings.get("n_times") is None and settings.get("input_window_seconds") is None:
            chosen["input_window_seconds"] = stored.input["n_times"] / stored.input["sfreq"]
    return cls(**chosen | dict(settings), pretrained=folder).eval()


def read_backbone[Model: Backbone](cls: type[Model], folder: Path, settings: Mapping[str, Any]) -> Model:
    """Read a backbone, of a classifier's folder too; see :meth:`.Backbone.from_pretrained`."""
    if (folder / CONFIG).is_file() and read_json(folder / CONFIG).get("library_name") == LIBRARY:
        config = _read_config(folder, "Backbone", "Classifier")
        where = str(folder / CONFIG)
        sizes = _section(config, "backbone", SSMDPSizes, where)
        tokens = _section(config, "tokens", TokenSettings, where)
        state, source = read_weights(folder / WEIGHTS), str(folder / WEIGHTS)
        prefix = "backbone." if config["class"] == "Classifier" else ""
        state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        check_sizes(SSMDPNetwork, sizes, state, "network.", source)
        chosen = _input(config, where)
        chosen = {} if config["class"] == "Classifier" else chosen
    elif is_trained_classifier(folder):
        stored = read_trained_classifier(folder)
        sizes, tokens, source, chosen = stored["sizes"], stored["tokens"], stored["source"], {}
        state = {
            name.removeprefix("backbone."): value
            for name, value in stored["state"].items()
            if name.startswith("backbone.")
        }
    else:
        sizes, tokens, state, source = read_trained_backbone(folder)
        chosen = {}
    if settings.get("ch_names") is not None:
        chosen.pop("ch_names", None)
        chosen.pop("channel_positions", None)
    model = cls(**chosen | dict(settings), sizes=sizes, tokens=tokens)
    load_weights(model, state, source)
    return model.eval()


def write_backbone(
    model: Backbone, folder: Path, origin: Mapping[str, Any] | None = None, program: Mapping[str, Any] | None = None
) -> None:
    """Write a backbone; see :func:`write_classifier`."""
    window = {"ch_names": model.ch_names, "sfreq": model.sfreq, "unit": model.unit}
    if model.channel_positions is not None:
        window["channel_positions"] = model.channel_positions
    config = {"backbone": asdict(model.sizes), "tokens": asdict(model.tokens), "input": window}
    _write(model, folder, config, backbone_card(model, origin or {}, program), origin, program)


def write_classifier(
    model: Classifier, folder: Path, origin: Mapping[str, Any] | None = None, program: Mapping[str, Any] | None = None
) -> None:
    """Write a classifier; see :meth:`.Classifier.save_pretrained`.

    Args:
        model: the classifier.
        folder: where to.
        origin: what the card and ``config.json`` say of where it comes from.
        program: the program that lies in the folder in place of weights, as ``config.json`` says it: ``file``,
            ``samples``, and what it is called with.

    Raises:
        InputError: the folder holds other files.
    """
    channels = None
    if model.chs_info is not None:
        channels = [
            {"ch_name": str(channel["ch_name"])}
            | ({"loc": [float(v) for v in channel["loc"][:3]]} if "loc" in channel else {})
            for channel in model.chs_info
        ]
    window = {"chs_info": channels, "n_times": model.n_times, "sfreq": model.sfreq, "unit": model.backbone.unit}
    config = {
        "backbone": asdict(model.backbone.sizes),
        "fusion": asdict(model.sizes),
        "tokens": asdict(model.backbone.tokens),
        "classes": model.classes,
        "input": window,
    }
    _write(model, folder, config, classifier_card(model, origin or {}, program), origin, program)


def _write(
    model: Backbone | Classifier,
    folder: Path,
    config: Mapping[str, Any],
    card: str,
    origin: Mapping[str, Any] | None,
    program: Mapping[str, Any] | None,
) -> None:
    head: dict[str, Any] = {"library_name": LIBRARY, "class": type(model).__name__, "version": _version()}
    more = {"origin": dict(origin)} if origin else {}
    if program is not None:
        more["program"] = dict(program)
    require_own_folder(folder, WEIGHTS if program is None else program["file"])
    document = json.dumps({**head, **config, **more}, indent=2)
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if program is None:
        save_file(state, folder / WEIGHTS, {"format": "pt"})
    (folder / CARD).write_text(card)
    (folder / CONFIG).write_text(document)


def _version() -> str:
    try:
        return version(LIBRARY)
    except PackageNotFoundError:  # the library is run from its sources
        return "0"


def _read_config(folder: Path, *classes: str) -> dict[str, Any]:
    """Read ``config.json`` of a model of this library.

    Raises:
        InputError: there is none, or it is of another library or class.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise InputError(
            f"{folder}: must be a folder with {CONFIG} and {WEIGHTS}, or of a training (found no {CONFIG}); a model of "
            "a hub is downloaded first, e.g. with huggingface_hub.snapshot_download"
        )
    config = read_json(path)
    if not isinstance(config, dict) or config.get("library_name") != LIBRARY:
        raise InputError(f"{path}: library_name: must be {LIBRARY!r}")
    if config.get("class") not in classes:
        raise InputError(f"{path}: class: must be one of {', '.join(classes)} (found {config.get('class')!r})")
    names = config.get("classes")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InputError(f"{path}: classes: must be a list of names")
    return config


def _section[Settings: (SSMDPSizes, LFTSizes, TokenSettings)](
    config: Mapping[str, Any], name: str, kind: type[Settings], where: str
) -> Settings:
    """Read a section of ``config.json``; sizes are bounded, so that a crafted one asks for no memory."""
    section = config.get(name)
    if not isinstance(section, dict):
        raise InputError(f"{where}: {name}: must be an object")
    expected = {field.name: field.type for field in fields(kind)}
    if strange := sorted(section.keys() ^ expected.keys()):
        raise InputError(f"{where}: {name}: must have the fields {', '.join(expected)} (found others: {strange[0]})")
    for field, value in section.items():
        if expected[field] is int and (type(value) is not int or not 0 <= value <= _LARGEST.get(field, _LARGEST_WIDTH)):
            most = _LARGEST.get(field, _LARGEST_WIDTH)
            raise InputError(f"{where}: {name}.{field}: must be a whole number up to {most} (found {value!r:.40})")
    try:
        return kind(**section)
    except (TypeError, InputError) as error:
        raise InputError(f"{where}: {name}: {error}") from error


def _input(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    window = config.get("input")
    if not isinstance(window, dict):
        raise InputError(f"{where}: input: must be an object")
    known = {"ch_names", "channel_positions", "chs_info", "n_times", "sfreq", "unit"}
    if strange := sorted(window.keys() - known):
        raise InputError(
            f"{where}: input: must have no other fields than {', '.join(sorted(known))} (found {strange[0]})"
        )
    return window
