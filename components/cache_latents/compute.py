"""Takes the event windows of a corpus through a frozen backbone, and stores the pooled latents."""

import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas
import torch
from tqdm import tqdm

from components.cache_latents.settings import CacheLatents
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.storage.splits import SPLITS
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.signal_transform import SignalTransform
from eegdiffusion.events.models.ssmdp import SSMDP
from eegdiffusion.events.store import latent_cache
from eegdiffusion.events.store.window_store import EventWindows, Store


def encode_windows(
    windows: EventWindows,
    rows: np.ndarray,
    channel_ids: list[int],
    backbone: SSMDP,
    transform: SignalTransform,
    latents: Latents,
    batch_size: int,
    bar: tqdm,
) -> np.ndarray:
    """Compute and encode the tokens of some windows.

    Args:
        windows: event windows of a split.
        rows: (windows,), rows of it.
        channel_ids: number of each of their channels.
        backbone: frozen backbone, from :func:`.signal_transform.load`.
        transform: what the backbone's signals have to pass first, from the same function.
        latents: which latents, and how they are encoded.
        batch_size: windows that go through the backbone at once.
        bar: progress bar of windows.

    Returns:
        (windows, layers, pools, channels, width), encoded as ``latents.codec`` says.
    """
    codes = []
    for first in range(0, len(rows), batch_size):
        batch = windows.__getitems__(rows[first : first + batch_size].tolist())
        signals = torch.from_numpy(batch["signal"]).to(backbone.device)
        # Ingestion has reported flat electrodes; a corpus keeps its bad windows.
        tokens = signal_transform.tokens(backbone, transform, latents, signals, channels=channel_ids, check=False)
        codes.append(latent_cache.encode(tokens.cpu().numpy(), latents.codec))
        bar.update(len(tokens))
    return np.concatenate(codes)


def compute(
    store: Store,
    backbone_path: Path,
    settings: CacheLatents,
    latents: Latents,
    device: torch.device,
    out: Path,
    work: Path,
) -> dict[str, float]:
    """Write the latent cache of a corpus.

    Latents with the noise ``random`` are drawn anew at every pass: their cache holds the backbone and the index alone.

    Args:
        store: window store of the corpus.
        backbone_path: folder of the frozen backbone, which is copied into the cache.
        settings: how many windows go through it at once.
        latents: which latents, and how they are encoded.
        device: where the backbone runs.
        out: folder of the cache.
        work: folder of finished shards, from which an interrupted run goes on; it becomes ``out``.

    Returns:
        number of windows of each split, of distinct ones (``distinct_windows``), and size of the cache (``cache_mib``).
    """
    backbone, transform = signal_transform.load(backbone_path)
    signal_transform.check_channels(transform, store.montage, str(backbone_path))
    backbone.to(device)
    tables, computed = [], 0
    for split in SPLITS:
        windows = store.event_windows(split)
        distinct, window = windows.distinct()
        tables.append(pandas.DataFrame({"split": split, "window": window, "label": windows.labels}))
        if latents.noise == "random":
            continue
        computed += len(distinct)
        with progress(total=len(distinct), desc=f"{split} latents", unit="window") as bar:
            for number, members in latent_cache.shards(len(distinct)):
                path = work / latent_cache.shard_name(split, number)
                if not path.exists():
                    rows = distinct[members]
                    codes = encode_windows(
                        windows, rows, store.montage.ids, backbone, transform, latents, settings.batch_size, bar
                    )
                    latent_cache.write_shard(path, codes)
    recipe = latent_cache.make_recipe(asdict(latents), backbone_path, store.fingerprint, store.montage.ids)
    latent_cache.write_index(work, recipe, pandas.concat(tables))
    shutil.copytree(backbone_path, work / "backbone", dirs_exist_ok=True)
    os.replace(work, out)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    windows_of = {f"{table['split'].iloc[0]}_windows": float(len(table)) for table in tables if len(table)}
    return windows_of | {"distinct_windows": float(computed), "cache_mib": size / 2**20}
