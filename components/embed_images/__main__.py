"""Compute frozen features of a corpus's images: ``python -m components.embed_images --corpus NAME``."""

from components.embed_images.settings import EmbedImages
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Accelerator


@stage("embed_images")
def main(run: Stage) -> None:
    """Compute features and structure maps, and track the run."""
    settings, accelerator = run.settings(EmbedImages), run.settings(Accelerator, "hardware.accelerator")
    with loading_modules():
        from components.embed_images.compute import compute
        from eegdiffusion.core.training.device import device_of
        from eegdiffusion.core.training.memory import keep_freed_memory
        from eegdiffusion.images.epochs.epoch_store import EpochStore
    keep_freed_memory()
    root, store = run.input("corpus"), EpochStore(run.input("store"))
    embedded = compute(store, settings, run.output("features"), device_of(accelerator))
    if not embedded.present:
        # EEGCVPR40's images are ImageNet's: its EEG can be classified without them.
        absent = f"none of its {embedded.total} images is there"
        say(f"WARNING: {root}: {absent}: there are no features to align EEG with")
        return
    computed = f"{embedded.width} features of {settings.model}, structure: {embedded.kind}"
    say(f"{store.description.corpus}: {embedded.present} of {embedded.total} images, {computed}")


if __name__ == "__main__":
    main()
