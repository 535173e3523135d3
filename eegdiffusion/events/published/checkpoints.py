"""Published EEGDM checkpoints as models of this project."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.models.diffusion import SCHEDULES, forward_process, noise_scheduler
from eegdiffusion.events.models.latents import PART_ORDERS, STATISTICS, order_parts
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.models.ssmdp import KINDS, PART, SSMDP
from eegdiffusion.events.published.lightning_checkpoint import read_checkpoint

ONLINE, EMA = "model.", "ema.ema_model."
PREFIXES = {"online": ONLINE, "ema": EMA}
_LOSS = ("criterion.pos_weight", "criterion.weight")  # buffers of the training loss, which no model has

_MOST_LAYERS = 256
_SIZES = {
    "d_model": (1, 4096), "d_state": (2, 4096), "n_layer": (1, _MOST_LAYERS), "d_cond": (1, 16384),
    "d_cond_embed": (4, 16384), "n_class": (1, 1024), "num_train_timesteps": (1, 10_000), "n_pool": (1, 1024),
    "n_channel": (1, 1024), "n_fusion": (1, 1024), "num_heads": (1, 256), "encoder_blocks": (0, _MOST_LAYERS),
    "window_size": (1, 100_000), "diffusion_t": (0, 9_999),
}  # fmt: skip
"""Least and largest value of each size that a file gives; the paper's models are far below."""

# What the published code can be told to do and this project's models do not.
_BACKBONE_RULES = {
    "bidirectional": True, "have_null_class": False, "in_channels": 1, "kernel_mode": "diag", "local_cond_ch": 0,
    "n_ssm": None, "self_gated": False,
}  # fmt: skip
_CLASSIFIER_RULES = {
    "classifier_final_act": "pool", "classifier_use_ap_clst": False, "embed_query": False, "have_ch_pos_embed": False,
    "have_crossnorm": False, "pool_merge": "share", "stack_struct": "scf",
}  # fmt: skip


def load_published_backbone(checkpoint: Path | str | Mapping, weights: str = "ema") -> SSMDP:
    """Make the backbone of a published checkpoint; sizes come from the weights.

    Args:
        checkpoint: path of a Lightning checkpoint, or a state dict whose names may carry a prefix.
        weights: ``ema`` or ``online``.

    Returns:
        the backbone, in evaluation mode.

    Raises:
        InputError: not such a file; weights are missing, unknown or misshapen (all named); an option is not supported.
    """
    source, state, hyper = _open(checkpoint, weights)
    _check_options(source, _section(source, hyper, "model_kwargs"), _BACKBONE_RULES)
    return _backbone(source, state, _section(source, hyper, "noise_sch_kwargs"))


class PublishedClassifier(nn.Module):
    """Backbone, pooling and LFT of a published classifier.

    Attributes:
        backbone: frozen.
        lft: trainable.
        kind: ``gate``, ``filter`` or ``inter``, the latents that make the tokens.
        statistic: ``std`` or ``mean``, how latents are pooled.
        window: samples to a pool at the rate of training.
        channels: montage index of each channel, (C,).
        steps: diffusion step of each channel, (C,).
        parts: order of the 5-s parts of longer windows, see :func:`.latents.order_parts`.
    """

    def __init__(
        self, backbone: SSMDP, lft: LFT, kind: str, statistic: str, window: int, channels: Tensor, steps: Tensor,
        rescale: bool = False, noise: str = "none", parts: str = "reference",
    ):  # fmt: skip
        super().__init__()
        self.backbone, self.lft = backbone.requires_grad_(False), lft
        self.kind, self.statistic, self.window = kind, statistic, window
        self.rescale, self.noise, self.parts = rescale, noise, parts
        self.register_buffer("channels", channels)
        self.register_buffer("steps", steps)

    def forward(self, signals: Tensor, rate: float = 1.0, rate_convention: str = "physical") -> Tensor:
        """Classify (B, C, L) signals in the units that the backbone was trained on.

        Logits are (B, classes), or (B,) of the second class where the classifier is binary. ``rate`` and
        ``rate_convention`` are those of ``SSMDP.tokens``; under ``reference`` the pools keep their number of samples,
        and the fusion tokens of the pools that are missing pass unprocessed.
        """
        signals = order_parts(signals, round(PART * rate), self.parts)
        if self.noise == "scaled":
            config = self.backbone.config
            schedule = noise_scheduler(config.beta_schedule, config.num_train_timesteps)
            signals = forward_process(signals, int(self.steps[0]), "scaled", schedule)
        reference = rate_convention == "reference"
        tokens = self.backbone.tokens(
            signals,
            window=self.window if reference else round(self.window * rate),
            statistic=self.statistic,
            kind=self.kind,
            step=self.steps,
            channels=self.channels,
            rate=rate,
            rate_convention=rate_convention,
        )
        if self.rescale:
            scale = (2 if self.kind == "gate" else 1) * (2 if self.statistic == "std" else 1)
            tokens = tokens * scale - int(scale > 1)
        logits = self.lft(tokens, missing_pools=reference)
        return logits[:, 0] if self.lft.config.n_class == 1 else logits


