"""Settings of the probes of a task: an entry of the section ``probe_tasks``."""

from dataclasses import field
from typing import Annotated

from annotated_types import Ge, Gt, MinLen

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Count, Positive


@settings
class ProbedTask:
    """An entry of the section ``probe_tasks``: a corpus whose windows are classified by frozen features."""

    backbone: Name
    """Pretrained backbone that stays frozen, of `matrix.backbones`."""
    corpus: Name
    """Entry of the section ``event_corpora``."""
    pool_s: Annotated[float, Gt(0)] = 0.5
    """Seconds over which activations are pooled into a token."""
    raw_rate_hz: Annotated[float, Gt(0)] = 20.0
    """Rate of the raw samples that a discriminant analysis sees, for comparison."""
    folds: Annotated[int, Ge(2)] = 5
    """Folds of the cross-validation on the training windows, by which statistic and probe are chosen."""
    untrained_seeds: Annotated[list[Count], MinLen(1)] = field(default_factory=lambda: [0, 1])
    """Seeds of the weights of the untrained backbones."""
    batch_size: Positive = 64
    """Windows that go through a backbone at once."""
