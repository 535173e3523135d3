"""Train and test the LFT as one row of an ablation: ``python -m components.ablate_lft --row fusion_mean``."""

from components.ablate_lft.settings import AblationRow, LFTTraining
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.models.latent_settings import Latents, check_corpus


@stage("ablate_lft")
def main(run: Stage) -> None:
    """Train and test the row over all seeds, track the runs and log the learning curves."""
    key = run.item["row"]
    row = run.settings(AblationRow, f"ablations.{key}")
    settings, hardware = run.settings(LFTTraining, "finetune_lft"), run.settings(Hardware, "hardware")
    seeds = run.settings(list[int], "matrix.seeds")
    latents = run.settings(Latents, f"latents.{row.latents}")
    with loading_modules():
        import mlflow

        from components.ablate_lft.compute import compute, row_training
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.events.store.window_store import Store
    check_corpus(row.latents, latents, settings.corpus)
    settings = row_training(key, row, settings)
    cache, store = run.input("cache"), Store(run.input("store"))
    out = run.output("row")
    data = [Data(f"{store.corpus} latent tokens", cache, use) for use in ("training", "testing")]
    with tracked(run, settings, latents, hardware, title="LFT ablation", corpus=store.corpus, data=data) as logger:
        if run.is_rank_zero:
            mlflow.set_tags({"ablation.family": row.family, "ablation.row": row.name})
        compute(store, cache, latents, key, settings, seeds, hardware, out, run.work, logger)


if __name__ == "__main__":
    main()
