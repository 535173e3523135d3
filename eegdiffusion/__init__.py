"""Models of the workflow; names are loaded on first use, so that a module is read only by the stages that need it."""

from importlib import import_module
from typing import Any

_MODULES = {
    "Backbone": "modules.backbone",
    "Classifier": "modules.classifier",
    "SSMDP": "events.models.ssmdp",
    "LFT": "events.models.lft",
    "pool_latents": "events.models.latents",
    "load_published_backbone": "events.published.checkpoints",
    "load_published_classifier": "events.published.checkpoints",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_MODULES)
