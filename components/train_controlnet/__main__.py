"""Train the ControlNet of SGDM: ``python -m components.train_controlnet --study NAME``."""

from components.train_controlnet.settings import TrainControlNet
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware


@stage("train_controlnet")
def main(run: Stage) -> None:
    """Read settings and inputs, track the run, compute, draw, publish."""
    settings, hardware = run.settings(TrainControlNet), run.settings(Hardware, "hardware")
    seed = run.settings(list[int], "matrix.seeds")[0]
    with loading_modules():
        from components.train_controlnet.compute import ControlNetInputs, compute
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.images.encoders.training_folders import joint_training_folder
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.features.image_features import ImageFeatures
        from eegdiffusion.images.figures.sgdm_figures import draw_sgdm
        from eegdiffusion.images.generation.image_latents import ImageLatents
        from eegdiffusion.images.serving import sgdm_pyfunc
        from eegdiffusion.images.structure.structure_maps import StructureMaps
    store, features_path, latents_path = EpochStore(run.input("store")), run.input("features"), run.input("latents")
    fingerprint, corpus = store.description.fingerprint, store.description.corpus
    inputs = ControlNetInputs(
        store,
        ImageFeatures(features_path, fingerprint).features,
        StructureMaps(features_path, fingerprint),
        ImageLatents(latents_path, fingerprint),
        encoder=joint_training_folder(run.input("encoders"), seed),
        generator=run.input("generator"),
        predictor=run.input("structure"),
    )
    out, reference = run.output("controlnet"), run.output("reference")
    data = [Data(f"{corpus} epochs", store.path, "training"), Data(f"{corpus} latents", latents_path, "training")]
    with tracked(run, settings, hardware, title="SGDM ControlNet", corpus=corpus, data=data) as logger:
        trained = compute(inputs, settings, hardware, out, run.work, run.is_rank_zero, logger)
        if trained is None:
            return
        log_model.publish(
            sgdm_pyfunc, "sgdm-controlnet", out, reference, trained.metrics, trained.warnings, draw_sgdm(out)
        )


if __name__ == "__main__":
    main()
