"""Settings of the training of encoders of EEG epochs."""

from dataclasses import field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt

from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Optimisation, Positive
from eegdiffusion.images.epochs.protocols import Protocol

LINEAR = "ridge"
"""The encoder that is fitted, not trained."""

Band = tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]]


@settings
class Row:
    """An entry of the section ``eeg_encoders``: an encoder, and under which protocols and bands it is studied."""

    corpus: str
    """Entry of ``image_corpora``."""
    objective: Literal["align", "classify"]
    """To the features of the image seen, or into its concept."""
    encoder: str
    """Of ``eegdiffusion.images.encoders.registry``."""
    options: dict[str, Any] = field(default_factory=dict)
    """Arguments of the encoder's class."""
    protocols: list[Protocol]
    subjects: list[str] | None = None
    """Those that are tested; of ``anchor``, those that it trains on. Null: all; of ``anchor``, the first."""
    bands: list[Band | None] = field(default_factory=lambda: [None])
    """Band filters in Hz, each trained with; null: none."""
    pairs: Literal["recorded", "permuted"] = "recorded"
    """``permuted``: a control that is trained on pairs drawn at random."""
    trainings: Positive | dict[Protocol, Positive] | None = None
    """Of each fold, or of each fold of a protocol, with seeds 0, 1, ...; where it does not say, ``matrix.seeds`` does.
    A control draws a pairing for each."""
    served: bool = True
    """Draw pictures of the best training, and log it as a model; never of a control."""
    subject_layers: bool = False
    """An input layer of its own for each training subject."""


def seeds_of(row: Row, protocol: Protocol, seeds: list[int]) -> list[int]:
    """Seeds that a row is trained with: the first one alone where nothing is random."""
    wanted = row.trainings.get(protocol) if isinstance(row.trainings, dict) else row.trainings
    chosen = seeds if wanted is None else list(range(wanted))
    return chosen[:1] if row.encoder == LINEAR and row.pairs == "recorded" else chosen


@settings
class Align:
    """Contrastive alignment."""

    average: Positive
    """Repetitions of an image that are averaged into a training epoch."""
    temperature: Annotated[float, Gt(0)]
    """To begin with; it is learned."""
    mse_weight: Annotated[float, Ge(0), Lt(1)]
    """Weight of the squared error to features that are not normalised, beside the contrastive loss."""
    centre_features: bool
    """Subtract the mean of the training images' features."""
    ridge_alphas: list[Annotated[float, Gt(0)]]
    """Penalties that the ridge regression chooses from, by the validation split."""
    optimisation: Optimisation


@settings
class Classify:
    """Classification into concepts."""

    classes: Positive | None
    """At most so many, drawn at random; null: all."""
    average: Positive
    """Repetitions of an image that are averaged into an epoch."""
    optimisation: Optimisation
