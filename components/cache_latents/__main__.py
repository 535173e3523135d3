"""Cache latent tokens: ``python -m components.cache_latents --latents base``."""

from components.cache_latents.settings import CacheLatents
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Accelerator
from eegdiffusion.events.models.latent_settings import Latents


@stage("cache_latents")
def main(run: Stage) -> None:
    """Compute the tokens of every split and track the run."""
    settings = run.settings(CacheLatents)
    accelerator = run.settings(Accelerator, "hardware.accelerator")
    latents = run.settings(Latents, f"latents.{run.item['latents']}")
    with loading_modules():
        from components.cache_latents.compute import compute
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.core.training.device import device_of
        from eegdiffusion.events.store.window_store import Store
    store, backbone, out = Store(run.input("store")), run.input("backbone"), run.output("cache")
    data = [Data(f"{store.corpus} event windows", store.path, "inference")]
    with tracked(run, settings, latents, title="latents", corpus=store.corpus, data=data) as logger:
        shards = run.work / "shards"
        shards.mkdir(exist_ok=True)
        size = compute(store, backbone, settings, latents, device_of(accelerator), out, shards)
        if logger:
            logger.log_metrics(size)


if __name__ == "__main__":
    main()
