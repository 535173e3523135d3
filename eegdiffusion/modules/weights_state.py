"""Weights of others: read without running anything, and compared with the model that they are for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError

HEAD = ("classifier.linear.weight", "classifier.linear.bias")
"""Weights of a transformer's own head, which a classifier keeps apart as ``final_layer``."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read weights; nothing in the file is run.

    Raises:
        InputError: there is no such file, or it is no safetensors.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: must be weights in the format safetensors ({error})") from error


def load_weights(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Give a model weights.

    Raises:
        InputError: weights are missing, unknown, misshapen or not finite; the message names them.
    """
    wanted = model.state_dict()
    problems = {
        "missing": wanted.keys() - state.keys(),
        "unknown": state.keys() - wanted.keys(),
        "misshapen": {n for n in wanted.keys() & state.keys() if wanted[n].shape != state[n].shape},
        "not finite": {name for name, value in state.items() if not torch.isfinite(value).all()},
    }
    lines = [f"{kind} weights: {', '.join(sorted(names)[:5])}" for kind, names in problems.items() if names]
    if lines:
        raise InputError(f"{source}: {'; '.join(lines)}")
    model.load_state_dict(state)


def check_sizes(
    network: Callable[[Any], nn.Module], sizes: object, state: Mapping[str, Tensor], prefix: str, source: str
) -> None:
    """Check that weights are of a network of these sizes, before memory is taken for it.

    Args:
        network: makes the network of sizes.
        sizes: its sizes.
        state: weights, of other parts too.
        prefix: of the network's weights among them.
        source: the file, for the error.

    Raises:
        InputError: weights have other shapes, or the sizes break a rule.
    """
    try:
        with torch.device("meta"):
            outline = network(sizes).state_dict()
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    shapes = {prefix + name: tuple(value.shape) for name, value in outline.items()}
    other = [name for name, shape in shapes.items() if name in state and tuple(state[name].shape) != shape]
    missing = [name for name in shapes if name not in state and not name.endswith(HEAD)]
    if other or missing:
        rule = "must be weights of the sizes that config.json states"
        raise InputError(f"{source}: {(other or missing)[0]}: {rule}")
