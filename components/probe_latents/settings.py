"""Settings of the probes of cached latents."""

from dataclasses import field
from typing import Annotated, Literal

from annotated_types import Gt, Le, MinLen

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Positive

Probe = Literal["linear", "ridge", "knn"]
Fraction = Annotated[float, Gt(0), Le(1)]
Derivations = Annotated[list[str], MinLen(1)]


@settings
class ProbeLatents:
    """Section ``probe_latents``: probes of cached latents, beside those of an untrained backbone and band powers."""

    probes: Annotated[list[Probe], MinLen(1)] = field(default_factory=lambda: ["ridge", "linear", "knn"])
    """Probes; the first is also trained on shares of labels and some channels, and says what pretraining is worth."""
    fractions: list[Fraction] = field(default_factory=lambda: [0.01, 0.05, 0.1, 0.25])
    """Shares of the training labels that probes are trained on beside all of them."""
    draws: Positive = 5
    """Draws of each share, subject by subject."""
    channels: dict[str, Derivations] | None = None
    """Names of the corpus's channels that probes see beside all of them, by a name of one's own; null: 8, 4 and 2
    temporal derivations, or as many channels spread over a montage that has none of these."""
    untrained_seed: Count = 0
    """Seed of the weights of the untrained backbone."""
    batch_size: Positive = 16
    """Windows that go through the untrained backbone at once."""
