"""Staged mu-law against the public implementation's numbers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from eegdiffusion.core.signal.mulaw import inverse_mulaw, mulaw

GOLDEN = Path(__file__).parents[1] / "golden/ssmdp_lft_small.safetensors"


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_equals_the_public_implementation_and_its_inverse(kind):
    golden = {name: value for name, value in load_file(GOLDEN).items() if name.startswith("mu_law")}
    x, u, back = (golden[name] if kind == "torch" else golden[name].numpy() for name in sorted(golden, reverse=True))
    assert type(mulaw(x)) is type(x)
    np.testing.assert_allclose(mulaw(x), u, rtol=1e-12)
    np.testing.assert_allclose(inverse_mulaw(u), back, rtol=1e-12)
    np.testing.assert_allclose(inverse_mulaw(mulaw(x)), x, rtol=1e-9)


def test_stages():
    x = np.array([[-8.0, -1.0, -0.3, 0.0], [0.99, 1.0, 1.01, 30.0]], dtype=np.float32)
    u = mulaw(x)
    assert u.dtype == np.float32
    assert np.array_equal(u[np.abs(x) <= 1], x[np.abs(x) <= 1])
    assert u[0, 0] == pytest.approx(-np.log(1 + 255 * 8) / np.log(256), rel=1e-6)
    assert np.all(np.diff(u.ravel()) > 0)
    assert mulaw(torch.from_numpy(x)).dtype == torch.float32


def test_needs_no_torch():
    code = (
        "import sys, numpy, eegdiffusion.core.signal.mulaw as m; m.mulaw(numpy.ones(3)); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
