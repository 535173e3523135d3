"""Which latents of a frozen backbone feed the classifier."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings


@settings
class Latents:
    """One way of taking latents from a backbone (EEGDM, arXiv:2508.14086, section 4)."""

    backbone: Name
    """Folder of models/ssmdp that holds the backbone."""
    corpus: Name
    """Entry of the section ``event_corpora`` whose event windows go through the backbone."""
    step: Annotated[int, Ge(0)] | None = 1
    """0-based diffusion step that conditions the backbone; null leaves the step out of the conditioning."""
    noise: Literal["none", "scaled", "random"] = "none"
    """What enters the backbone: the signal, the signal scaled as at that step, or that with the step's noise."""
    kind: Literal["gate", "filter", "inter"] = "gate"
    """Activation of each backbone layer that is taken: its gate, its filter, or their product."""
    statistic: Literal["std", "mean"] = "std"
    """Statistic over time that pools an activation: standard deviation or mean."""
    pool_s: Annotated[float, Gt(0)] | None = None
    """Seconds that are pooled into a token; a window must be a multiple of it. null: one second, as in the paper."""
    codec: Literal["float32", "float16", "uint8"] = "uint8"
    """How the cache stores a token; uint8 takes standard deviations only (see :mod:`~eegdiffusion.events.store`)."""
    rate: Annotated[float, Gt(0)] = 1.0
    """Sampling rate of the signals over the rate of training."""
    rate_convention: Literal["physical", "reference"] = "physical"
    """How step sizes follow a ``rate`` other than 1: over the rate (physics), or times it (EEGDM's public code)."""


def check_corpus(name: str, latents: Latents, corpus: str, where: str = "finetune_lft") -> None:
    """Check that latents are of the corpus whose labels and windows go with them.

    Args:
        name: entry of the section ``latents``.
        latents: what it says.
        corpus: entry of the section ``event_corpora`` that the settings of the training name.
        where: name of these settings, for the error.

    Raises:
        InputError: they are of another corpus.
    """
    if latents.corpus != corpus:
        raise InputError(
            f"params.yaml: {where}.corpus: must be {latents.corpus!r}, as latents.{name}.corpus is (found {corpus!r})"
        )
