"""Take an image generator, or train a small one: ``python -m components.prepare_generator --generation NAME``.

The latent of each image of the corpus is computed here, once; what is trained upon the generator reads it.
"""

from components.prepare_generator.settings import PrepareGenerator
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.features.image_features import NetworkName


@stage("prepare_generator")
def main(run: Stage) -> None:
    """Read settings and inputs, track the run, compute, draw."""
    settings, hardware = run.settings(PrepareGenerator), run.settings(Hardware, "hardware")
    network = run.settings(NetworkName, "embed_images.model"), run.settings(str | None, "embed_images.source")
    with loading_modules():
        import mlflow

        from components.prepare_generator.compute import compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.features.image_features import ImageFeatures
        from eegdiffusion.images.figures.generator_figures import draw_generator
        from eegdiffusion.images.generation.generator_images import images_with_files
    folder, store = run.input("pictures"), EpochStore(run.input("store"))
    features = ImageFeatures(run.input("features"), store.description.fingerprint)
    known = images_with_files(store)
    out, latents, reference = run.output("generator"), run.output("latents"), run.output("reference")
    corpus = store.description.corpus
    data = [Data(f"{corpus} images", store.path, "training"), Data("images of the generator", folder, "training")]
    with tracked(run, settings, hardware, title="image generator", corpus=corpus, data=data) as _:
        prepared = compute(
            store, known, features, folder, settings, (*network, settings.download), hardware, out, latents, run.work,
            leader=run.is_rank_zero,
        )  # fmt: skip
        if prepared is None:
            return
        mlflow.log_metrics(prepared.losses)
        for name, figure in draw_generator(out).items():
            mlflow.log_figure(figure, f"figures/{name}.png")
        log_model.write_reference(reference, out, mlflow.active_run().info.run_id, None)


if __name__ == "__main__":
    main()
