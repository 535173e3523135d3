"""Take an image generator: ``python -m components.prepare_generator --corpus NAME``.

The latent of each image of the corpus is computed here, once; what is trained upon the generator reads it.
"""

from components.prepare_generator.settings import PrepareGenerator
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Accelerator


@stage("prepare_generator")
def main(run: Stage) -> None:
    """Read settings and inputs, track the run, compute, draw."""
    settings, accelerator = run.settings(PrepareGenerator), run.settings(Accelerator, "hardware.accelerator")
    with loading_modules():
        import mlflow

        from components.prepare_generator.compute import compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.core.training.device import device_of
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.figures.generator_figures import draw_generator
    store, pipeline = EpochStore(run.input("store")), run.input("pipeline")
    out, latents, reference = run.output("generator"), run.output("latents"), run.output("reference")
    corpus = store.description.corpus
    data = [Data(f"{corpus} images", store.path, "encoding")]
    with tracked(run, settings, title="image generator", corpus=corpus, data=data) as _:
        compute(store, pipeline, settings, device_of(accelerator), out, latents)
        for name, figure in draw_generator(out).items():
            mlflow.log_figure(figure, f"figures/{name}.png")
        log_model.write_reference(reference, out, mlflow.active_run().info.run_id, None)


if __name__ == "__main__":
    main()
