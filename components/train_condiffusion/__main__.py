"""Train EEG-ConDiffusion: ``python -m components.train_condiffusion --study NAME``."""

import torch

from components.train_condiffusion import results
from components.train_condiffusion.settings import TrainConDiffusion
from eegdiffusion.core.observe.figures.style import save_figures
from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.condiffusion.condiffusion import Adaptation, make_condiffusion
from eegdiffusion.images.condiffusion.condiffusion_sampling import Pictures
from eegdiffusion.images.condiffusion.condiffusion_training import ConDiffusionTraining, cache_features, compare, spread
from eegdiffusion.images.encoders import encoder_results
from eegdiffusion.images.encoders.trained_classifier import open_classifier
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.generation.denoising_gain import denoising_gain
from eegdiffusion.images.generation.generation_config import encoder_folder
from eegdiffusion.images.generation.generator import load_generator
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.serving import condiffusion_pyfunc as serving

SPLITS = ("train", "validation", "test")


@stage("train_condiffusion")
def main(run: Stage) -> None:
    settings, hardware = run.settings(TrainConDiffusion), run.settings(Hardware, "hardware")
    seed = run.settings(list[int], "matrix.seeds")[0]
    store_path, latents_path, place = run.input("store"), run.input("latents"), run.input("generator")
    folder = encoder_folder(run.input("classifier"), seed)
    out, reference = run.output("model"), run.output("reference")
    store, device = EpochStore(store_path), device_of(hardware.accelerator)
    description = store.description
    latents = ImageLatents(latents_path, description.fingerprint)
    classifier = open_classifier(folder, store, latents.known)
    generator = load_generator(place, ip_adapter=False)
    before = {"unet": generator.unet, "vae": generator.vae, "eegconvnet": classifier.encoder}
    sizes = {name: sum(p.numel() for p in network.parameters()) for name, network in before.items()}
    torch.manual_seed(settings.seed)
    model = make_condiffusion(generator, classifier.encoder, settings.adaptation, settings.rank)
    classifier.encoder.requires_grad_(False).to(device)
    data = {
        split: cache_features(
            classifier.encoder, classifier.input, classifier.part(split), latents.latents, run.work / f"{split}.npy"
        )
        for split in SPLITS
    }
    model.projection.fit_scale(*spread(data["train"].features))
    module = ConDiffusionTraining(
        model, generator.unet, generator.scheduler, settings.denoising, settings.optimisation, settings.seed
    )
    inputs = [
        Data(f"{description.corpus} epochs", store_path, "training"),
        Data(f"{description.corpus} latents", latents_path, "training"),
    ]
    with tracked(run, settings, hardware, corpus=description.corpus, data=inputs) as logger:
        done = fit(
            module, data["train"], data["validation"], monitor="validation_loss", mode="min", hardware=hardware,
            work=run.work, logger=logger,
        )  # fmt: skip
        if not run.is_rank_zero:
            return
        losses = {split: compare(module, data[split], settings.draws, device) for split in ("validation", "test")}
        trained = model.trained()
        averaged = module.ema_model
        pictures = Pictures(generator, classifier.encoder, classifier.input, averaged).to(device)
        pictures.model.install(generator.unet)
        facts = {
            "corpus": description.corpus,
            "layout": description.layout,
            "warnings": description.warnings,
            "preprocessing": description.fingerprint,
            "split_hash": classifier.pairs.split_hash(),
            "split_rule": classifier.facts["split_rule"],
            "concepts": classifier.facts["concepts"],
            "repetitions": classifier.facts["repetitions"],
            "windows": len(data["test"]),
            "epochs": {split: len(part) for split, part in data.items()},
            "seed": settings.seed,
            "adaptation": settings.adaptation,
            "rank": settings.rank if settings.adaptation == "lora" else None,
            "image_size": generator.source.image_size,
            "parameters": sum(trained.values()),
            "trained": trained,
            "frozen": results.frozen(sizes, trained, settings.adaptation),
            "best_epoch": done.best_epoch,
        }
        metrics = denoising_gain(losses, data["test"].image)
        encoder_results.write_results(out, done.curves, facts, metrics)
        averaged.save(out, generator.unet, Adaptation(settings.adaptation, settings.rank, str(place), str(folder)))
        serving.write_sampling(out, settings.sampling)
        drawn = results.draw(pictures, classifier.part("test"), latents.pictures, done.curves, settings, facts)
        save_figures(drawn, out)
        log_model.publish(serving, "condiffusion", out, reference, metrics, description.warnings)


if __name__ == "__main__":
    main()