def load_published_classifier(
    checkpoint: Path | str | Mapping,
    weights: str = "ema",
    beta_schedule: str = "squaredcos_cap_v2",
    parts: str | None = None,
) -> PublishedClassifier:
    """Make the classifier of a published checkpoint.

    Sizes come from the weights; heads, latent, statistic and window from the hyper-parameters, or, for a bare state
    dict, from the paper (8 heads, std of the gate over 200 samples).

    Args:
        checkpoint: path of a Lightning checkpoint, or a state dict whose names may carry a prefix.
        weights: ``ema`` or ``online``.
        beta_schedule: noise schedule of the backbone, which the file does not tell; it matters only to classifiers
            trained on scaled or noisy signals.
        parts: order of the 5-s parts of longer windows; None: ``reference``, in which published weights were trained.

    Returns:
        a module (B, C, L) -> (B, classes), binary ones (B,), in evaluation mode.

    Raises:
        InputError: as :func:`load_published_backbone`.
    """
    if parts not in (None, *PART_ORDERS):
        raise InputError(f"parts: must be one of {', '.join(PART_ORDERS)} (found {parts!r})")
    source, state, hyper = _open(checkpoint, weights)
    options = _section(source, hyper, "model_kwargs")
    _check_options(source, options, _CLASSIFIER_RULES)
    window = _whole_option(source, options, "window_size", 200)
    _check_options(source, options, {"window_step": window})
    states: dict[str, dict[str, Tensor]] = {"extractor.model.": {}, "extractor.": {}, "": {}}
    for name, value in state.items():
        prefix = next(prefix for prefix in states if name.startswith(prefix))
        states[prefix][name.removeprefix(prefix)] = value
    backbone_state, extractor, lft_state = states.values()

    backbone = _backbone(source, backbone_state, {"beta_schedule": beta_schedule}, "extractor.model.")
    channels = _take(source, extractor, "extractor.", "cond").flatten()
    steps = _take(source, extractor, "extractor.", "diffusion_steps").flatten()
    if "diffusion_t" in options:
        steps = torch.full_like(steps, _whole_option(source, options, "diffusion_t", 0))
    _check_indices(source, "extractor.cond", channels, backbone.config.n_class)
    _check_indices(source, "extractor.diffusion_steps", steps, backbone.config.num_train_timesteps, len(channels))
    n_layer = backbone.config.n_layer
    first, last = (_whole_option(source, options, name, default) for name, default in (("start", 0), ("end", n_layer)))
    used = list(range(n_layer))[first:last]
    _, _, n_pool, n_fusion, _ = _take(source, lft_state, "", "decoder.cls_token", dims=5).shape
    sizes = {
        "d_model": backbone.config.d_model,
        "n_layer": n_layer,
        "n_pool": n_pool,
        "n_channel": len(channels),
        "n_fusion": n_fusion,
        "num_heads": _whole_option(source, options, "num_heads", 8),
        "encoder_blocks": _count(lft_state, r"classifier\.stack\.layers\.(\d{1,6})\.") // 2,
        "n_class": _take(source, lft_state, "", "classifier.linear.bias", dims=1).shape[0],
    }
    lft = _build(source, LFT, lft_state, "", sizes, layers=None if len(used) == n_layer else used)
    classifier = PublishedClassifier(
        backbone,
        lft,
        kind=_single_option(source, options, "query", "gate", KINDS),
        statistic=_single_option(source, options, "reduce", "std", STATISTICS),
        window=window,
        channels=channels,
        steps=steps,
        rescale=bool(options.get("rescale", False)),
        parts="reference" if parts is None else parts,
        noise="none" if hyper.get("fwd_with_noise") is None else "scaled",  # its evaluation sets the noise to zero
    )
    return classifier.eval()


