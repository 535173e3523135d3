"""Settings of the training of encoders of EEG epochs."""

from dataclasses import field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.training.settings import Optimisation, Positive
from eegdiffusion.images.epochs.protocols import Protocol
from eegdiffusion.images.features.image_features import OUTPUT

LINEAR = "ridge"
"""The encoder that is fitted, not trained."""

Band = tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]]


@settings
class EncoderExperiment:
    """An encoder, and the protocols and bands under which it is trained: an entry of the section ``eeg_encoders``."""

    corpus: Name
    """Entry of ``image_corpora`` whose epochs it encodes."""
    objective: Literal["align", "classify"]
    """``align`` with the features of the image seen, or ``classify`` its concept."""
    encoder: Name
    """Name of the encoder in ``eegdiffusion.images.encoders.registry``."""
    layer: Name | list[Name] = OUTPUT
    """Layer of the image network that is aligned with, of those that ``embed_images.layers`` keeps, or ``output``; of
    several, a mixture whose weights are learned."""
    route_subjects: bool = False
    """Whether, of a mixture, each training subject learns weights of the layers of its own, beside those that all
    share, which alone are used in testing."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the encoder's class, beside the sizes that the data give."""
    protocols: list[Protocol]
    """Protocols, each trained: which subjects are trained on and which are tested."""
    subjects: list[Name] | None = None
    """Test subjects; of ``anchor``, the training subjects. Null: all; of ``anchor``, the first."""
    bands: list[Band | None] = field(default_factory=lambda: [None])
    """Band filters in Hz, each trained with; null: none."""
    pairs: Literal["recorded", "permuted"] = "recorded"
    """``permuted``: a control that is trained on pairs drawn at random."""
    trainings: Positive | dict[Protocol, Positive] | None = None
    """Number of trainings of each fold, or of each fold of a protocol, with seeds 0, 1, ...; where it does not say,
    ``matrix.seeds`` does. A control draws a pairing for each."""
    average: Positive | None = None
    """Number of repetitions of an image that are averaged into a training epoch and, of a classifier, a test epoch;
    null: that of ``train_eeg_encoder``."""
    register: bool = True
    """Whether the best training is inspected and logged as a model; a control never is."""
    protocol_sheet: bool = False
    """Whether the report says what a score owes to its protocol: ridge regressions of single subjects, with each layer
    that is kept, parietal and occipital electrodes or all, other numbers of repetitions, CSLS, and selection on the
    test split. Of the encoder ``ridge`` alone."""
    subject_layers: bool = False
    """Whether each training subject has an input layer of its own."""
    train_task: Name | None = None
    """Task of the epochs that train and validate, where the corpus tells tasks, e.g. ``perception``; null: all."""
    test_task: Name | None = None
    """Task of the epochs that test, e.g. ``imagery``; null: all."""

    def __post_init__(self):
        if not self.layers or len(set(self.layers)) < len(self.layers):
            raise ValueError(f"layer must be one layer or several distinct ones (found {self.layer})")
        if self.layers != [OUTPUT] and self.objective == "classify":
            raise ValueError(
                f"layer is of encoders that are aligned, which objective classify are not (found {self.layer})"
            )
        if self.protocol_sheet and self.encoder != LINEAR:
            raise ValueError(f"protocol_sheet is of the encoder {LINEAR} (found {self.encoder})")
        if self.route_subjects and (len(self.layers) < 2 or self.encoder == LINEAR):
            raise ValueError(f"route_subjects needs a mixture of layers, and an encoder that is trained, not {LINEAR}")

    @property
    def layers(self) -> list[str]:
        """Layers that are aligned with, one or several."""
        return [self.layer] if isinstance(self.layer, str) else list(self.layer)

    @property
    def registered(self) -> bool:
        """Whether its best training is logged as a model, to be registered: never that of a control."""
        return self.register and self.pairs == "recorded"


def seeds_of(experiment: EncoderExperiment, protocol: Protocol, seeds: list[int]) -> list[int]:
    """Return the seeds that an experiment is trained with: the first one alone where nothing is random.

    Args:
        experiment: entry of ``eeg_encoders``.
        protocol: one of its protocols.
        seeds: ``matrix.seeds``.
    """
    count = experiment.trainings.get(protocol) if isinstance(experiment.trainings, dict) else experiment.trainings
    chosen = seeds if count is None else list(range(count))
    return chosen[:1] if experiment.encoder == LINEAR and experiment.pairs == "recorded" else chosen


@settings
class Align:
    """Contrastive alignment of an encoder with image features."""

    average: Positive = 1
    """Number of repetitions of an image that are averaged into a training epoch."""
    temperature: Annotated[float, Gt(0)] = 0.07
    """Temperature of the contrastive loss to begin with; it is learned."""
    mse_weight: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Weight of the squared error to features that are not normalised, beside the contrastive loss."""
    centre_features: bool = False
    """Whether the mean of the training images' features is subtracted."""
    ridge_alphas: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [0.01, 0.1, 1.0, 10.0])
    """Penalties that the ridge regression chooses from, by the validation split."""
    optimisation: Optimisation
    """Optimiser, its schedule and its stopping rule."""


@settings
class Classify:
    """Classification of epochs into concepts."""

    classes: Positive | None = None
    """Number of concepts, drawn at random, at most those of the corpus; null: all."""
    average: Positive = 1
    """Number of repetitions of an image that are averaged into an epoch."""
    optimisation: Optimisation
    """Optimiser, its schedule and its stopping rule."""


@settings
class RetrievalTest:
    """Test of an aligned encoder by retrieval of the test images."""

    repetitions: list[Positive] = field(default_factory=lambda: [1, 2, 5, 10, 20, 40, 80])
    """Numbers of repetitions that are averaged; what exceeds a subject's repetitions stands for all of them."""
    draws: Positive = 4
    """Number of averages of each image, of different repetitions."""
