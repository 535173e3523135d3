"""The card of a model's folder: ``README.md``, with the head in YAML that hubs read."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eegdiffusion.core.runtime.markdown import markdown_text

if TYPE_CHECKING:
    from eegdiffusion.modules.backbone import Backbone
    from eegdiffusion.modules.classifier import Classifier


def _head(tags: list[str]) -> str:
    """Return the head in YAML, of which JSON is a part; who publishes the model says its licence."""
    fields = {
        "library_name": "eegdiffusion",
        "license": "unknown",
        "tags": ["eeg", "eegdm", "diffusion", "state-space-model", *tags],
    }
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---"])


def _input(backbone: "Backbone", samples: str, program: Mapping[str, Any] | None) -> list[str]:
    tokens = backbone.tokens
    names = ", ".join(map(markdown_text, backbone.ch_names))
    return [
        "## Input",
        "",
        f"EEG (batch, channels, samples): {samples}, in {markdown_text(backbone.unit)}, at {backbone.sfreq:g} Hz, of "
        f"the channels {names}."
        + ("" if program else " Other channels, rates, units and lengths are arguments of `from_pretrained`."),
        "",
        f"Within: resampling to {tokens.rate_hz:g} Hz, the unit {tokens.unit}"
        f"{', the staged mu-law' if tokens.mu_law else ''}. Not within: filters. The backbone was trained on EEG "
        "between 0.1 and 75 Hz without the power line.",
        "",
    ]


def _use(lines: Sequence[str], program: Mapping[str, Any] | None, samples: str) -> list[str]:
    """Return the example of Python, of the library or of a program's runtime."""
    if program is not None and program["file"].endswith(".onnx"):
        lines = [
            "import onnxruntime",
            "",
            f'session = onnxruntime.InferenceSession("folder/{program["file"]}")',
            f'(outputs,) = session.run(None, {{"x": windows}})  # (batch, channels, {samples}) float32',
        ]
    elif program is not None:
        lines = [
            "import torch",
            "",
            f'program = torch.export.load("folder/{program["file"]}").module()',
            f"outputs = program(windows)  # (batch, channels, {samples}) float32",
        ]
    return ["```python", *lines, "```", ""]


def _origin(origin: Mapping[str, Any]) -> list[str]:
    known = [f"* {markdown_text(name)}: {markdown_text(value)}" for name, value in origin.items()]
    return ["## Origin", "", *known, ""] if known else []


def backbone_card(model: "Backbone", origin: Mapping[str, Any], program: Mapping[str, Any] | None = None) -> str:
    """Return the card of a backbone; see :func:`classifier_card`."""
    example = [
        "from eegdiffusion import Backbone",
        "",
        'backbone = Backbone.from_pretrained("folder", ch_names=["Fp1", "Fp2", "Cz"], sfreq=256, unit="uV")',
        "tokens = backbone(signals)",
    ]
    samples = "any length; whole seconds make tokens" if program is None else f"{program['samples']} samples"
    lines = [
        _head(["feature-extraction"]),
        "",
        "# EEGDM backbone",
        "",
        "State-space diffusion model of single-channel EEG (SSMDP, arXiv:2508.14086) whose pooled activity are tokens "
        f"(batch, {model.sizes.n_layer} layers, seconds, channels, {model.sizes.d_model}).",
        "",
        *_use(example, program, samples),
        *_input(model, samples, program),
        *_origin(origin),
    ]
    return "\n".join(lines)


def classifier_card(model: "Classifier", origin: Mapping[str, Any], program: Mapping[str, Any] | None = None) -> str:
    """Return the card of a classifier.

    Args:
        model: the classifier.
        origin: what is known of where it comes from.
        program: the program that the folder holds in place of weights, see :func:`.write_classifier`.
    """
    classes = ", ".join(map(markdown_text, model.classes)) if model.classes else f"{model.n_outputs} without names"
    example = [
        "from eegdiffusion import Classifier",
        "",
        'classifier = Classifier.from_pretrained("folder", unit="uV")',
        "probabilities = classifier.predict_proba(windows)",
    ]
    lines = [
        _head(["eeg-classification"]),
        "",
        "# EEGDM classifier",
        "",
        "Latent Fusion Transformer on tokens of a state-space diffusion backbone (EEGDM, arXiv:2508.14086). Outputs "
        f"are logits of the classes {classes}, in this order.",
        "",
        "Research software. It is no medical device and has not been validated for diagnosis.",
        "",
        *_use(example, program, f"{model.n_times} samples"),
        *_input(model.backbone, f"windows of {model.n_times} samples", program),
        *_origin(origin),
    ]
    return "\n".join(lines)
