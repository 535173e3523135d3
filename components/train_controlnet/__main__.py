"""Train the ControlNet of SGDM: ``python -m components.train_controlnet --study NAME``."""

import numpy as np
import torch

from components.train_controlnet import pictures
from components.train_controlnet.settings import TrainControlNet
from eegdiffusion.core.observe.figures.style import save_figures
from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.storage.input_example import EXAMPLE
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.fit import fit
from eegdiffusion.core.training.memory import keep_freed_memory
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders import encoder_results
from eegdiffusion.images.encoders.eeg_semantics import load_aligned
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.image_pairs import ALL, split_hash
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, mismatched
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.generation.denoising_gain import denoising_gain
from eegdiffusion.images.generation.generation_config import encoder_folder
from eegdiffusion.images.generation.generator import load_generator
from eegdiffusion.images.generation.image_latents import ImageLatents
from eegdiffusion.images.generation.latent_diffusion import losses_by_condition
from eegdiffusion.images.generation.semantic_tokens import fresh_tokens
from eegdiffusion.images.serving import sgdm_pyfunc as serving
from eegdiffusion.images.sgdm.controlnet_dataset import GuidedItems
from eegdiffusion.images.sgdm.controlnet_training import ControlNetTraining, Guide
from eegdiffusion.images.sgdm.image_conditions import cosines, fit_baseline, predict_conditions
from eegdiffusion.images.sgdm.sgdm import SGDM, make_controlnet
from eegdiffusion.images.structure.structure_from_eeg import load_structure_predictor
from eegdiffusion.images.structure.structure_maps import StructureMaps


@stage("train_controlnet")
def main(run: Stage) -> None:
    keep_freed_memory()
    settings, hardware = run.settings(TrainControlNet), run.settings(Hardware, "hardware")
    seed = run.settings(list[int], "matrix.seeds")[0]
    device = device_of(hardware.accelerator)
    store_path, features_path, latents_path = run.input("store"), run.input("features"), run.input("latents")
    encoders, generator_path, predictor_path = run.input("encoders"), run.input("generator"), run.input("structure")
    out, reference = run.output("controlnet"), run.output("reference")
    store = EpochStore(store_path)
    description = store.description
    features = ImageFeatures(features_path, description.fingerprint).features
    structure = StructureMaps(features_path, description.fingerprint)
    latents = ImageLatents(latents_path, description.fingerprint)
    generator = load_generator(generator_path).to(device)
    predictor = load_structure_predictor(predictor_path / "predictor").to(device)
    subjects = sorted(store.index["subject"].unique())
    split, averages = store.images["split"].to_numpy(str), {"train": settings.average, "validation": ALL, "test": ALL}
    wanted = {name: latents.known & (split == name) for name in averages}
    parts = {
        name: PairedEpochs(store.epochs(None, None, average), {}, subjects, wanted=wanted[name])
        for name, average in averages.items()
    }
    data = [
        Data(f"{description.corpus} epochs", store_path, "training"),
        Data(f"{description.corpus} latents", latents_path, "training"),
    ]
    with tracked(run, settings, hardware, corpus=description.corpus, data=data) as logger:
        semantics = load_aligned(encoder_folder(encoders, seed), torch.from_numpy(features[wanted["train"]]))
        ridge, fitted = fit_baseline(semantics, parts, features, settings.ridge_alphas)
        items, facts = {}, {"ridge": fitted}
        mean = semantics.calibration.mean.cpu().numpy()
        for name, epochs in parts.items():
            found = predict_conditions(semantics, predictor, epochs, device, f"conditions, {name}")
            facts[f"{name}_cosine"] = cosines(found.features, features[epochs.table["image"]], mean)
            maps = None if settings.end_to_end else found.structure
            items[name] = GuidedItems(epochs, latents.latents, features, structure, found.features, maps)
        torch.manual_seed(settings.seed)
        tokens = None
        if generator.semantics is not None and not generator.source.trained:
            tokens = fresh_tokens(generator.semantics, torch.from_numpy(features[wanted["train"]]))
        learns = predictor.requires_grad_(True) if settings.end_to_end else None
        guide = Guide(make_controlnet(generator, structure.channels), tokens, learns)
        module = ControlNetTraining(
            guide,
            generator,
            settings.truth_share,
            settings.fresh_rate,
            settings.denoising,
            settings.optimisation,
            settings.seed,
        )
        done = fit(
            module, items["train"], items["validation"], monitor="validation_loss", mode="min", hardware=hardware,
            work=run.work, logger=logger,
        )  # fmt: skip
        if not run.is_rank_zero:
            return
        losses = {}
        for name in ("validation", "test"):
            other = items[name].with_eeg(mismatched(items[name].image, settings.seed))
            conditions = {"own": (items[name], False), "shuffled": (other, False)}
            losses[name] = losses_by_condition(module, conditions, settings.draws, device)
        metrics = denoising_gain(losses, items["test"].image)
        trained = module.ema_model
        found = trained.controlnet, trained.tokens, semantics, trained.predictor or predictor, ridge
        sgdm = SGDM(generator, *found).to(device)
        sgdm.save(out, generator_path, settings.sampling, settings.control)
        facts |= {
            "corpus": description.corpus,
            "layout": description.layout,
            "warnings": description.warnings,
            "preprocessing": description.fingerprint,
            "split_hash": split_hash(store.images, wanted["test"], subjects),
            "repetitions": int(store.index["repetition"].max()) + 1,
            "windows": len(parts["test"]),
            "seed": settings.seed,
            "structure": structure.kind,
            "end_to_end": settings.end_to_end,
            "image_size": generator.source.image_size,
            "parameters": sum(p.numel() for p in guide.parameters()),
            "frozen": {type(m).__name__: sum(p.numel() for p in m.parameters()) for m in generator.modules()},
            "best_epoch": done.best_epoch,
        }
        encoder_results.write_results(out, done.curves, facts, metrics)
        np.save(out / EXAMPLE, parts["test"].__getitems__([0, 1])["eeg"])
        drawn = pictures.draw(sgdm, parts["test"], latents.pictures, structure, done.curves, settings, facts)
        save_figures(drawn, out)
        log_model.publish(serving, "sgdm-controlnet", out, reference, metrics, description.warnings)


if __name__ == "__main__":
    main()
