"""The plain formulas of SSMDP, LFT and an encoder of EEG: what tests compare with and benchmarks measure against."""

import math

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear, multi_head_attention_forward, relu, silu


def naive_kernel(
    inv_dt: Tensor, A_real: Tensor, A_imag: Tensor, B: Tensor, C: Tensor, length: int, step_factor: float = 1.0
) -> Tensor:
    """S4D kernels as a complex Vandermonde product that is written out; arguments and result as ``s4d_kernel``."""
    dt = torch.exp(inv_dt) * step_factor
    A = torch.complex(-torch.exp(A_real), -A_imag)
    gain = torch.view_as_complex(B) * torch.view_as_complex(C) * (torch.exp(dt * A) - 1) / A
    steps = torch.arange(length, dtype=inv_dt.dtype, device=inv_dt.device)
    vandermonde = torch.exp((dt * A)[..., None] * steps)
    return 2 * torch.einsum("shn,hnl->hsl", gain, vandermonde).real


def naive_ssmdp(
    weights: dict[str, Tensor], x: Tensor, step: Tensor, channel: Tensor, step_factor: float = 1.0, kernel=naive_kernel
) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """SSMDP, formula by formula, on published parameter names.

    Returns:
        the velocity (B, 1, L), and per layer the latents gate, filter and inter, each (B, L, H).
    """
    w, length = weights, x.shape[-1]

    def apply(name: str, value: Tensor) -> Tensor:
        return linear(value, w[f"{name}.weight"], w[f"{name}.bias"])

    def embed(name: str, value: Tensor) -> Tensor:
        return silu(apply(f"{name}.2", silu(apply(f"{name}.0", value))))

    half = w["t_embed_in.0.weight"].shape[1] // 2
    phases = step[..., None] * torch.exp(-torch.arange(half) * math.log(10000) / (half - 1)).to(x)
    condition = embed("t_embed_in", torch.cat([phases.sin(), phases.cos()], -1))
    condition = condition + embed("label_embed_in", w["label_embed.weight"][channel])

    hidden, total, latents = relu(apply("in_layer.0", x.transpose(1, 2))), 0, []
    n_layer = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("layers."))
    for i in range(n_layer):
        layer = f"layers.{i}"
        norm = layer_norm(hidden, hidden.shape[-1:], w[f"{layer}.prenorm1.weight"], w[f"{layer}.prenorm1.bias"])
        drive = apply(f"{layer}.pre_layer", norm + apply(f"{layer}.cond_linear", condition)).transpose(1, 2)
        names = ("inv_dt", "A_real", "A_imag", "B", "C")
        forward, backward = kernel(*(w[f"{layer}.layer.kernel.{n}"] for n in names), length, step_factor).unbind(1)
        response = torch.cat([forward, backward.flip(-1)], -1)
        convolved = torch.fft.irfft(torch.fft.rfft(drive, n=2 * length) * torch.fft.rfft(response), n=2 * length)
        y = (convolved[..., :length] + w[f"{layer}.layer.D"].transpose(0, 1) * drive).transpose(1, 2)
        gate, filtered = y.chunk(2, -1)
        latent = {"gate": torch.sigmoid(gate), "filter": torch.tanh(filtered)}
        latent["inter"] = latent["gate"] * latent["filter"]
        latents.append(latent)
        total = total + apply(f"{layer}.linear_skip", latent["inter"])
        if i < n_layer - 1:
            hidden = apply(f"{layer}.linear_next", latent["inter"]) + hidden
    return apply("out_layer.2", relu(apply("out_layer.0", total))).transpose(1, 2), latents


def naive_tokens(weights: dict[str, Tensor], signals: Tensor, window: int, step: int = 1, **options) -> Tensor:
    """Tokens (std of the gate) of (B, C, L) signals of the whole montage, from full latents: (B, n, p, C, H)."""
    batch, channels, length = signals.shape
    channel = torch.arange(channels).repeat(batch)[:, None]
    rows = signals.reshape(-1, 1, length)
    _, latents = naive_ssmdp(weights, rows, torch.full_like(channel, step), channel, **options)
    pooled = torch.stack([latent["gate"].unflatten(1, (-1, window)).std(2) for latent in latents], 1)
    return pooled.unflatten(0, (batch, channels)).permute(0, 2, 3, 1, 4)


