"""Cache latent tokens: ``python -m components.cache_latents --latents base``."""

import os
import shutil
from dataclasses import asdict

import numpy as np
import pandas
import torch
from tqdm import tqdm

from components.cache_latents.settings import CacheLatents
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.storage.splits import SPLITS
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Accelerator
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.store import latent_cache
from eegdiffusion.events.store.window_store import Store


@stage("cache_latents")
def main(run: Stage) -> None:
    settings = run.settings(CacheLatents)
    device = device_of(run.settings(Accelerator, "hardware.accelerator"))
    latents = run.settings(Latents, f"latents.{run.item['latents']}")
    store, backbone_path, out = Store(run.input("store")), run.input("backbone"), run.output("cache")
    backbone, embedded = signal_transform.load(backbone_path)
    backbone.to(device)
    rows = []
    for split in SPLITS:
        windows = store.event_windows(split)
        distinct, window = windows.distinct()
        rows.append(pandas.DataFrame({"split": split, "window": window, "label": windows.labels}))
        with tqdm(total=len(distinct), desc=f"{split} latents", unit="window") as bar:
            for number, members in latent_cache.shards(len(distinct)):
                path = run.work / latent_cache.shard_name(split, number)
                if not path.exists():
                    noise = torch.Generator().manual_seed(number)
                    codes = []
                    for first in range(0, len(members), settings.batch_size):
                        batch = windows.__getitems__(distinct[members[first : first + settings.batch_size]].tolist())
                        signals = torch.from_numpy(batch["signal"]).to(device)
                        # Ingestion has reported flat electrodes; a corpus keeps its bad windows.
                        tokens = signal_transform.tokens(backbone, embedded, latents, signals, noise, check=False)
                        tokens = tokens.cpu().numpy()
                        codes.append(latent_cache.encode(tokens, latents.codec))
                        bar.update(len(tokens))
                    latent_cache.write_shard(path, np.concatenate(codes))
    recipe = latent_cache.make_recipe(asdict(latents), backbone_path, store.fingerprint)
    latent_cache.write_index(run.work, recipe, pandas.concat(rows))
    shutil.copytree(backbone_path, run.work / "backbone", dirs_exist_ok=True)
    os.replace(run.work, out)


if __name__ == "__main__":
    main()
