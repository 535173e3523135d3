"""Staged mu-law embedding of EEG (arXiv:2508.14086, signal embedding).

Signals are in units of 100 uV. Where |x| <= 1 they pass unchanged; beyond, the mu-law compresses them, so that large
waves and artefacts come into the range in which the diffusion works. The map is continuous at |x| = 1, its slope is
not. Works on NumPy arrays and PyTorch tensors of any shape, keeping type, precision and device.
"""

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    from torch import Tensor

MU = 255.0


def mulaw[Array: (numpy.ndarray, "Tensor")](x: Array, mu: float = MU) -> Array:
    """Compress: sign(x) ln(1 + mu |x|) / ln(1 + mu) where |x| > 1, x elsewhere."""
    lib = _library(x)
    size = abs(x)
    return lib.where(size > 1, lib.sign(x) * lib.log1p(mu * size) / math.log1p(mu), x)


def inverse_mulaw[Array: (numpy.ndarray, "Tensor")](u: Array, mu: float = MU) -> Array:
    """Undo :func:`mulaw`: sign(u) ((1 + mu)^|u| - 1) / mu where |u| > 1, u elsewhere."""
    lib = _library(u)
    size = abs(u)
    return lib.where(size > 1, lib.sign(u) * lib.expm1(math.log1p(mu) * size) / mu, u)


def _library(x: object) -> Any:
    """Return NumPy for its arrays; otherwise PyTorch, which whoever made the tensor has imported."""
    return numpy if isinstance(x, numpy.ndarray) else sys.modules["torch"]
