"""Make pictures from held-out EEG and score them: ``python -m components.reconstruct --study NAME``."""

import pandas
import torch

from components.reconstruct.arms import condiffusion_arms, sgdm_arms
from components.reconstruct.settings import Reconstruct
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.core.training.settings import Accelerator
from eegdiffusion.images.condiffusion.condiffusion_sampling import load_pictures
from eegdiffusion.images.encoders.trained_classifier import open_classifier
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.generation.generation_config import encoder_folder
from eegdiffusion.images.generation.generator import load_generator
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.metrics.metric_networks import load_networks
from eegdiffusion.images.metrics.reconstruction_scores import Context
from eegdiffusion.images.metrics.reconstructions import Reconstructions
from eegdiffusion.images.metrics.score_reconstructions import score
from eegdiffusion.images.serving.encoder_pyfunc import ENCODER
from eegdiffusion.images.sgdm.sgdm import load_sgdm
from eegdiffusion.images.structure.structure_maps import StructureMaps


def items_of(data: PairedEpochs, images: pandas.DataFrame) -> pandas.DataFrame:
    """Subject, image and concept of each item."""
    table = data.table[["subject", "image"]]
    return table.assign(concept=images["concept"].to_numpy()[table["image"]])


@stage("reconstruct")
def main(run: Stage) -> None:
    keep_freed_memory()
    settings, device = run.settings(Reconstruct), device_of(run.settings(Accelerator, "hardware.accelerator"))
    seed = run.settings(list[int], "matrix.seeds")[0]
    store = EpochStore(run.input("store"))
    features_path, generator_path, out = run.input("features"), run.input("generator"), run.output("reconstructions")
    description = store.description
    features = ImageFeatures(features_path, description.fingerprint)
    structure = StructureMaps(features_path, description.fingerprint)
    latents = ImageLatents(run.input("latents"), description.fingerprint)
    average = settings.repetitions or ALL
    test = latents.known & (store.images["split"] == "test").to_numpy()
    subjects = sorted(store.index["subject"].unique())
    sgdm = load_sgdm(run.input("controlnet"), load_generator(generator_path).to(device))
    unseen = PairedEpochs(store.epochs(None, None, average, average), {}, subjects, wanted=test)
    truth = torch.from_numpy(structure[unseen.table["image"].to_numpy()])
    systems = {"sgdm": (unseen, *sgdm_arms(sgdm, unseen, truth, settings))}
    classifier = open_classifier(encoder_folder(run.input("classifier"), seed), store, latents.known)
    known = classifier.pairs.part("test", average, draws=1, plain=True)
    pictures = load_pictures(run.input("condiffusion"), generator_path, classifier.folder / ENCODER, classifier.folder)
    systems["condiffusion"] = (known, condiffusion_arms(pictures.to(device), known, settings), {})
    networks = load_networks(settings.metrics, device)
    for system, (data, arms, maps) in systems.items():
        items, made = items_of(data, store.images), dict(arms)
        seen = latents.pictures[items["image"].to_numpy()]
        found = Reconstructions(items, seen, made, {title: values.numpy() for title, values in maps.items()})
        found.write(out / system)
        index = store.index[store.index["image"].isin(items["image"])]
        available = int(index.groupby(["subject", "image"]).size().min())
        context = Context(
            corpus=description.corpus,
            layout=description.layout,
            warnings=description.warnings,
            repetitions=min(average, available),
            seeds=list(range(settings.seed, settings.seed + settings.samples)),
            training_seeds=[seed],
            aligned_with=features.description.model,
            selection="validation",
        )
        scores = score(seen, made, items, networks, context, settings.metrics.ways, settings.metrics.top, device)
        scores.write(out / system)


if __name__ == "__main__":
    main()
