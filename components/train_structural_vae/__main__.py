"""Train a structural VAE and predict structure from EEG: ``python -m components.train_structural_vae --study NAME``."""

import numpy as np
import pandas

from components.train_structural_vae.settings import TrainStructuralVAE
from eegdiffusion.core.observe.figures.style import save_figures
from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.storage.input_example import EXAMPLE
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders import encoder_results
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.serving import structure_pyfunc as serving
from eegdiffusion.images.structure import structure_tests
from eegdiffusion.images.structure.structure_maps import StructureMaps
from eegdiffusion.images.structure.structure_training import (
    StructureData,
    latents_of,
    split_of,
    train_predictor,
    train_vae,
)
from eegdiffusion.images.structure.structured_images import cached_pictures


@stage("train_structural_vae")
def main(run: Stage) -> None:
    settings, hardware = run.settings(TrainStructuralVAE), run.settings(Hardware, "hardware")
    store_path, features_path = run.input("store"), run.input("features")
    out, reference = run.output("structure"), run.output("reference")
    store = EpochStore(store_path)
    maps = StructureMaps(features_path, store.description.fingerprint)
    split = split_of(store, f"image_generation.{run.item['study']}.corpus")
    pictures = cached_pictures(store.images, maps.side, run.work / "pictures.npy")
    data, device = StructureData(store, maps, pictures, split), device_of(hardware.accelerator)
    corpus, seed = store.description.corpus, settings.seed
    inputs = [Data(f"{corpus} epochs", store_path, context) for context in ("training", "testing")]
    inputs.append(Data(f"{corpus} structure maps", features_path, "training"))
    with tracked(run, settings, hardware, corpus=corpus, data=inputs) as logger:
        vae, first = train_vae(data, settings.vae, seed, hardware, run.work / "vae", logger)
        latents = latents_of(vae, data, device)
        predictor, second = train_predictor(
            data, vae, latents, settings.predictor, seed, hardware, run.work / "predictor", logger
        )
        if not run.is_rank_zero:
            return
        predictor.save(out / serving.PREDICTOR)
        tested, pairs = structure_tests.test(predictor, data, latents, device), data.pairs()
        plain = pairs.part("test", pairs.repetitions(pairs.fold.test[0]), pairs.fold.test[:1], draws=1, plain=True)
        np.save(out / EXAMPLE, plain.__getitems__([0, 1])["eeg"])
        facts = {
            "corpus": corpus,
            "layout": store.description.layout,
            "warnings": store.description.warnings,
            "preprocessing": store.description.fingerprint,
            "split_hash": text_hash(pairs.split_hash(), maps.kind, maps.side),
            "structure": maps.kind,
            "score": vae.kind.score_name,
            "side": maps.side,
            "training_images": int((split == "train").sum()),
            "test_images": len(tested.rows),
            "subjects": pairs.fold.test,
            "repetitions": min(pairs.repetitions(subject) for subject in pairs.fold.test),
            "encoder": settings.predictor.encoder,
            "parameters": sum(p.numel() for p in vae.parameters()),
            "predictor_parameters": sum(p.numel() for p in predictor.readout.parameters()),
            "validation_loss": first.best_score,
            "predictor_validation_loss": second.best_score,
        }
        encoder_results.write_results(out, first.curves, facts, tested.metrics)
        if second.curves:
            pandas.DataFrame(second.curves).to_csv(out / "predictor_curves.csv", index=False)
        tested.table.to_parquet(out / "structure.parquet", index=False)
        save_figures(structure_tests.draw(tested, vae, data, latents, f"{corpus} data"), out)
        logger.drain()
        log_model.publish(serving, "structural-vae", out, reference, tested.metrics, store.description.warnings)


if __name__ == "__main__":
    main()
