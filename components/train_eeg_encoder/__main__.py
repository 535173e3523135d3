"""Train an encoder of EEG epochs under its protocols: ``python -m components.train_eeg_encoder --row NAME``."""

import shutil

import mlflow

from components.train_eeg_encoder import pictures
from components.train_eeg_encoder.cell import open_study, pairs_of, run_cell
from components.train_eeg_encoder.settings import TrainEEGEncoder
from eegdiffusion.core.observe.figures.style import save_figures
from eegdiffusion.core.observe.tracking import log_model
from eegdiffusion.core.observe.tracking.datasets import Data
from eegdiffusion.core.observe.tracking.tracked_run import tracked
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.device import device_of
from eegdiffusion.core.training.settings import Hardware
from eegdiffusion.images.encoders.encoder_settings import Band, Row, seeds_of
from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.epochs.protocols import folds
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.serving import aligned_pyfunc, classifier_pyfunc
from eegdiffusion.images.serving.encoder_pyfunc import ENCODER

SERVED = {"align": aligned_pyfunc, "classify": classifier_pyfunc}


def band_name(band: Band | None) -> str:
    """Name of a band's folder: ``all``, or e.g. ``5-95Hz``."""
    return "all" if band is None else f"{band[0]:g}-{band[1]:g}Hz"


@stage("train_eeg_encoder")
def main(run: Stage) -> None:
    name = run.item["row"]
    row, settings = run.settings(Row, f"eeg_encoders.{name}"), run.settings(TrainEEGEncoder)
    hardware, seeds = run.settings(Hardware, "hardware"), run.settings(list[int], "matrix.seeds")
    store_path, features_path = run.input("store"), run.input("features")
    out, reference = run.output("encoders"), run.output("reference")
    store = EpochStore(store_path)
    features = ImageFeatures(features_path, store.description.fingerprint)
    study, device = open_study(store, features, row, settings, hardware), device_of(hardware.accelerator)
    subjects = sorted(store.index["subject"].unique())
    corpus = store.description.corpus
    data = [Data(f"{corpus} epochs", store_path, context) for context in ("training", "testing")]
    data.append(Data(f"{corpus} image features", features_path, "training"))
    cells = [
        (protocol, band, fold, seed)
        for protocol in row.protocols for band in row.bands
        for fold in folds(protocol, subjects, row.subjects) for seed in seeds_of(row, protocol, seeds)
    ]  # fmt: skip
    best = None
    with tracked(run, row, settings, hardware, corpus=corpus, data=data) as _:
        for protocol, band, fold, seed in cells:
            pairs = pairs_of(study, fold, band, seed)
            place = f"{protocol}/{band_name(band)}/{fold.name}/seed-{seed}"
            print(f"{name}: {place}: training on {', '.join(fold.train)}", flush=True)
            cell = run_cell(study, protocol, pairs, seed, run.work / place, out / place, device)
            if cell is None:
                continue
            shown = ", ".join(f"{metric} {value:.3f}" for metric, value in cell.metrics.items())
            print(f"{name}: {place}: {shown}", flush=True)
            metrics = {f"{protocol}.{band_name(band)}.{fold.name}.{key}": v for key, v in cell.metrics.items()}
            mlflow.log_metrics(metrics, step=seed)
            first = (protocol, band) == (row.protocols[0], row.bands[0])
            if first and (best is None or cell.validation > best.validation):
                best = cell
        if not run.is_rank_zero:
            return
        served = row.served and row.pairs == "recorded"
        if row.objective == "align" and served:
            save_figures(pictures.draw(best, f"{row.encoder} ({corpus} data)", device), best.folder)
        # The weights of every training are DVC's; MLflow gets those of the model.
        kept = shutil.copytree(out, run.work / "artifacts", ignore=shutil.ignore_patterns(ENCODER), dirs_exist_ok=True)
        mlflow.log_artifacts(kept)
        model = None
        if served:
            model = log_model.log(SERVED[row.objective], f"eeg-{name}".replace("_", "-"), best.folder, best.metrics)
        for warning in store.description.warnings:
            print(f"WARNING: {warning}")
        log_model.write_reference(reference, best.folder, mlflow.active_run().info.run_id, model)


if __name__ == "__main__":
    main()
