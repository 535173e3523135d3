"""Make a published EEGDM checkpoint a model of this project: ``eeg import-checkpoint``."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.command_line import PATH, Choice, Command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.names import require_name
from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    from eegdiffusion.events.models.ssmdp import SSMDP
    from eegdiffusion.events.published.checkpoints import PublishedClassifier
    from eegdiffusion.operations.registry.registry_config import RegisteredModelConfig


def _register(name: str, config: "RegisteredModelConfig", folder: Path, tags: dict[str, str], scored: bool) -> None:
    import mlflow

    from eegdiffusion.core.observe.tracking import server
    from eegdiffusion.operations.registry import registration
    from eegdiffusion.operations.registry.registry_config import CHALLENGER, TrainingResult
    from eegdiffusion.operations.registry.signing_keys import signing_key

    key, results, scores = signing_key(), [], {}
    if scored:
        metrics = json.loads((folder / "metrics.json").read_text())
        results = [TrainingResult(folder, metrics)]
        scores = {metric: metrics[metric] for metric in config.metrics}
        tags = tags | registration.score_tags(config, results)
        tags |= {field: metrics[field] for field in ("split", "split_hash")}
    server.experiment("import_checkpoint")
    with mlflow.start_run(run_name=tags["imported.file"]) as run, tempfile.TemporaryDirectory() as temporary:
        mlflow.set_tags(tags)
        uri = registration.log_result(config, name, folder, scores, Path(temporary))
        version = registration.add_version(name, config, uri, run.info.run_id, tags)
        if scored:  # the gate can compare it
            mlflow.MlflowClient().set_registered_model_alias(name, CHALLENGER, version.version)
        registration.document_version(version, config, folder, Path(temporary), tags, key, results)
    say(f"models:/{name}/{version.version}  (imported from {tags['imported.file']})")


@click.command("import-checkpoint", cls=Command, clone=lambda options: not options["check"])
@click.argument("file", type=PATH)
@click.option("--name", default="published", show_default=True, help="Folder of models/ssmdp.")
@click.option("--weights", type=Choice(["ema", "online"]), default="ema", show_default=True, help="Which weights.")
@click.option("--corpus", default="unknown", help="What it was trained on, e.g. TUEV; kept as a tag.")
@click.option("--task", help="Entry of event_tasks: score a classifier on its test split, and register it as lft-TASK.")
@click.option("--no-mu-law", is_flag=True, help="The backbone was trained on signals without mu-law.")
@click.option("--replace", is_flag=True, help="Replace a folder of that name.")
@click.option("--check", is_flag=True, help="Read the file, say what it holds and change nothing; needs no clone.")
def command(
    file: Path, name: str, weights: str, corpus: str, task: str | None, no_mu_law: bool, replace: bool, check: bool
) -> None:
    """Make FILE, a Lightning checkpoint (.ckpt) that EEGDM's authors published, a model of this project.

    The file is read without running anything that it names. A backbone goes to models/ssmdp/NAME, tracked by DVC,
    where latents.ENTRY.backbone puts it in place of a pretrained one; backbone, and classifier where the file is one,
    become versions of ssmdp and lft in MLflow's registry. A classifier is TUEV's, of 22 derivations and 5 s, or
    CHB-MIT's, of 16 and 10 s; with --task it is scored on the task's test windows before it is registered.
    """
    folder = Path("models/ssmdp", require_name(name, "--name"))
    require_name(corpus, "--corpus")
    if not check and folder.exists() and not replace:
        raise InputError(f"{folder}: is there already; choose another --name, or --replace it")
    if not file.is_file():
        raise InputError(f"{file}: file: there is no such file")
    if check and task:
        raise InputError("--task: must not be given with --check, which scores nothing")

    backbone, classifier = _open(file, weights)
    if task and not classifier:
        raise InputError(f"--task: must be given with a classifier; {file} is a backbone, which classifies nothing")
    if check:
        _say_contents(file, backbone, classifier)
        return

    from eegdiffusion.commands.imported_classifier import write_classifier
    from eegdiffusion.commands.score_imported import score_imported
    from eegdiffusion.core.runtime.hashing import content_hash
    from eegdiffusion.core.signal.filtering import EEGDM
    from eegdiffusion.core.signal.montage import BIPOLAR
    from eegdiffusion.core.signal.units import UNIT
    from eegdiffusion.events.models import signal_transform
    from eegdiffusion.events.models.signal_transform import SignalTransform
    from eegdiffusion.operations.registry.registry_config import read_registry

    facts = {
        "corpus": corpus,
        "imported.file": file.name,
        "imported.sha256": content_hash(file),
        "imported.weights": weights,
    }
    registered = f"lft-{task}" if task else "lft"
    with tempfile.TemporaryDirectory() as temporary:
        imported, classifying = Path(temporary, "backbone"), Path(temporary, "classifier")
        transform = SignalTransform(not no_mu_law, EEGDM.rate_hz, UNIT, BIPOLAR)
        signal_transform.save(imported / "backbone", backbone, transform)
        (imported / "imported.json").write_text(json.dumps(facts, indent=2))
        config = None
        if classifier:  # before anything is changed: it may not fit, or the task may not
            classifying.mkdir()
            write_classifier(classifying, classifier, imported / "backbone", corpus)
            if task:
                score_imported(classifying, task, file, corpus)
            config = _config(registered, task, len(classifier.channels) == len(BIPOLAR))
        if folder.is_symlink():  # what it leads to is not of this project
            folder.unlink()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(imported, folder)
        subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", str(folder)], check=True)
        _register("ssmdp", read_registry()["ssmdp"], folder, facts, scored=False)
        if config:
            _register(registered, config, classifying, facts, scored=task is not None)
    say(f"To use the backbone: eeg params set latents.base.backbone={name}, then eeg repro")


def _config(registered: str, task: str | None, of_tuev: bool) -> "RegisteredModelConfig":
    """Return the configuration of the model that a classifier is registered as, with words that hold for it."""
    from eegdiffusion.operations.registry.registry_config import models_of_entries, read_registry

    registry, of_tasks = read_registry(), "lft-{entry}"
    if task:
        return models_of_entries(of_tasks, registry[of_tasks])[registered]
    return registry["lft" if of_tuev else of_tasks]


def _open(file: Path, weights: str) -> "tuple[SSMDP, PublishedClassifier | None]":
    """Return the backbone of a checkpoint, and the classifier where it holds one.

    Raises:
        InputError: it is none of EEGDM's, or its backbone knows other channels than TUEV's.
    """
    from eegdiffusion.core.signal.montage import BIPOLAR
    from eegdiffusion.events.published.checkpoints import PublishedClassifier, load_published

    model = load_published(file, weights)
    classifier = model if isinstance(model, PublishedClassifier) else None
    backbone = classifier.backbone if classifier else model
    if backbone.config.n_class != len(BIPOLAR):
        raise InputError(f"{file}: channels: must be the {len(BIPOLAR)} of TUEV (found {backbone.config.n_class})")
    return backbone, classifier


def _say_contents(file: Path, backbone: "SSMDP", classifier: "PublishedClassifier | None") -> None:
    """Say what a checkpoint holds."""
    parameters = sum(parameter.numel() for parameter in (classifier.lft if classifier else backbone).parameters())
    say(f"{file}: {'classifier (LFT with its backbone)' if classifier else 'backbone (SSMDP)'}")
    say(f"{parameters:,} parameters{' of the LFT' if classifier else ''}; {dict(backbone.config)}")
    if classifier:
        sizes = classifier.lft.config
        say(
            f"{len(classifier.channels)} channels, {sizes.n_pool} pools of {classifier.window} samples, "
            f"{max(2, sizes.n_class)} classes; parts of longer windows in the {classifier.parts} order"
        )
