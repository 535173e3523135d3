"""Probe cached latents: ``python -m components.probe_latents --latents base``."""

from components.probe_latents.settings import ProbeLatents
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.training.settings import Accelerator
from eegdiffusion.events.models.latent_settings import Latents, check_corpus


@stage("probe_latents")
def main(run: Stage) -> None:
    """Probe the latents of the LFT, track the run and log its figure."""
    settings = run.settings(ProbeLatents)
    accelerator = run.settings(Accelerator, "hardware.accelerator")
    name, corpus = run.item["latents"], run.settings(Name, "finetune_lft.corpus")
    latents = run.settings(Latents, f"latents.{name}")
    with loading_modules():
        import mlflow

        from components.probe_latents.compute import compute
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.core.training.device import device_of
        from eegdiffusion.events.figures.probe_figures import probe_curves
        from eegdiffusion.events.store.window_store import Store
    check_corpus(name, latents, corpus)
    cache, store, out = run.input("cache"), Store(run.input("store")), run.output("probes")
    recordings = read_parquet(run.input("index") / "recordings.parquet")
    subjects = recordings.set_index("recording")["subject"].to_dict()
    data = [Data(f"{store.corpus} latent tokens", cache, use) for use in ("training", "testing")]
    with tracked(run, settings, latents, title="probes of latents", corpus=store.corpus, data=data) as logger:
        table = compute(store, cache, subjects, settings, latents, device_of(accelerator), out)
        if logger:
            mlflow.log_artifacts(out)
            mlflow.log_figure(probe_curves(table, f"Probes of frozen features ({store.corpus} data)"), "probes.png")


if __name__ == "__main__":
    main()
