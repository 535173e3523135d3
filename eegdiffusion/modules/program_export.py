"""Programs for others' runtimes: a backbone or a classifier by ``torch.export``, and as ONNX.

A program has the weights as constants, and the spectra of the state-space layers' responses too, which are those of
one number of samples: it takes windows of this length alone, in batches of any size.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.models.latents import part_slices
from eegdiffusion.events.models.ssmdp_network import PART
from eegdiffusion.modules.backbone import Backbone
from eegdiffusion.modules.classifier import WINDOW_S, Classifier

if TYPE_CHECKING:
    from torch.export import ExportedProgram

OPSET = 20
"""ONNX's opset: the first whose transform, ``DFT``, takes its axis as an input, as PyTorch writes it."""

TOLERANCE = 1e-4
"""How far a program's output may lie from the module's."""

_LARGEST_BATCH = 4096


class _WithConstants(nn.Module):
    """A model whose responses' spectra are constants."""

    def __init__(self, model: Backbone | Classifier, samples: int):
        super().__init__()
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        backbone = self.model if isinstance(self.model, Backbone) else self.model.backbone
        length = backbone.used_length(backbone.resampling.resampled_length(samples))
        for part in {piece.stop - piece.start for piece in part_slices(length, PART)}:
            with torch.no_grad():
                spectra = [torch.fft.rfft(layer.layer.response(part)) for layer in backbone.network.layers]
            for k, spectrum in enumerate(spectra):
                self.register_buffer(f"spectrum_{part}_{k}", spectrum)
        self._layers = len(backbone.network.layers)
        backbone.spectra = self._spectra

    def _spectra(self, samples: int) -> Sequence[Tensor]:
        return [getattr(self, f"spectrum_{samples}_{k}") for k in range(self._layers)]

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def example_windows(model: Backbone | Classifier, samples: int | None = None, batch: int = 2) -> Tensor:
    """Return noise of EEG's amplitude as a model takes it, (batch, channels, samples), the same at every call.

    Args:
        model: whose unit, rate and channels count.
        samples: samples of a window; None: the classifier's, or 5 s.
        batch: number of windows.
    """
    backbone = model if isinstance(model, Backbone) else model.backbone
    if samples is None:
        samples = round(WINDOW_S * backbone.sfreq) if isinstance(model, Backbone) else model.n_times
    noise = torch.randn(batch, len(backbone.ch_names), samples, generator=torch.Generator().manual_seed(0))
    return 0.3 * noise / backbone.factor


def export_program(model: Backbone | Classifier, samples: int | None = None) -> "ExportedProgram":
    """Export a model by ``torch.export``: windows (batch, channels, samples) to tokens or logits.

    Args:
        model: the model; it stays as it is.
        samples: samples of a window; None: the classifier's, or 5 s.
    """
    windows = example_windows(model, samples)
    batch = torch.export.Dim("batch", min=1, max=_LARGEST_BATCH)
    with torch.no_grad():
        return torch.export.export(_WithConstants(model, windows.shape[-1]), (windows,), dynamic_shapes=({0: batch},))


def write_torch_program(model: Backbone | Classifier, path: Path, samples: int | None = None) -> float:
    """Write what ``torch.export.load`` reads.

    Returns:
        the largest difference between the program's output and the module's.

    Raises:
        InputError: it is above 1e-4; the file is not kept.
    """
    program = export_program(model, samples)
    torch.export.save(program, path)
    windows = example_windows(model, samples, 3)
    with torch.no_grad():
        return _checked(path, model(windows), torch.export.load(path).module()(windows))


def write_onnx_program(model: Backbone | Classifier, path: Path, samples: int | None = None) -> float | None:
    """Write a model as ONNX, of opset 20.

    Returns:
        the largest difference between the program's output in onnxruntime and the module's; None where onnxruntime is
        not installed.

    Raises:
        InputError: the difference is above 1e-4, and the file is not kept; or onnxscript, which writes the program, is
            not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError("--to onnx: the package onnxscript must be installed: pip install onnxscript") from error
    program = export_program(model, samples)
    output = "tokens" if isinstance(model, Backbone) else "logits"
    exported = torch.onnx.export(
        program, dynamo=True, opset_version=OPSET, input_names=["x"], output_names=[output], verbose=False
    )
    if exported is None:
        raise InputError(f"{path}: torch.onnx.export made no program")
    exported.save(path)
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return None
    windows = example_windows(model, samples, 3)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (outputs,) = session.run([output], {"x": windows.numpy()})
    with torch.no_grad():
        return _checked(path, model(windows), torch.from_numpy(outputs))


def _checked(path: Path, expected: Tensor, outputs: Tensor) -> float:
    difference = float((expected - outputs).abs().max())
    if not difference <= TOLERANCE:
        path.unlink()
        raise InputError(
            f"{path}: the program's output must be within {TOLERANCE:g} of the module's (found {difference:.3g})"
        )
    return difference