def naive_lft(weights: dict[str, Tensor], tokens: Tensor, num_heads: int) -> Tensor:
    """LFT by PyTorch's own attention, pool after pool: (B, n, p, C, H) -> (B, classes)."""
    w = weights

    def normed(stack: str, j: int, value: Tensor) -> Tensor:
        return layer_norm(value, value.shape[-1:], w[f"{stack}.norms.{j}.weight"], w[f"{stack}.norms.{j}.bias"])

    def attend(name: str, query: Tensor, memory: Tensor) -> Tensor:
        query, memory = query.transpose(0, 1), memory.transpose(0, 1)
        out, _ = multi_head_attention_forward(
            query, memory, memory, query.shape[-1], num_heads, w[f"{name}.in_proj_weight"], w[f"{name}.in_proj_bias"],
            None, None, False, 0.0, w[f"{name}.out_proj.weight"], w[f"{name}.out_proj.bias"], need_weights=False,
        )  # fmt: skip
        return out.transpose(0, 1)

    def mlp(name: str, value: Tensor) -> Tensor:
        hidden = torch.nn.functional.gelu(linear(value, w[f"{name}.0.weight"], w[f"{name}.0.bias"]))
        return linear(hidden, w[f"{name}.2.weight"], w[f"{name}.2.bias"])

    pools = []
    for p in range(tokens.shape[2]):
        x = w["decoder.cls_token"][0, :, p].expand(len(tokens), -1, -1)
        for i in range(tokens.shape[1]):
            block = f"decoder.tower.0.{i}"
            query = normed(block, 0, x)
            x = x + attend(f"{block}.layers.0", query, query)
            x = x + attend(f"{block}.layers.1", normed(block, 1, x), tokens[:, i, p])
            x = x + mlp(f"{block}.layers.2", normed(block, 2, x))
        pools.append(x)
    x = (torch.stack(pools, 1) + w["classifier.pos_embed"][:, 0]).flatten(1, 2)
    stack = "classifier.stack"
    for j in range(sum(name.startswith(f"{stack}.norms.") for name in w) // 2):
        query = normed(stack, j, x)
        x = x + (mlp(f"{stack}.layers.{j}", query) if j % 2 else attend(f"{stack}.layers.{j}", query, query))
    return linear(x.mean(1), w["classifier.linear.weight"], w["classifier.linear.bias"])


def _naive_direction(weights: dict[str, Tensor], name: str, steps: list[Tensor]) -> list[Tensor]:
    """One direction of one layer of an LSTM (Hochreiter and Schmidhuber 1997, with forget gates), a step at a time."""
    w_in, w_hidden, b_in, b_hidden = (
        weights[f"temporal.lstm.{kind}_{name}"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    hidden = cell = steps[0].new_zeros(len(steps[0]), w_hidden.shape[1])
    found = []
    for x in steps:
        enter, forget, new, out = (x @ w_in.T + b_in + hidden @ w_hidden.T + b_hidden).chunk(4, dim=1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        hidden = out.sigmoid() * cell.tanh()
        found.append(hidden)
    return found


def naive_spatiotemporal(weights: dict[str, Tensor], x: Tensor, step: int, layers: int, fields: int, parts: int):
    """The spatiotemporal encoder in training, without dropout and attention: LSTM step by step, convolutions by lags.

    Args:
        weights: of ``SpatioTemporal``, by name.
        x: (B, C, T); ``step`` divides T.
        step, layers, parts: see ``SpatioTemporal``.
        fields: number of its kernels.
    """
    steps = list(x.unflatten(2, (-1, step)).mean(3).unbind(2))
    for layer in range(layers):
        ahead = _naive_direction(weights, f"l{layer}", steps)
        back = _naive_direction(weights, f"l{layer}_reverse", steps[::-1])[::-1]
        steps = [torch.cat(pair, 1) for pair in zip(ahead, back, strict=True)]
    temporal = torch.stack(steps).mean(0)
    maps = []
    for k in range(fields):
        kernel, found = weights[f"spatial.fields.{k}.weight"], 0
        length, before = kernel.shape[2], (kernel.shape[2] - 1) // 2
        padded = torch.nn.functional.pad(x, (before, length - 1 - before))
        for lag in range(length):
            found = found + torch.einsum("fc,bct->bft", kernel[:, :, lag], padded[:, :, lag : lag + x.shape[2]])
        maps.append(found)
    found = torch.cat(maps, 1)
    mean, variance = found.mean((0, 2)), found.var((0, 2), unbiased=False)
    found = (found - mean[:, None]) / (variance[:, None] + 1e-5).sqrt()
    found = found * weights["spatial.norm.weight"][:, None] + weights["spatial.norm.bias"][:, None]
    found = torch.where(found > 0, found, found.exp() - 1)
    ends = [(k * x.shape[2] // parts, -(-(k + 1) * x.shape[2] // parts)) for k in range(parts)]
    spatial = torch.stack([found[:, :, start:stop].mean(2) for start, stop in ends], 2)
    joined = torch.cat([temporal, spatial.flatten(1)], 1)
    joined = joined @ weights["projection.0.weight"].T + weights["projection.0.bias"]
    gelu = joined * 0.5 * (1 + torch.erf(joined / 2**0.5))
    joined = joined + gelu @ weights["projection.1.linear.weight"].T + weights["projection.1.linear.bias"]
    centred = joined - joined.mean(1, keepdim=True)
    joined = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
    return joined * weights["projection.2.weight"] + weights["projection.2.bias"]
