"""Test the trained LFTs on other latents: ``python -m components.test_lft --row rate_190_Hz_physical_convention``."""

from components.test_lft.settings import LFTTest
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Accelerator
from eegdiffusion.events.models.latent_settings import Latents, check_corpus


@stage("test_lft")
def main(run: Stage) -> None:
    """Test the LFTs of all seeds and track the run."""
    key = run.item["row"]
    row = run.settings(LFTTest, f"lft_tests.{key}")
    corpus, batch_size = (
        run.settings(Name, "finetune_lft.corpus"),
        run.settings(int, "finetune_lft.optimisation.batch_size"),
    )
    accelerator = run.settings(Accelerator, "hardware.accelerator")
    seeds = run.settings(list[int], "matrix.seeds")
    latents = run.settings(Latents, f"latents.{row.latents}")
    with loading_modules():
        import mlflow

        from components.test_lft.compute import compute
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.core.training.device import device_of
        from eegdiffusion.events.store.window_store import Store
    check_corpus(row.latents, latents, corpus)
    lft, cache, store = run.input("lft"), run.input("cache"), Store(run.input("store"))
    out = run.output("row")
    data = [Data(f"{store.corpus} latent tokens", cache, "testing")]
    with tracked(run, row, latents, title="LFT test", corpus=store.corpus, data=data) as logger:
        if logger:
            mlflow.set_tags({"ablation.family": row.family, "ablation.row": row.name})
        compute(store, cache, latents, key, lft, seeds, batch_size, device_of(accelerator), out, logger)


if __name__ == "__main__":
    main()
