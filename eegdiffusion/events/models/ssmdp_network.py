"""The network of SSMDP, the structured state-space diffusion model of EEGDM (arXiv:2508.14086): backbone and latents.

It needs PyTorch alone; :class:`eegdiffusion.events.models.ssmdp.SSMDP` is the same network as a model of diffusers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.quality import check_channels
from eegdiffusion.events.models.latents import check_pooling, part_slices, pool
from eegdiffusion.events.models.s4d import S4D, Spectra, fft_length, gated_convolution, gates

KINDS = ("gate", "filter", "inter")
PART, WINDOW = 1000, 200  # samples at the rate of training: 5 s go through the backbone together, 1 s makes a pool
RATE_CONVENTIONS = ("physical", "reference")


def step_factor(rate: float, rate_convention: str = "physical") -> float:
    """Return the factor of the S4D time step for signals sampled at ``rate`` times the rate of training.

    ``physical``: 1 / rate, a sample at 190 Hz lasts 200/190 as long. ``reference``: rate itself, what the public
    implementation of EEGDM does and its published 190 and 180 Hz results carry.
    """
    if not rate > 0:
        raise InputError(f"rate: must be positive (found {rate!r})")
    if rate_convention not in RATE_CONVENTIONS:
        raise InputError(f"rate_convention: must be one of {', '.join(RATE_CONVENTIONS)} (found {rate_convention!r})")
    return 1 / rate if rate_convention == "physical" else float(rate)


def step_embedding(step: Tensor, size: int) -> Tensor:
    """Return the sinusoidal embedding of the diffusion step: (B, 1) -> (B, 1, size), sines then cosines."""
    half = size // 2
    frequencies = torch.exp(torch.arange(half, device=step.device) * (-math.log(10000) / (half - 1)))
    phases = step[..., None] * frequencies
    return torch.cat([torch.sin(phases), torch.cos(phases)], dim=-1)


def is_plain(projection: nn.Module) -> bool:
    """Return whether a projection is its weight and bias alone: no adapter (LoRA) or hook changes it."""
    return type(projection) is nn.Linear and not projection._forward_hooks and not projection._forward_pre_hooks


def time_first(projection: nn.Linear, x: Tensor) -> Tensor:
    """Project (B, H, L) to (B, L, K). The products between the layouts of FFT and norm transpose, no copy does."""
    if not is_plain(projection):
        return projection(x.transpose(1, 2))
    weight = projection.weight.transpose(0, 1).expand(x.shape[0], -1, -1)
    return torch.baddbmm(projection.bias, x.transpose(1, 2), weight)


class GatedS4DLayer(nn.Module):
    """Pre-norm, conditioning, S4D convolution over time, gate; a residual and a skip output."""

    def __init__(self, d_model: int, d_state: int, d_cond: int, last: bool):
        super().__init__()
        self.prenorm1 = nn.LayerNorm(d_model)
        self.cond_linear = nn.Linear(d_cond, d_model)
        self.pre_layer = nn.Linear(d_model, 2 * d_model)
        self.layer = S4D(2 * d_model, d_state // 2)
        self.linear_skip = nn.Linear(d_model, d_model)
        self.linear_next = None if last else nn.Linear(d_model, d_model)
        nn.init.zeros_(self.cond_linear.weight)
        nn.init.zeros_(self.cond_linear.bias)

    def drive(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return the input of the convolution: (B, L, H), (B, 1, D) -> (B, 2H, L)."""
        if not is_plain(self.pre_layer):
            return self.pre_layer(self.prenorm1(x) + self.cond_linear(condition)).transpose(1, 2)
        # The conditioning is constant over time: it passes pre_layer as part of its bias.
        bias = self.pre_layer(self.cond_linear(condition)).transpose(1, 2)
        weight = self.pre_layer.weight.expand(x.shape[0], -1, -1)
        return torch.baddbmm(bias, weight, self.prenorm1(x).transpose(1, 2))

    def advance(self, x: Tensor, inter: Tensor) -> Tensor:
        """Return the next layer's input: (B, L, H), (B, H, L) -> (B, L, H)."""
        return x + time_first(self.linear_next, inter)


