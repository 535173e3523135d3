"""The card of a model's folder: ``README.md``, with the head in YAML that hubs read."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eegdiffusion.core.runtime.markdown import markdown_text

if TYPE_CHECKING:
    from eegdiffusion.modules.backbone import Backbone
    from eegdiffusion.modules.classifier import Classifier

CARD = "README.md"


def _head(tags: list[str]) -> str:
    """Return the head in YAML, of which JSON is a part; who publishes the model says its licence."""
    fields = {
        "library_name": "eegdiffusion",
        "license": "unknown",
        "tags": ["eeg", "eegdm", "diffusion", "state-space-model", *tags],
    }
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---"])


def _input(backbone: "Backbone", samples: str) -> list[str]:
    tokens = backbone.tokens
    names = ", ".join(map(markdown_text, backbone.ch_names))
    return [
        "## Input",
        "",
        f"EEG (batch, channels, samples): {samples}, in {markdown_text(backbone.unit)}, at {backbone.sfreq:g} Hz, of "
        f"the channels {names}. Other channels, rates, units and lengths are arguments of `from_pretrained`.",
        "",
        f"Within: resampling to {tokens.rate_hz:g} Hz, the unit {tokens.unit}"
        f"{', the staged mu-law' if tokens.mu_law else ''}. Not within: filters. The backbone was trained on EEG "
        "between 0.1 and 75 Hz without the power line.",
        "",
    ]


def backbone_card(model: "Backbone") -> str:
    """Return the card of a backbone."""
    lines = [
        _head(["feature-extraction"]),
        "",
        "# EEGDM backbone",
        "",
        "State-space diffusion model of single-channel EEG (SSMDP, arXiv:2508.14086) whose pooled activity are tokens "
        f"(batch, {model.sizes.n_layer} layers, seconds, channels, {model.sizes.d_model}).",
        "",
        "```python",
        "from eegdiffusion import Backbone",
        "",
        'backbone = Backbone.from_pretrained("folder", ch_names=["Fp1", "Fp2", "Cz"], sfreq=256, unit="uV")',
        "tokens = backbone(signals)",
        "```",
        "",
        *_input(model, "any length; whole seconds make tokens"),
    ]
    return "\n".join(lines)


def classifier_card(model: "Classifier", origin: Mapping[str, Any]) -> str:
    """Return the card of a classifier.

    Args:
        model: the classifier.
        origin: what is known of where it comes from: ``model``, ``corpus``, ``filters``.
    """
    classes = ", ".join(map(markdown_text, model.classes)) if model.classes else f"{model.n_outputs} without names"
    known = [f"* {markdown_text(name)}: {markdown_text(value)}" for name, value in origin.items()]
    lines = [
        _head(["eeg-classification"]),
        "",
        "# EEGDM classifier",
        "",
        "Latent Fusion Transformer on tokens of a state-space diffusion backbone (EEGDM, arXiv:2508.14086). Classes, "
        f"in the order of the outputs: {classes}.",
        "",
        "Research software. It is no medical device and has not been validated for diagnosis.",
        "",
        "```python",
        "from eegdiffusion import Classifier",
        "",
        'classifier = Classifier.from_pretrained("folder", unit="uV")',
        "probabilities = classifier.predict_proba(windows)",
        "```",
        "",
        *_input(model.backbone, f"windows of {model.n_times} samples"),
        *(["## Origin", "", *known, ""] if known else []),
    ]
    return "\n".join(lines)