def load_published(checkpoint: Path | str | Mapping, weights: str = "ema") -> SSMDP | PublishedClassifier:
    """Make whichever of the two a published checkpoint holds.

    Args:
        checkpoint: path of a Lightning checkpoint, or a state dict whose names may carry a prefix.
        weights: ``ema`` or ``online``.

    Returns:
        the backbone or the classifier, in evaluation mode.

    Raises:
        InputError: not such a file; weights are missing, unknown or misshapen (all named); an option is not supported.
    """
    _, state, _ = _open(checkpoint, weights)
    classifier = any(name.startswith(("extractor.", "decoder.", "classifier.")) for name in state)
    return (load_published_classifier if classifier else load_published_backbone)(checkpoint, weights)


def _open(checkpoint: Path | str | Mapping, weights: str) -> tuple[str, dict[str, Tensor], dict]:
    """Return a name for messages, the chosen weights without their prefix, and the hyper-parameters."""
    if weights not in PREFIXES:
        raise InputError(f"weights: must be one of {', '.join(PREFIXES)} (found {weights!r})")
    bare = isinstance(checkpoint, Mapping) and "state_dict" not in checkpoint
    if isinstance(checkpoint, Mapping):
        source, document = "checkpoint", {"state_dict": checkpoint} if bare else checkpoint
    else:
        source, document = str(checkpoint), read_checkpoint(Path(checkpoint))
    state = {name: value for name, value in document["state_dict"].items() if isinstance(value, Tensor)}
    hyper = _section(source, document, "hyper_parameters")
    present = [prefix for prefix in PREFIXES.values() if any(name.startswith(prefix) for name in state)]
    if not present:
        return source, state, hyper
    chosen = present[0] if bare and len(present) == 1 else PREFIXES[weights]
    known = (*PREFIXES.values(), "ema.online_model.")
    strange = [name for name in state if not name.startswith(known) and name not in ("ema.initted", "ema.step", *_LOSS)]
    if strange or chosen not in present:
        problem = f"unknown weights: {_listed(strange)}" if strange else f"missing weights: none under {chosen}*"
        raise InputError(f"{source}: {problem}")
    return source, {n.removeprefix(chosen): value for n, value in state.items() if n.startswith(chosen)}, hyper


def _backbone(source: str, state: dict[str, Tensor], noise: Mapping, prefix: str = "") -> SSMDP:
    embed = _take(source, state, prefix, "t_embed_in.0.weight", dims=2)
    sizes = {
        "d_model": _take(source, state, prefix, "in_layer.0.weight", dims=2).shape[0],
        "d_state": 2 * _take(source, state, prefix, "layers.0.layer.kernel.A_real", dims=2).shape[1],
        "n_layer": _count(state, r"layers\.(\d{1,6})\."),
        "d_cond": embed.shape[0],
        "d_cond_embed": embed.shape[1],
        "n_class": _take(source, state, prefix, "label_embed.weight", dims=2).shape[0],
    }
    if embed.shape[1] % 2:
        raise InputError(f"{source}: d_cond_embed: must be even (found {embed.shape[1]})")
    if "num_train_timesteps" in noise:
        sizes["num_train_timesteps"] = noise["num_train_timesteps"]
    schedule = _single_option(source, noise, "beta_schedule", SCHEDULES[0], SCHEDULES, "noise_sch_kwargs")
    return _build(source, SSMDP, state, prefix, sizes, beta_schedule=schedule).eval()