@dataclass(frozen=True)
class SSMDPSizes:
    """Sizes of the network.

    Attributes:
        d_model: H, width.
        d_state: 2N, twice the number of complex states.
        n_layer: n, layers.
        d_cond: width of the conditioning vector.
        d_cond_embed: width E of the step and channel embeddings, even and at least 4.
        n_class: number of channels of the montage.
        num_train_timesteps: T, diffusion steps.
    """

    d_model: int = 128
    d_state: int = 128
    n_layer: int = 20
    d_cond: int = 512
    d_cond_embed: int = 128
    n_class: int = 22
    num_train_timesteps: int = 50


class SSMDPNetwork(nn.Module):
    """Predicts the diffusion velocity of single-channel EEG.

    Args:
        sizes: sizes of the network.
    """

    def __init__(self, sizes: SSMDPSizes):
        super().__init__()
        self.sizes = sizes
        d_model, d_state, n_layer = sizes.d_model, sizes.d_state, sizes.n_layer
        d_cond, d_cond_embed = sizes.d_cond, sizes.d_cond_embed
        self.in_layer = nn.Sequential(nn.Linear(1, d_model), nn.ReLU())
        self.t_embed_in = _embedding_network(d_cond_embed, d_cond)
        self.label_embed = nn.Embedding(sizes.n_class, d_cond_embed)
        self.label_embed_in = _embedding_network(d_cond_embed, d_cond)
        self.layers = nn.ModuleList(
            GatedS4DLayer(d_model, d_state, d_cond, last=i == n_layer - 1) for i in range(n_layer)
        )
        self.out_layer = nn.Sequential(nn.Linear(d_model, d_model), nn.ReLU(), nn.Linear(d_model, 1))
        nn.init.kaiming_normal_(self.out_layer[0].weight)
        nn.init.zeros_(self.out_layer[2].weight)
        nn.init.zeros_(self.out_layer[2].bias)
        self._spectra = Spectra()

    def forward(
        self, x: Tensor, step: Tensor, channel: Tensor, rate: float = 1.0, rate_convention: str = "physical"
    ) -> Tensor:
        """Predict the velocity.

        Args:
            x: noisy signals, (B, 1, L).
            step: 0-based diffusion step, (B, 1), integer.
            channel: montage index, (B, 1), integer.
            rate: sampling rate relative to that of training (0.95 for 190 Hz).
            rate_convention: ``physical`` or ``reference``, see :func:`step_factor`.

        Returns:
            the velocity, (B, 1, L).

        Raises:
            InputError: a shape or a value breaks its rule; the message names both.
        """
        if x.dim() != 3 or x.shape[1] != 1:
            raise InputError(f"x: must have shape (batch, 1, samples) (found {tuple(x.shape)})")
        for name, index in (("step", step), ("channel", channel)):
            if index.shape != (x.shape[0], 1):
                raise InputError(f"{name}: must have shape (batch, 1) = {(x.shape[0], 1)} (found {tuple(index.shape)})")
        # Looking at values makes an accelerator wait: a training step there goes unchecked.
        if not torch.compiler.is_compiling() and (x.device.type == "cpu" or not self.training):
            _check_finite("x", x)
            _check_range("step", step, self.sizes.num_train_timesteps)
            _check_range("channel", channel, self.sizes.n_class)

        length, factor = x.shape[-1], step_factor(rate, rate_convention)
        frozen = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
        spectra = self._frozen_spectra(length, factor) if frozen else None
        condition = self._condition(step, channel)
        hidden = self.in_layer(x.transpose(1, 2))
        skips = 0
        for i, layer in enumerate(self.layers):
            drive = layer.drive(hidden, condition)
            if spectra is not None:
                gate, filtered = gates(drive, spectra[i], fft_length(length))
                inter = gate.mul_(filtered)
            else:
                inter = gated_convolution(drive, layer.layer.response(length, factor))
            skips = skips + time_first(layer.linear_skip, inter)
            if layer.linear_next is not None:
                hidden = layer.advance(hidden, inter)
        return self.out_layer(skips).transpose(1, 2)

    def latents(
        self,
        signals: Tensor,
        kind: str = "gate",
        step: int | Sequence[int] | None = 1,
        channels: Sequence[int] | None = None,
        rate: float = 1.0,
        rate_convention: str = "physical",
        part_samples: int | None = None,
        check: bool = True,
    ) -> Tensor:
        """Return the latent activity of every layer for multi-channel EEG (EEGDM, arXiv:2508.14086, section 4).

        Args:
            signals: (B, C, L); the signal goes in as it is, without noise.
            kind: ``gate``, ``filter`` or ``inter``, their product.
            step: 0-based diffusion step, for all channels or one each; None leaves it out of the conditioning.
            channels: montage index of each channel; None: all channels of the montage in order.
            rate: sampling rate relative to that of training (0.95 for 190 Hz).
            rate_convention: see :func:`step_factor`.
            part_samples: longer signals go through in parts of so many samples, 5 s (1000 samples at rate 1) if None.
            check: refuse constant and clipped channels.

        Returns:
            (B, C, n, L, H) float32. At the paper's size this is 225 MB a window; :meth:`tokens` never holds it.

        Raises:
            InputError: an argument breaks its rule; the message names both.
        """
        factor = step_factor(rate, rate_convention)
        part_samples = round(PART * rate) if part_samples is None else part_samples
        width = self.sizes.d_model
        return self._activity(
            check, signals, kind, step, channels, factor, part_samples, 1, lambda x: x.transpose(1, 2), width
        )

    def tokens(
        self,
        signals: Tensor,
        window: int | None = None,
        statistic: str | Sequence[str] = "std",
        kind: str = "gate",
        step: int | Sequence[int] | None = 1,
        channels: Sequence[int] | None = None,
        rate: float = 1.0,
        rate_convention: str = "physical",
        part_samples: int | None = None,
        check: bool = True,
    ) -> Tensor:
        """Return pooled latents, layer by layer: the same numbers as :func:`pool_latents` of :meth:`latents`.

        Args:
            signals: (B, C, L); the signal goes in as it is, without noise.
            window: samples to a pool; None: one second, that is 200 samples times ``rate``. Under the ``reference``
                convention it is 200 samples at any rate, and samples that fill no window are dropped.
            statistic: ``std`` (unbiased) or ``mean``; of several, computed in one pass, tokens have one after another.
            kind: ``gate``, ``filter`` or ``inter``, their product.
            step: 0-based diffusion step, for all channels or one each; None leaves it out of the conditioning.
            channels: montage index of each channel; None: all channels of the montage in order.
            rate: sampling rate relative to that of training (0.95 for 190 Hz).
            rate_convention: ``physical`` or ``reference``, see :func:`step_factor`.
            part_samples: longer signals go through in parts of so many samples, 5 s (1000 samples at rate 1) if None.
            check: refuse constant and clipped channels.

        Returns:
            (B, n, p, C, H) float32, p pools; H times the number of statistics.

        Raises:
            InputError: an argument breaks its rule; the message names both.
        """
        factor = step_factor(rate, rate_convention)
        reference = rate_convention == "reference"
        if window is None:
            window = WINDOW if reference else round(WINDOW * rate)
        part_samples = round(PART * rate) if part_samples is None else part_samples
        statistics = [statistic] if isinstance(statistic, str) else list(statistic)
        for piece in part_slices(signals.shape[-1], part_samples):
            for each in statistics:
                check_pooling(piece.stop - piece.start, window, each, "signals in parts", remainder=reference)

        def reduce(activity: Tensor) -> Tensor:
            return torch.cat([pool(activity, window, each) for each in statistics], -1)

        width = len(statistics) * self.sizes.d_model
        tokens = self._activity(check, signals, kind, step, channels, factor, part_samples, window, reduce, width)
        return tokens.permute(0, 2, 3, 1, 4)

    def pooled(
        self,
        signals: Tensor,
        conditions: Tensor,
        window: int,
        statistic: str,
        kind: str,
        factor: float = 1.0,
        spectra: Callable[[int], Sequence[Tensor]] | None = None,
    ) -> Tensor:
        """Return pooled latents as :meth:`tokens` does, of channels with any conditioning, and let gradients through.

        Nothing is checked. Where gradients are on, the memory is that of the activity of all layers.

        Args:
            signals: (B, C, L).
            conditions: conditioning vector of each channel, (B * C, 1, D), from :meth:`condition`.
            window: samples to a pool; a remainder of a part of 5 s is left out.
            statistic: ``std`` (unbiased) or ``mean``.
            kind: ``gate``, ``filter`` or ``inter``, their product.
            factor: of the S4D time step, see :func:`step_factor`.
            spectra: returns the spectrum of each layer's response for a length; None: computed from the weights.

        Returns:
            (B, n, p, C, H) float32, p pools.
        """
        width = self.sizes.d_model
        if not (torch.is_grad_enabled() or torch.compiler.is_exporting()):
            tokens = self._run(
                signals, conditions, kind, factor, PART, window, lambda x: pool(x, window, statistic), width
            )
            return tokens.permute(0, 2, 3, 1, 4)
        rows = signals.flatten(0, 1).unsqueeze(-1)
        parts = []
        for piece in part_slices(signals.shape[-1], PART):
            length = piece.stop - piece.start
            known = self._responses(length, factor) if spectra is None else spectra(length)
            activity = self._layer_activity(rows[:, piece], conditions, known, kind)
            parts.append(torch.stack([pool(latent, window, statistic) for latent in activity], 1))
        return torch.cat(parts, 2).unflatten(0, signals.shape[:2]).permute(0, 2, 3, 1, 4)

    def condition(self, step: int | None, embedding: Tensor) -> Tensor:
        """Return the conditioning vectors (R, 1, D) of channels with embeddings (R, 1, E), at a diffusion step."""
        steps = None if step is None else torch.full(embedding.shape[:2], step, device=embedding.device)
        return self._condition_of(steps, embedding)

    @torch.no_grad()
    def _activity(
        self,
        check: bool,
        signals: Tensor,
        kind: str,
        step: int | Sequence[int] | None,
        channels: Sequence[int] | None,
        factor: float,
        part_samples: int,
        window: int,
        reduce: Callable[[Tensor], Tensor],
        width: int,
    ) -> Tensor:
        """Run every channel through the layers, a few at a time; ``reduce`` maps (m, H, l) to (m, l // window, width).

        Returns:
            (B, C, n, T, width)
        """
        if kind not in KINDS:
            raise InputError(f"kind: must be one of {', '.join(KINDS)} (found {kind!r})")
        if signals.dim() != 3 or 0 in signals.shape:
            raise InputError(f"signals: must have shape (batch, channels, samples) (found {tuple(signals.shape)})")
        _check_finite("signals", signals)
        batch, count = signals.shape[:2]
        ids = self._per_channel("channels", range(self.sizes.n_class) if channels is None else channels, count)
        _check_range("channels", ids, self.sizes.n_class)
        steps = None
        if step is not None:
            steps = self._per_channel("step", [step] * count if isinstance(step, int) else step, count)
            _check_range("step", steps, self.sizes.num_train_timesteps)
            steps = steps.repeat(batch, 1)
        if check:
            check_channels("signals", signals)
        conditions = self._condition(steps, ids.repeat(batch, 1))
        return self._run(signals, conditions, kind, factor, part_samples, window, reduce, width)

    def _run(
        self,
        signals: Tensor,
        conditions: Tensor,
        kind: str,
        factor: float,
        part_samples: int,
        window: int,
        reduce: Callable[[Tensor], Tensor],
        width: int,
    ) -> Tensor:
        """Run every channel through the frozen layers, a few at a time; see :meth:`_activity`."""
        batch, count, length = signals.shape
        rows = signals.reshape(batch * count, length, 1)
        pieces = part_slices(length, part_samples)
        ends = list(accumulate(((piece.stop - piece.start) // window for piece in pieces), initial=0))
        tokens = signals.new_empty(len(rows), len(self.layers), ends[-1], width, dtype=torch.float32)
        # The working set of a CPU pass stays in its cache.
        at_once = max(4, 128 // self.sizes.d_model) if signals.device.type == "cpu" else 512
        for piece, begin, end in zip(pieces, ends[:-1], ends[1:], strict=True):
            spectra = self._frozen_spectra(piece.stop - piece.start, factor)
            for start in range(0, len(rows), at_once):
                some = slice(start, start + at_once)
                activity = self._layer_activity(rows[some, piece], conditions[some], spectra, kind)
                for i, latent in enumerate(activity):
                    tokens[some, i, begin:end] = reduce(latent)
        return tokens.unflatten(0, (batch, count))

    def _layer_activity(self, x: Tensor, condition: Tensor, spectra: Sequence[Tensor], kind: str) -> Iterator[Tensor]:
        """Yield the latent (m, H, l) of each layer; ``x`` is (m, l, 1)."""
        hidden, n = self.in_layer(x), fft_length(x.shape[1])
        for layer, spectrum in zip(self.layers, spectra, strict=True):
            gate, filtered = gates(layer.drive(hidden, condition), spectrum, n)
            if layer.linear_next is not None:
                hidden = layer.advance(hidden, gate * filtered)
            yield {"gate": gate, "filter": filtered}[kind] if kind != "inter" else gate * filtered

    def _condition(self, step: Tensor | None, channel: Tensor) -> Tensor:
        """Return the conditioning vector (B, 1, D) of (B, 1) steps and channels."""
        return self._condition_of(step, self.label_embed(channel))

    def _condition_of(self, step: Tensor | None, embedding: Tensor) -> Tensor:
        condition = self.label_embed_in(embedding)
        if step is None:
            return condition
        return condition + self.t_embed_in(step_embedding(step, self.sizes.d_cond_embed))

    def _responses(self, length: int, factor: float) -> list[Tensor]:
        """Return the spectrum of each layer's response as a function of its weights."""
        return [torch.fft.rfft(layer.layer.response(length, factor)) for layer in self.layers]

    def _frozen_spectra(self, length: int, factor: float) -> list[Tensor]:
        return self._spectra([layer.layer for layer in self.layers], length, factor)

    def _per_channel(self, name: str, values: Sequence[int], count: int) -> Tensor:
        """Turn one integer per channel into a (C, 1) tensor."""
        indices = torch.as_tensor(values, device=self.label_embed.weight.device).flatten()
        if len(indices) != count:
            raise InputError(f"{name}: must hold an integer for each of the {count} channels (found {len(indices)})")
        return indices.long()[:, None]


def _embedding_network(d_in: int, d_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(d_in, d_out), nn.SiLU(), nn.Linear(d_out, d_out), nn.SiLU())


def _check_finite(name: str, values: Tensor) -> None:
    if not torch.isfinite(values).all():
        raise InputError(f"{name}: must be finite (found NaN or infinity)")


def _check_range(name: str, values: Tensor, end: int) -> None:
    if values.min() < 0 or values.max() >= end:
        raise InputError(f"{name}: must lie in 0..{end - 1} (found {int(values.min())}..{int(values.max())})")
