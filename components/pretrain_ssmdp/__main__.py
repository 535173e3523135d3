"""Pretrain an SSMDP backbone and generate EEG with it: ``python -m components.pretrain_ssmdp --backbone base``."""

from components.pretrain_ssmdp.settings import PretrainSSMDP
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.events.training.pretraining_settings import BackboneVariant


@stage("pretrain_ssmdp")
def main(run: Stage) -> None:
    """Pretrain the backbone, log its figures and publish the model."""
    settings = run.settings(PretrainSSMDP)
    hardware = run.settings(Hardware, "hardware")
    variant = run.settings(BackboneVariant, f"backbones.{run.item['backbone']}")
    with loading_modules():
        import mlflow

        from components.pretrain_ssmdp.compute import compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.events.figures import eeg_figures
        from eegdiffusion.events.serving import ssmdp_pyfunc
        from eegdiffusion.events.store.window_store import Store
    path, out, reference = run.input("store"), run.output("ssmdp"), run.output("reference")
    store = Store(path)
    data = [Data(f"{store.corpus} pretraining samples", path, context) for context in ("training", "validation")]
    with tracked(run, settings, variant, hardware, title="SSMDP", corpus=store.corpus, data=data) as logger:
        trained = compute(store, settings, variant, hardware, out, run.work, logger)
        if trained is None:
            return
        logger.drain()
        mlflow.log_artifacts(out)
        title = f"Real and generated EEG ({store.corpus} data)"
        figure = eeg_figures.traces(trained.real, trained.generated, trained.channels, store.sfreq, title)
        mlflow.log_figure(figure, "generated.png")
        metrics = {"validation_loss": trained.validation_loss, "parameters": trained.parameters}
        model = log_model.log(ssmdp_pyfunc, "ssmdp", out, metrics)
        log_model.write_reference(reference, out, logger.run_id, model)


if __name__ == "__main__":
    main()
