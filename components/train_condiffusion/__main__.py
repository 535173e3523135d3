"""Train EEG-ConDiffusion: ``python -m components.train_condiffusion --study NAME``."""

from components.train_condiffusion.settings import TrainConDiffusion
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.generation.studies import ConDiffusionStudy


@stage("train_condiffusion")
def main(run: Stage) -> None:
    """Read settings and inputs, track the run, compute, draw, publish."""
    settings, hardware = run.settings(TrainConDiffusion), run.settings(Hardware, "hardware")
    seed = run.settings(list[int], "matrix.seeds")[0]
    with loading_modules():
        from components.train_condiffusion.compute import compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.images.encoders.trained_classifier import open_classifier
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.figures.condiffusion_figures import draw_condiffusion
        from eegdiffusion.images.generation.image_latents import ImageLatents
        from eegdiffusion.images.serving import condiffusion_pyfunc
    study = run.settings(ConDiffusionStudy, f"condiffusion.{run.item['study']}")
    store, latents_path, generator = EpochStore(run.input("store")), run.input("latents"), run.input("generator")
    folder = study.training(run.input("classifier"), seed)
    out, reference = run.output("model"), run.output("reference")
    latents = ImageLatents(latents_path, store.description.fingerprint)
    classifier = open_classifier(folder, store, latents.known)
    corpus = store.description.corpus
    data = [Data(f"{corpus} epochs", store.path, "training"), Data(f"{corpus} latents", latents_path, "training")]
    with tracked(run, settings, hardware, title="EEG-ConDiffusion", corpus=corpus, data=data) as logger:
        trained = compute(
            store, latents, classifier, generator, settings, hardware, out, run.work, run.is_rank_zero, logger
        )
        if trained is None:
            return
        figures = draw_condiffusion(out)
        log_model.publish(
            condiffusion_pyfunc, "condiffusion", out, reference, trained.metrics, trained.warnings, figures
        )


if __name__ == "__main__":
    main()
