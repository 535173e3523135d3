"""Train a structural VAE and predict structure from EEG: ``python -m components.train_structural_vae``."""

from components.train_structural_vae.settings import TrainStructuralVAE
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware


@stage("train_structural_vae")
def main(run: Stage) -> None:
    """Read settings and inputs, track the run, compute, draw, publish."""
    settings, hardware = run.settings(TrainStructuralVAE), run.settings(Hardware, "hardware")
    with loading_modules():
        from components.train_structural_vae.compute import compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.figures.structure_figures import draw_structural_vae
        from eegdiffusion.images.serving import structure_pyfunc
        from eegdiffusion.images.structure.structure_maps import StructureMaps
        from eegdiffusion.images.structure.structure_training import image_splits
    store, features_path = EpochStore(run.input("store")), run.input("features")
    out, reference = run.output("structure"), run.output("reference")
    maps = StructureMaps(features_path, store.description.fingerprint)
    split = image_splits(store, f"sgdm.{run.item['study']}.corpus")
    corpus = store.description.corpus
    data = [Data(f"{corpus} epochs", store.path, context) for context in ("training", "testing")]
    data.append(Data(f"{corpus} structure maps", features_path, "training"))
    with tracked(run, settings, hardware, title="structural VAE", corpus=corpus, data=data) as logger:
        trained = compute(store, maps, split, settings, hardware, out, run.work, run.is_rank_zero, logger)
        if trained is None:
            return
        logger.drain()
        figures = draw_structural_vae(out)
        log_model.publish(
            structure_pyfunc, "structural-vae", out, reference, trained.metrics, trained.warnings, figures
        )


if __name__ == "__main__":
    main()
