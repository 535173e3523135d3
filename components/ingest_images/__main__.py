"""Cut the epochs of a corpus of images and EEG: ``python -m components.ingest_images --corpus NAME``."""

from components.ingest_images.settings import Epoching, ImageCorpus, IngestImages
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage


@stage("ingest_images")
def main(run: Stage) -> None:
    """Cut the epochs of every subject and track the run."""
    settings, entry = run.settings(IngestImages), run.settings(ImageCorpus, f"image_corpora.{run.item['corpus']}")
    cutting = run.settings(Epoching, f"epochs.{entry.epochs}")
    with loading_modules():
        from components.ingest_images.compute import compute
    run.input("corpus")  # is the entry's root
    ingested = compute(entry, settings, cutting, run.output("store"), run.shared_work)
    description, index = ingested.description, ingested.index
    shape = f"{len(description.channels)} channels and {len(description.times)} samples"
    counted = f"{len(ingested.subjects)} subjects, {len(index)} epochs of {shape}, {len(ingested.images)} images"
    say(f"{description.corpus}: {counted}")
    say(*index.groupby(["split", "subject"]).size().unstack(fill_value=0).to_string().split("\n"))
    for warning in description.warnings:
        say(f"WARNING: {warning}")


if __name__ == "__main__":
    main()
