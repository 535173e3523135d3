"""The plain formulas of SSMDP and LFT: what tests compare the models with and benchmarks measure them against."""

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
