"""Base of all encoders of EEG epochs, from (batch, electrodes, samples) to (batch, outputs)."""

import inspect
from collections.abc import Sequence

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError

UNSEEN = ("mean", "identity")
"""Choices of the matrix of subjects that training has not seen."""


class SubjectLayer(nn.Module):
    """Mixes the electrodes of each subject by a matrix of its own; all begin as the identity.

    Args:
        n_subjects: number of subjects.
        n_chans: number of electrodes.
        unseen: what a subject without a matrix gets: the ``mean`` of the others', or the ``identity``.

    Raises:
        InputError: ``unseen`` is neither.
    """

    def __init__(self, n_subjects: int, n_chans: int, unseen: str = "mean"):
        super().__init__()
        if unseen not in UNSEEN:
            raise InputError(f"unseen: must be one of {', '.join(UNSEEN)} (found {unseen!r})")
        self.unseen = unseen
        self.mixing = nn.Parameter(torch.eye(n_chans).repeat(n_subjects, 1, 1))

    def forward(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Mix the electrodes of epochs.

        Args:
            x: (B, C, T) epochs.
            subject: (B,) int64 numbers of the subjects, -1 for one that training has not seen; None: all are such.

        Returns:
            (B, C, T).

        Raises:
            InputError: a number is not that of a subject.
        """
        other = self.mixing.mean(0) if self.unseen == "mean" else torch.eye(len(self.mixing[0])).to(x)
        if subject is None:
            return other @ x
        return torch.cat([self.mixing, other[None]])[check_subjects(subject, len(self.mixing))] @ x


def check_subjects(subject: Tensor, known: int) -> Tensor:
    """Return the numbers of subjects, all of them from -1 to ``known`` - 1.

    Raises:
        InputError: a number is out of this range.
    """
    if ((subject < -1) | (subject >= known)).any():
        raise InputError(f"subject: must be -1 (not seen in training) to {known - 1} (found {subject.tolist()})")
    return subject


class LayerMixture(nn.Module):
    """Weights the parts of an embedding, one for each layer of the image network that it is aligned with.

    Each part gets the length of its layer's weight. The cosine similarity to the joined unit activations of an image is
    then the weighted mean of the layers' cosines, but for a factor that all images share. In training each subject may
    add to the logits of the weights what it learns; in evaluation none does, so that who is tested need not be known.

    Args:
        widths: widths of the layers.
        n_subjects: number of training subjects that have weights of their own; 0: all share theirs.
    """

    def __init__(self, widths: Sequence[int], n_subjects: int = 0):
        super().__init__()
        self.widths = list(widths)
        self.logits = nn.Parameter(torch.zeros(len(self.widths)))
        self.offsets = nn.Parameter(torch.zeros(n_subjects, len(self.widths))) if n_subjects else None

    @property
    def weights(self) -> Tensor:
        """Weights (layers,) of the evaluation, of sum 1."""
        return self.logits.softmax(0)

    def forward(self, embedding: Tensor, subject: Tensor | None) -> Tensor:
        """Weight the parts of embeddings; (B, sum of widths) -> the same shape.

        Args:
            embedding: parts of any length, joined.
            subject: (B,) numbers of the training subjects, -1 for others; None: all are such.
        """
        logits = self.logits.expand(len(embedding), -1)
        if self.training and self.offsets is not None and subject is not None:
            none = self.offsets.new_zeros(1, len(self.widths))
            logits = logits + torch.cat([self.offsets, none])[check_subjects(subject, len(self.offsets))]
        parts = [nn.functional.normalize(part, dim=1) for part in embedding.split(self.widths, 1)]
        return torch.cat([weight[:, None] * part for weight, part in zip(logits.softmax(1).T, parts, strict=True)], 1)


SIZES = ("n_chans", "n_times", "n_outputs", "n_subjects", "unseen", "layer_widths", "routed_subjects")
"""Arguments that every encoder has, before its own."""


class EEGEncoder(ModelMixin, ConfigMixin):
    """Base of the encoders of EEG epochs, which all take the same sizes first.

    A subclass implements :meth:`build`, whose arguments are its own options, and :meth:`encode`. Its constructor takes
    the sizes below and then the options of ``build``, by position or by name, and registers all of them in the
    configuration; a subclass with other default sizes says so as ``class EEGNet(EEGEncoder, n_chans=128)``.

    Args:
        n_chans: number of electrodes.
        n_times: number of samples in an epoch.
        n_outputs: width of the embedding, or number of classes.
        n_subjects: number of training subjects with an input layer of their own (:class:`SubjectLayer`); 0: none.
        unseen: what subjects that training has not seen get in place of such a layer, ``mean`` or ``identity``.
        layer_widths: widths of the layers of the image network whose mixture the embedding is aligned with, of sum
            ``n_outputs`` (:class:`LayerMixture`); none: no mixture.
        routed_subjects: number of training subjects with weights of the layers of their own; 0: none.

    Raises:
        InputError: ``unseen`` is neither, or the widths have another sum.
    """

    def __init__(
        self,
        n_chans: int = 63,
        n_times: int = 250,
        n_outputs: int = 1024,
        n_subjects: int = 0,
        unseen: str = "mean",
        layer_widths: Sequence[int] = (),
        routed_subjects: int = 0,
    ):
        raise TypeError("EEGEncoder is a base; build one of eegdiffusion.images.encoders.registry.ENCODERS")

    def __init_subclass__(cls, **defaults: int | str):
        """Make the constructor of a subclass: the sizes with these defaults, then the options of its ``build``."""
        super().__init_subclass__()
        own, *sizes = inspect.signature(EEGEncoder.__init__).parameters.values()
        sizes = [size.replace(default=defaults.pop(size.name, size.default)) for size in sizes]
        if defaults:
            raise TypeError(f"{cls.__name__}: sizes must be among {', '.join(SIZES)} (found {', '.join(defaults)})")
        options = list(inspect.signature(cls.build).parameters.values())[1:]
        signature = inspect.Signature([own, *sizes, *options])

        def initialise(self, *args, **kwargs):
            arguments = signature.bind(self, *args, **kwargs)
            arguments.apply_defaults()
            super().__init__()
            self.subject_layer = self._make_subject_layer()
            self.layer_mixture = self._make_layer_mixture()
            self.build(**{option.name: arguments.arguments[option.name] for option in options})

        initialise.__name__, initialise.__signature__ = "__init__", signature  # type: ignore[attr-defined]
        cls.__init__ = register_to_config(initialise)  # type: ignore[method-assign]

    def build(self) -> None:
        """Make the layers, with the options as arguments; the sizes are in ``self.config``."""
        raise NotImplementedError

    def _make_subject_layer(self) -> SubjectLayer | None:
        n_subjects = self.config.n_subjects
        return SubjectLayer(n_subjects, self.config.n_chans, self.config.unseen) if n_subjects else None

    def _make_layer_mixture(self) -> LayerMixture | None:
        widths, total = list(self.config.layer_widths), self.config.n_outputs
        if not widths:
            return None
        if sum(widths) != total:
            raise InputError(f"layer_widths: must be of sum n_outputs {total} (found {widths})")
        return LayerMixture(widths, self.config.routed_subjects)

    def encode(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Encode epochs that have passed the subjects' layer; (B, C, T) -> (B, outputs)."""
        raise NotImplementedError

    def _check_and_mix(self, x: Tensor, subject: Tensor | None) -> Tensor:
        """Check the shape of epochs (B, C, T) and mix their electrodes by each subject's layer."""
        expected = (self.config.n_chans, self.config.n_times)
        if x.dim() != 3 or tuple(x.shape[1:]) != expected:
            raise InputError(f"eeg: must be (batch, {expected[0]}, {expected[1]}) (found {tuple(x.shape)})")
        return x if self.subject_layer is None else self.subject_layer(x, subject)

    def forward(self, x: Tensor, subject: Tensor | None = None) -> Tensor:
        """Encode epochs.

        Args:
            x: (B, electrodes, samples).
            subject: (B,) number of each one's subject in training, -1 for one that training has not seen.

        Returns:
            (B, outputs): an embedding, or logits.

        Raises:
            InputError: shape or subject do not fit.
        """
        encoded = self.encode(self._check_and_mix(x, subject), subject)
        return encoded if self.layer_mixture is None else self.layer_mixture(encoded, subject)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm and a bypass: act(x + bn(conv(act(bn(conv(x)))))).

    Args:
        filters: number of channels in and out.
        activation: class of the activation.
        bias: whether the convolutions have one.
    """

    def __init__(self, filters: int, activation: type[nn.Module], bias: bool):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(filters, filters, 3, padding=1, bias=bias),
            nn.BatchNorm2d(filters),
            activation(),
            nn.Conv2d(filters, filters, 3, padding=1, bias=bias),
            nn.BatchNorm2d(filters),
        )
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (B, filters, H, W), whose shape it keeps."""
        return self.activation(x + self.layers(x))


class Projection(nn.Sequential):
    """Projects features as NICE and ATM do: a linear layer, a residual block of GELU and linear layer, a layer norm.

    Args:
        features: width of the input, (B, features).
        outputs: width of the output, (B, outputs).
        dropout: dropout rate of the residual block.
    """

    def __init__(self, features: int, outputs: int, dropout: float):
        super().__init__(nn.Linear(features, outputs), Residual(outputs, dropout), nn.LayerNorm(outputs))


class Residual(nn.Module):
    """Adds to its input a linear layer of its GELU: x + dropout(linear(GELU(x))).

    Args:
        width: width of input and output.
        dropout: dropout rate.
    """

    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.linear, self.dropout = nn.Linear(width, width), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (B, width), whose shape it keeps."""
        return x + self.dropout(self.linear(nn.functional.gelu(x)))
