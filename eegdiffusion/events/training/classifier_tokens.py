"""Tokens of the splits that an LFT is trained and tested on: cached ones, or ones that are drawn at every pass."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from eegdiffusion.core.training.classification import probabilities
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.store.latent_cache import LatentCache, make_recipe
from eegdiffusion.events.store.window_store import Store
from eegdiffusion.events.training.drawn_tokens import DrawnTokens, drawn_probabilities


def open_tokens(path: Path, latents: Latents, store: Store, *splits: str) -> list[LatentCache | DrawnTokens]:
    """Open splits of a latent cache, and check that it holds these latents of this store.

    Args:
        path: folder of the cache.
        latents: what it is expected to hold; with the noise ``random`` it holds the backbone, and no tokens.
        store: window store that it is expected to be of.
        *splits: names of splits.

    Raises:
        InputError: the cache was made by another recipe; the message names the fields.
    """
    recipe = make_recipe(asdict(latents), path / "backbone", store.fingerprint, store.montage.ids)
    caches = [LatentCache(path, split, recipe) for split in splits]
    if latents.noise != "random":
        return list(caches)
    return [
        DrawnTokens(store.event_windows(split), cache.labels, path / "backbone", latents, store.montage.ids)
        for split, cache in zip(splits, caches, strict=True)
    ]


def classify_tokens(
    lft: LFT,
    tokens: LatentCache | DrawnTokens,
    batch_size: int,
    device: torch.device,
    seed: int,
    missing_pools: bool = False,
) -> Tensor:
    """Classify a whole split in order.

    Args:
        lft: the classifier.
        tokens: tokens of the split.
        batch_size: windows that go through the LFT at once.
        device: where it runs.
        seed: seed of the noise where it is drawn.
        missing_pools: admit tokens with fewer pools than the LFT has.

    Returns:
        (windows, classes) float32 on the CPU, rows summing to 1 unless windows are of several classes.
    """
    if isinstance(tokens, DrawnTokens):
        return drawn_probabilities(lft, tokens, batch_size, device, seed)
    multi_label = tokens.labels.ndim == 2
    return probabilities(lft, tokens, "tokens", batch_size, device, multi_label, missing_pools=missing_pools)
