"""Make images from EEG by EEG-ConDiffusion: ``python -m components.reconstruct_condiffusion --study NAME``."""

from components.reconstruct_condiffusion.settings import ReconstructConDiffusion
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Accelerator
from eegdiffusion.images.generation.studies import ConDiffusionStudy


@stage("reconstruct_condiffusion")
def main(run: Stage) -> None:
    """Read settings and inputs, compute, and log the scores of all arms."""
    settings, accelerator = run.settings(ReconstructConDiffusion), run.settings(Accelerator, "hardware.accelerator")
    seed = run.settings(list[int], "matrix.seeds")[0]
    with loading_modules():
        from components.reconstruct_condiffusion.compute import ReconstructionInputs, compute
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.core.training.device import device_of
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.generation.image_latents import ImageLatents
    study = run.settings(ConDiffusionStudy, f"condiffusion.{run.item['study']}")
    store = EpochStore(run.input("store"))
    inputs = ReconstructionInputs(
        store,
        ImageLatents(run.input("latents"), store.description.fingerprint),
        generator=run.input("generator"),
        condiffusion=run.input("condiffusion"),
        classifier=study.training(run.input("classifier"), seed),
        training_seed=seed,
    )
    corpus, out = store.description.corpus, run.output("reconstructions")
    data = [Data(f"{corpus} epochs", store.path, "testing")]
    with tracked(run, settings, title="images from EEG by EEG-ConDiffusion", corpus=corpus, data=data) as logger:
        scores = compute(inputs, settings, device_of(accelerator), run.work, out)
        if logger:
            logger.log_metrics(scores.means())


if __name__ == "__main__":
    main()