def _build[M: nn.Module](
    source: str, model: Callable[..., M], state: dict[str, Tensor], prefix: str, sizes: Mapping, **options: Any
) -> M:
    """Make a model of these sizes with weights, once both are known to fit: a crafted size allocates nothing."""
    for name, size in sizes.items():
        low, high = _SIZES[name]
        if type(size) is not int or not low <= size <= high:
            raise InputError(f"{source}: {name}: must be from {low} to {high} (found {size!r:.40})")
    try:
        with torch.device("meta"):
            outline = model(**sizes, **options)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    _check_weights(source, outline.state_dict(), state, prefix)
    filled = model(**sizes, **options)
    filled.load_state_dict(state)
    return filled


def _check_weights(source: str, wanted: Mapping[str, Tensor], state: dict[str, Tensor], prefix: str) -> None:
    """Refuse weights with the names of all that are missing, unknown, misshapen or not finite."""
    shared = wanted.keys() & state.keys()
    misshapen = {name for name in shared if wanted[name].shape != state[name].shape}
    problems = {
        "missing": wanted.keys() - state.keys(),
        "unknown": state.keys() - wanted.keys(),
        "misshapen": misshapen,
        "not finite": {name for name in shared - misshapen if not torch.isfinite(state[name]).all()},
    }
    lines = [
        f"{kind} weights: {_listed(prefix + name for name in sorted(names))}"
        for kind, names in problems.items()
        if names
    ]
    if lines:
        raise InputError(f"{source}: {'; '.join(lines)}")


def _listed(names: Iterable[str]) -> str:
    """Return names for a message, of a length that people read."""
    listed = [name[:80] for name in names]
    return ", ".join(listed[:20]) + (f" and {len(listed) - 20} more" if len(listed) > 20 else "")


def _take(source: str, state: dict[str, Tensor], prefix: str, name: str, dims: int | None = None) -> Tensor:
    """Return the weights that a size is read from."""
    if name not in state:
        raise InputError(f"{source}: missing weights: {prefix}{name}")
    if dims is not None and state[name].dim() != dims:
        raise InputError(f"{source}: misshapen weights: {prefix}{name}, must have {dims} dimensions")
    return state[name]


def _count(names: Mapping, pattern: str) -> int:
    """Return one more than the largest index that names carry."""
    return 1 + max((int(match[1]) for name in names if (match := re.match(pattern, name))), default=-1)


def _section(source: str, document: Mapping, name: str) -> dict:
    """Return a mapping of the hyper-parameters; an empty one where there is none."""
    section = document.get(name)
    if not isinstance(section, Mapping | None):
        raise InputError(f"{source}: {name}: must be a mapping (found a {type(section).__name__})")
    return dict(section or {})


def _single_option(
    source: str, options: Mapping, name: str, default: str, admitted: Sequence[str], section: str = "model_kwargs"
) -> str:
    """Return an option that is a name or a list of one."""
    value = options.get(name, default)
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) != 1 or values[0] not in admitted:
        raise InputError(f"{source}: {section}.{name}: must be one of {', '.join(admitted)} (found {value!r:.80})")
    return values[0]


def _whole_option(source: str, options: Mapping, name: str, default: int) -> int:
    """Return an option that is a whole number; None stands for the default."""
    value = options.get(name)
    value = default if value is None else value
    low, high = _SIZES.get(name, (-_MOST_LAYERS, _MOST_LAYERS))
    if type(value) is not int or not low <= value <= high:
        raise InputError(
            f"{source}: model_kwargs.{name}: must be a whole number from {low} to {high} (found {value!r:.80})"
        )
    return value


def _check_indices(source: str, name: str, values: Tensor, stop: int, count: int | None = None) -> None:
    """Check that a buffer has whole numbers below a limit, as many as there are channels."""
    whole = not values.is_floating_point() and values.dtype != torch.bool and 0 < len(values) <= _SIZES["n_channel"][1]
    if not whole or count not in (None, len(values)) or not 0 <= int(values.min()) <= int(values.max()) < stop:
        raise InputError(f"{source}: {name}: must be whole numbers from 0 to {stop - 1}, one for each channel")


def _check_options(source: str, options: Mapping, rules: Mapping) -> None:
    for name, value in rules.items():
        if name in options and options[name] != value:
            raise InputError(f"{source}: model_kwargs.{name}: only {value!r} is supported (found {options[name]!r})")
