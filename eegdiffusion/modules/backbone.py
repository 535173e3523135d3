"""The backbone of EEGDM (arXiv:2508.14086) as a module for anybody's code: EEG in volts, of any montage, to tokens."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.mulaw import mulaw
from eegdiffusion.events.models.ssmdp_network import SSMDPNetwork, SSMDPSizes
from eegdiffusion.modules.channel_ids import UNKNOWN, channel_ids
from eegdiffusion.modules.resampling import Resampling
from eegdiffusion.modules.token_settings import TokenSettings, positive_number, volts_in

Places = Sequence[Sequence[float] | None]

USUAL_V = (1e-8, 2e-3)
"""Standard deviations in volts between which signals may be EEG; others are likely to be of another unit."""


def _labels(names: Sequence[str]) -> list[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise InputError(f"ch_names: must be a list of labels (found {names!r:.60})")
    return [str(name) for name in names]


def _plain(places: Places | Tensor | None) -> list[list[float] | None] | None:
    """Return places as lists, of arrays and tensors too."""
    if places is None:
        return None
    return [None if place is None else [float(value) for value in place] for place in places]


class Backbone(nn.Module):
    """Turns EEG into tokens; gradients reach signals and weights.

    Units, resampling and the mu-law are within. What is not: filters. The backbone was trained on EEG between 0.1 and
    75 Hz without the power line.

    Args:
        ch_names: labels of the channels, of electrodes or derivations. One that the backbone does not know has the
            number of the nearest derivation that it knows, and one without a place on the head the mean of all their
            embeddings, of which a warning tells. None: the backbone's own channels, in order.
        sfreq: sampling rate in Hz of the signals; None: the rate that the backbone was trained at.
        channel_positions: where each channel lies, (3,) in metres in MNE's head coordinates, for names without a place
            in MNE's standard_1005.
        unit: of the signals: ``V``, ``mV``, ``uV``, ``100 uV``, or the volts in one: for signals that were divided by
            their standard deviation, that deviation.
        frozen: whether the weights begin without gradients.
        sizes: sizes of the network.
        tokens: how tokens are made.

    Raises:
        InputError: an argument breaks its rule; the message names both.

    Attributes:
        network: the SSMDP.
        sizes: sizes of the network.
        tokens: how tokens are made.
        factor: from the signals' unit to the one that the backbone was trained in.
        spectra: returns the spectrum of each layer's response for a number of samples, in a program whose weights are
            constants; None: they are computed from the weights.
    """

    def __init__(
        self,
        ch_names: Sequence[str] | None = None,
        sfreq: float | None = None,
        channel_positions: Places | None = None,
        unit: str | float = "V",
        frozen: bool = False,
        sizes: SSMDPSizes | None = None,
        tokens: TokenSettings | None = None,
    ):
        super().__init__()
        self.tokens = tokens or TokenSettings()
        self.sizes = sizes or SSMDPSizes(n_class=len(self.tokens.channels))
        if self.sizes.n_class != len(self.tokens.channels):
            rule = f"must be {self.sizes.n_class}, as many as the network has"
            raise InputError(f"tokens: channels: {rule} (found {len(self.tokens.channels)})")
        self.ch_names = _labels(self.tokens.channels if ch_names is None else ch_names)
        self.channel_positions = _plain(channel_positions)
        rate_hz = positive_number(self.tokens.rate_hz if sfreq is None else sfreq)
        if rate_hz is None:
            raise InputError(f"sfreq: must be positive (found {sfreq!r})")
        self.sfreq = rate_hz
        self.unit = unit if isinstance(unit, str) else volts_in(unit)
        self.frozen = frozen
        self.factor = volts_in(unit) / volts_in(self.tokens.unit)
        self.network = SSMDPNetwork(self.sizes)
        self.resampling = Resampling(self.sfreq, self.tokens.rate_hz)
        self.spectra: Callable[[int], Sequence[Tensor]] | None = None
        self._known_ids: dict[tuple[str, ...], list[int]] = {}
        self._amplitude_seen = False
        self._ids = self._channel_ids(self.ch_names, channel_positions)
        self.network.requires_grad_(not frozen)

    @classmethod
    def from_pretrained(cls, folder: Path | str, **settings: Any) -> Self:
        """Read a backbone from a folder, offline.

        Args:
            folder: what :meth:`save_pretrained` or ``eeg export`` wrote, a copy of it from a hub, or the folder
                ``backbone`` of a training.
            **settings: arguments of the class that are not those of the folder: ``ch_names``, ``sfreq``, ``unit``, ...

        Raises:
            InputError: the folder holds no such backbone, or what it holds breaks a rule; the message names both.
        """
        from eegdiffusion.modules.pretrained_folder import read_backbone

        return read_backbone(cls, Path(folder), settings)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write ``config.json``, ``model.safetensors`` and a card, ``README.md``, as hubs of models have them.

        Raises:
            InputError: the folder holds other files.
        """
        from eegdiffusion.modules.pretrained_folder import write_backbone

        write_backbone(self, Path(folder))

    def forward(
        self, x: Tensor, channel_positions: Places | Tensor | None = None, ch_names: Sequence[str] | None = None
    ) -> Tensor:
        """Turn EEG into tokens.

        Args:
            x: (batch, channels, samples) in the unit and at the rate of the module, of any length. Whole seconds make
                tokens and the rest is left out; a signal shorter than that makes one.
            channel_positions: as the argument of the class, or (batch, channels, 3), all of one montage; with
                ``ch_names``.
            ch_names: labels of the channels, where they are not those of the module.

        Returns:
            (batch, layers, seconds, channels, width) float32.

        Warns:
            UserWarning: once, where the first signals are of an amplitude that is not EEG's in the module's unit.

        Raises:
            InputError: ``x`` breaks a rule, or the weights were made other than float32.
        """
        names = self.ch_names if ch_names is None else _labels(ch_names)
        if not isinstance(x, Tensor):
            raise InputError(f"x: must be a tensor of PyTorch (found {type(x).__name__})")
        if x.dim() != 3 or 0 in x.shape[:2] or x.shape[1] != len(names):
            raise InputError(
                f"x: must have shape (batch, {len(names)} channels, samples) (found {tuple(x.shape)}); ch_names must "
                "name each channel"
            )
        ids = self._ids if ch_names is None else self._channel_ids(names, channel_positions)
        signals = self._prepare(x)
        length = signals.shape[-1]
        if length < 2:
            raise InputError(f"x: must be 2 samples or more at {self.tokens.rate_hz:g} Hz (found {length})")
        window = min(self.tokens.window, length)
        signals = signals[..., : self.used_length(length)]
        settings = self.tokens
        # A program that is exported has no gradients to switch.
        exporting = torch.compiler.is_exporting()
        with nullcontext() if exporting else torch.set_grad_enabled(self._needs_gradients(x)):
            conditions = self._conditions(ids, x.shape[0])
            return self.network.pooled(
                signals, conditions, window, settings.statistic, settings.kind, spectra=self.spectra
            )

    def used_length(self, samples: int) -> int:
        """Return how many of so many samples at the network's rate make tokens."""
        window = min(self.tokens.window, samples)
        return samples // window * window

    def _prepare(self, x: Tensor) -> Tensor:
        """Return signals in the unit and at the rate that the network was trained in, through the mu-law."""
        signals = x if self.factor == 1 else x * self.factor
        if (kind := self.network.label_embed.weight.dtype) != torch.float32:
            raise InputError(f"weights: must be float32 (found {kind}); torch.autocast computes in half precision")
        signals = signals.to(kind)
        if not torch.compiler.is_compiling():
            if x.device.type == "cpu" and not torch.isfinite(signals).all():
                raise InputError("x: must be finite (found NaN or infinity)")
            if not self._amplitude_seen:
                self._amplitude_seen = True
                self._warn_of_amplitude(signals.detach())
        signals = self.resampling(signals)
        if self.tokens.mu_law:
            signals = mulaw(signals)
        return signals if self.tokens.signal_scale == 1 else signals * self.tokens.signal_scale

    def _warn_of_amplitude(self, signals: Tensor) -> None:
        """Warn where signals (batch, channels, samples) in the unit of the training are likely to be of another."""
        deviation_v = float(signals.std(-1, correction=0).median()) * volts_in(self.tokens.unit)
        if deviation_v > 0 and not USUAL_V[0] <= deviation_v <= USUAL_V[1]:
            warnings.warn(
                f"x: has a standard deviation of {deviation_v:.2g} V if unit={self.unit!r}, which no EEG has; state "
                "the unit of the signals, or the volts of their deviation where they were divided by it",
                stacklevel=4,
            )

    def _needs_gradients(self, x: Tensor) -> bool:
        return torch.is_grad_enabled() and (
            x.requires_grad or any(weight.requires_grad for weight in self.network.parameters())
        )

    def _conditions(self, ids: Sequence[int], batch: int) -> Tensor:
        """Return the conditioning vector (batch * channels, 1, D) of each channel."""
        network = self.network
        device = network.label_embed.weight.device
        learned = network.label_embed(torch.arange(self.sizes.n_class, device=device))
        embeddings = torch.cat([learned, learned.mean(0, keepdim=True)])  # of UNKNOWN, -1, as well
        return network.condition(self.tokens.step, embeddings[list(ids)].repeat(batch, 1)[:, None])

    def _channel_ids(self, names: Sequence[str], places: Places | Tensor | None) -> list[int]:
        """Return the number of each channel; a warning tells of those that have none, once."""
        if isinstance(places, Tensor):
            places = (places[0] if places.dim() == 3 else places).tolist()
        if places is not None and len(places) != len(names):
            rule = f"must have a place for each of the {len(names)} channels"
            raise InputError(f"channel_positions: {rule} (found {len(places)})")
        key = (*names, str(places))
        if key not in self._known_ids:
            ids = channel_ids(names, self.tokens.channels, places, self.tokens.numbers)
            if unknown := [name for name, index in zip(names, ids, strict=True) if index == UNKNOWN]:
                listed = ", ".join(map(str, unknown[:8])) + (", ..." if len(unknown) > 8 else "")
                warnings.warn(
                    f"ch_names: {len(unknown)} of {len(names)} have no place on the head ({listed}); they are "
                    "conditioned on the mean of all channels of the backbone",
                    stacklevel=3,
                )
            if len(self._known_ids) >= 64:
                self._known_ids.clear()
            self._known_ids[key] = ids
        return self._known_ids[key]
