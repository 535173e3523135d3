"""Make images from held-out EEG by SGDM and score them: ``python -m components.reconstruct_sgdm --study NAME``."""

from components.reconstruct_sgdm.settings import ReconstructSGDM
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Accelerator


@stage("reconstruct_sgdm")
def main(run: Stage) -> None:
    """Read settings and inputs, compute, and log the scores of all arms."""
    settings, accelerator = run.settings(ReconstructSGDM), run.settings(Accelerator, "hardware.accelerator")
    seed = run.settings(list[int], "matrix.seeds")[0]
    with loading_modules():
        from components.reconstruct_sgdm.compute import ReconstructionInputs, compute
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.core.training.device import device_of
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.features.image_features import ImageFeatures
        from eegdiffusion.images.generation.image_latents import ImageLatents
        from eegdiffusion.images.structure.structure_maps import StructureMaps
    store, features_path = EpochStore(run.input("store")), run.input("features")
    fingerprint = store.description.fingerprint
    inputs = ReconstructionInputs(
        store,
        ImageFeatures(features_path, fingerprint),
        StructureMaps(features_path, fingerprint),
        ImageLatents(run.input("latents"), fingerprint),
        generator=run.input("generator"),
        controlnet=run.input("controlnet"),
        training_seed=seed,
    )
    corpus, out = store.description.corpus, run.output("reconstructions")
    data = [Data(f"{corpus} epochs", store.path, "testing")]
    with tracked(run, settings, title="images from EEG by SGDM", corpus=corpus, data=data) as logger:
        scores = compute(inputs, settings, device_of(accelerator), run.work, out)
        if logger:
            logger.log_metrics(scores.means())


if __name__ == "__main__":
    main()
