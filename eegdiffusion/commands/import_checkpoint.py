"""Make a published EEGDM checkpoint a model of this project: ``eeg import-checkpoint``."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Choice, Command
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.names import require_name
from eegdiffusion.core.runtime.printable import say


def _register(name: str, folder: Path, tags: dict[str, str]) -> None:
    import mlflow

    from eegdiffusion.core.observe.tracking import server
    from eegdiffusion.operations.registry import registration
    from eegdiffusion.operations.registry.registry_config import read_registry
    from eegdiffusion.operations.registry.signing_keys import signing_key

    config, key = read_registry()[name], signing_key()
    server.experiment("import_checkpoint")
    with mlflow.start_run(run_name=tags["imported.file"]) as run, tempfile.TemporaryDirectory() as temporary:
        mlflow.set_tags(tags)
        uri = registration.log_result(config, name, folder, {}, Path(temporary))
        version = registration.add_version(name, config, uri, run.info.run_id, tags)
        registration.document_version(version, config, folder, Path(temporary), tags, key)
    say(f"models:/{name}/{version.version}  (imported from {tags['imported.file']})")


@click.command("import-checkpoint", cls=Command, clone=lambda options: not options["check"])
@click.argument("file", type=PATH)
@click.option("--name", default="published", show_default=True, help="Folder of models/ssmdp.")
@click.option("--weights", type=Choice(["ema", "online"]), default="ema", show_default=True, help="Which weights.")
@click.option("--corpus", default="unknown", help="What it was trained on, e.g. TUEV; kept as a tag.")
@click.option("--no-mu-law", is_flag=True, help="The backbone was trained on signals without mu-law.")
@click.option("--replace", is_flag=True, help="Replace a folder of that name.")
@click.option("--check", is_flag=True, help="Read the file, say what it holds and change nothing; needs no clone.")
def command(file: Path, name: str, weights: str, corpus: str, no_mu_law: bool, replace: bool, check: bool) -> None:
    """Make FILE, a Lightning checkpoint (.ckpt) that EEGDM's authors published, a model of this project.

    The file is read without running anything that it names. A backbone goes to models/ssmdp/NAME, tracked by DVC,
    where latents.ENTRY.backbone puts it in place of a pretrained one; backbone, and classifier where the file is one,
    become versions of ssmdp and lft in MLflow's registry.
    """
    folder = Path("models/ssmdp", require_name(name, "--name"))
    require_name(corpus, "--corpus")
    if not check and folder.exists() and not replace:
        raise InputError(f"{folder}: is there already; choose another --name, or --replace it")
    if not file.is_file():
        raise InputError(f"{file}: file: there is no such file")

    from eegdiffusion.core.runtime.hashing import content_hash
    from eegdiffusion.core.signal.montage import BIPOLAR
    from eegdiffusion.core.signal.units import UNIT
    from eegdiffusion.events.published.checkpoints import PublishedClassifier, load_published

    model = load_published(file, weights)
    classifier = isinstance(model, PublishedClassifier)
    backbone = model.backbone if classifier else model
    if backbone.config.n_class != len(BIPOLAR):
        raise InputError(f"{file}: channels: must be the {len(BIPOLAR)} of TUEV (found {backbone.config.n_class})")
    if check:
        parameters = sum(parameter.numel() for parameter in (model.lft if classifier else model).parameters())
        say(f"{file}: {'classifier (LFT with its backbone)' if classifier else 'backbone (SSMDP)'}")
        say(f"{parameters:,} parameters{' of the LFT' if classifier else ''}; {dict(backbone.config)}")
        return

    from eegdiffusion.commands.imported_classifier import write_classifier
    from eegdiffusion.core.signal.filtering import EEGDM
    from eegdiffusion.events.models import signal_transform
    from eegdiffusion.events.models.signal_transform import SignalTransform

    if folder.is_symlink():  # what it leads to is not of this project
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    signal_transform.save(folder / "backbone", backbone, SignalTransform(not no_mu_law, EEGDM.rate_hz, UNIT, BIPOLAR))
    facts = {
        "corpus": corpus,
        "imported.file": file.name,
        "imported.sha256": content_hash(file),
        "imported.weights": weights,
    }
    (folder / "imported.json").write_text(json.dumps(facts, indent=2))
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", str(folder)], check=True)
    _register("ssmdp", folder, facts)
    if classifier:
        with tempfile.TemporaryDirectory() as temporary:
            write_classifier(Path(temporary), model, folder / "backbone", corpus)
            _register("lft", Path(temporary), facts)
    say(f"To use the backbone: eeg params set latents.base.backbone={name}, then eeg repro")
