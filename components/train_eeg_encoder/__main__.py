"""Train an encoder of EEG epochs under its protocols: ``python -m components.train_eeg_encoder --encoder NAME``."""

import shutil

from components.train_eeg_encoder.settings import EncoderExperiment, TrainEEGEncoder
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.training.settings import Hardware


@stage("train_eeg_encoder")
def main(run: Stage) -> None:
    """Train and test the encoder under each protocol, log its figures and publish the models."""
    name = run.item["encoder"]
    experiment = run.settings(EncoderExperiment, f"eeg_encoders.{name}")
    settings, hardware = run.settings(TrainEEGEncoder), run.settings(Hardware, "hardware")
    seeds = run.settings(list[int], "matrix.seeds")
    with loading_modules():
        import mlflow

        from components.train_eeg_encoder.compute import compute, named_metrics
        from eegdiffusion.core.observe.tracking import log_model
        from eegdiffusion.core.observe.tracking.datasets import Data
        from eegdiffusion.core.observe.tracking.tracked_run import tracked
        from eegdiffusion.images.encoders.training_folders import ENCODER
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.features.image_features import ImageFeatures
        from eegdiffusion.images.figures.encoder_figures import draw_encoder
        from eegdiffusion.images.serving import aligned_pyfunc, classifier_pyfunc
    store_path, features_path = run.input("store"), run.input("features")
    out, reference = run.output("encoders"), run.output("reference")
    store = EpochStore(store_path)
    features = ImageFeatures(features_path, store.description.fingerprint)
    corpus = store.description.corpus
    data = [Data(f"{corpus} epochs", store_path, context) for context in ("training", "testing")]
    data.append(Data(f"{corpus} image features", features_path, "training"))
    with tracked(run, experiment, settings, hardware, title="EEG encoder", corpus=corpus, data=data) as logger:
        tests: list[tuple[dict[str, float], int]] = []
        best = compute(store, features, experiment, settings, hardware, seeds, out, run.work, tests.append)
        if best is None:
            return
        # The weights of every training are DVC's; MLflow gets those of the model.
        kept = shutil.copytree(out, run.work / "artifacts", ignore=shutil.ignore_patterns(ENCODER), dirs_exist_ok=True)
        mlflow.log_artifacts(kept)
        for title, figure in draw_encoder(best.folder).items():
            mlflow.log_figure(figure, f"figures/{title}.png")
        model, with_model = None, (named_metrics(best, out), best.seed)
        for metrics, seed in tests:  # each once: those of the model are logged with it
            if not experiment.registered or (metrics, seed) != with_model:
                logger.log_metrics(metrics, seed)
        if experiment.registered:
            serving = {"align": aligned_pyfunc, "classify": classifier_pyfunc}[experiment.objective]
            model = log_model.log(serving, f"eeg-{name}".replace("_", "-"), best.folder, *with_model)
        for warning in store.description.warnings:
            say(f"WARNING: {warning}")
        log_model.write_reference(reference, best.folder, mlflow.active_run().info.run_id, model)


if __name__ == "__main__":
    main()
