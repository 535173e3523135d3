"""SSMDP and LFT at the paper's size (H=128, d_state=128, 20 layers, 1000 samples) against the plain formulas."""

import numpy as np
import torch

from benchmarks.measure import Row, compare
from eegdiffusion import LFT, SSMDP
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.preprocessing import Preprocessing
from eegdiffusion.events.models.s4d import S4D, s4d_kernel
from eegdiffusion.events.prediction.classify_windows import classify
from tests.oracles import naive_kernel, naive_lft, naive_ssmdp, naive_tokens

NAIVE = "kernels written out as a complex Vandermonde product"


def kernels() -> Row:
    """Kernels of one layer, forward and backward."""
    layer = S4D(256, 64)
    weights = torch.randn(256, 2, 1000)

    def run(function):
        layer.zero_grad()
        (function(*layer.kernel.parameters(), 1000) * weights).sum().backward()

    return compare(
        "S4D kernels of a layer, forward + backward",
        "256 channels, 2 directions, 64 states, 1000 samples",
        lambda: run(s4d_kernel),
        lambda: run(naive_kernel),
        NAIVE,
        ours_each=7,
    )


def inputs(batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy signals, steps, channels."""
    return torch.randn(batch, 1, 1000), torch.randint(50, (batch, 1)), torch.randint(22, (batch, 1))


def stepper(batch: int):
    """Return the paper's model, and a function that takes a training step with a given forward pass."""
    model = SSMDP()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0)
    arguments, target = inputs(batch), torch.randn(batch, 1, 1000)

    def run(forward):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(forward(*arguments), target).backward()
        optimiser.step()

    return model, run


def training_step(batch: int, rounds: int, ours_each: int = 1) -> Row:
    """Forward, backward and AdamW."""
    model, run = stepper(batch)
    weights = dict(model.named_parameters())
    return compare(
        "SSMDP training step",
        f"batch {batch}",
        lambda: run(model),
        lambda: run(lambda *arguments: naive_ssmdp(weights, *arguments)[0]),
        NAIVE,
        rounds,
        ours_each,
    )


def tokens(batch: int, rounds: int, ours_each: int = 1) -> Row:
    """Tokens of 22-channel windows from a frozen backbone."""
    model, signals = SSMDP().requires_grad_(False), torch.randn(batch, 22, 1000)

    def naive():
        with torch.no_grad():
            naive_tokens(model.state_dict(), signals, 200)

    return compare(
        "tokens of 22-channel windows, frozen backbone",
        f"batch {batch}",
        lambda: model.tokens(signals),
        naive,
        NAIVE,
        rounds,
        ours_each,
    )


def lft_step(batch: int = 32) -> Row:
    """Forward and backward of the paper's LFT."""
    model, arguments = LFT(), torch.randn(batch, 20, 5, 22, 128)
    weights = dict(model.named_parameters())

    def run(forward):
        model.zero_grad()
        forward().square().mean().backward()

    return compare(
        "LFT training step, pools folded into the batch",
        f"batch {batch}",
        lambda: run(lambda: model(arguments)),
        lambda: run(lambda: naive_lft(weights, arguments, 8)),
        "a loop over pools with PyTorch's attention",
        rounds=3,
    )


DEMO = {"d_model": 16, "d_state": 32, "n_layer": 3, "d_cond_embed": 32, "d_cond": 64}
DEMO_LFT = {"d_model": 16, "n_layer": 3, "n_fusion": 4, "num_heads": 4, "encoder_blocks": 2}


def predict(seconds: int, batch: int, size: str, backbone: SSMDP, lft: LFT) -> Row:
    """Sliding windows of a recording through backbone and LFT."""
    backbone, lft = backbone.requires_grad_(False), lft.eval()
    preprocessing = Preprocessing(
        filtering=EEGDM, channels=BIPOLAR, window=1000, unit="100 uV", classes=["a"] * 6, corpus="noise"
    )
    signals = torch.randn(22, 200 * (seconds + 4)).numpy()
    good = np.ones(seconds, bool)

    @torch.inference_mode()
    def ask(windows):
        return lft(backbone.tokens(torch.from_numpy(windows))).softmax(-1).numpy()

    def one_by_one():
        for start in range(0, 200 * seconds, 200):
            ask(np.ascontiguousarray(signals[None, :, start : start + 1000], dtype=np.float32))

    return compare(
        f"predict: windows at 1-s steps, from signals to probabilities, {size}",
        f"{seconds} s of EEG",
        lambda: classify(signals, good, preprocessing, ask, batch),
        one_by_one,
        "a window at a time",
        rounds=1,
    )


ROWS = {
    "kernels": kernels,
    "step-8": lambda: training_step(8, rounds=2, ours_each=3),
    "step-108": lambda: training_step(108, rounds=1, ours_each=2),
    "tokens-1": lambda: tokens(1, rounds=2, ours_each=3),
    "tokens-16": lambda: tokens(16, rounds=1, ours_each=2),
    "lft": lft_step,
    "predict": lambda: predict(20, 4, "paper's size", SSMDP(), LFT()),
    "predict-demo": lambda: predict(300, 16, "the demo's size", SSMDP(**DEMO), LFT(**DEMO_LFT)),
}
