"""Make a published EEGDM checkpoint a model of this project.

``python -m eegdiffusion.commands.import_checkpoint FILE``.

The file is read without running anything that it names. A backbone goes to ``models/ssmdp/<name>``, tracked by DVC,
where ``latents.<entry>.backbone: <name>`` puts it in place of a pretrained one; backbone, and classifier where the file
is one, become versions of ``ssmdp`` and ``lft`` in MLflow's registry.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow

from eegdiffusion.commands.imported_classifier import write_classifier
from eegdiffusion.core.observe.tracking import server
from eegdiffusion.core.runtime import shell
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.signal_transform import Embedding
from eegdiffusion.events.published.checkpoints import PublishedClassifier, load_published
from eegdiffusion.events.store.window_store import UNIT
from eegdiffusion.operations.registry import registration
from eegdiffusion.operations.registry.registry_config import read_registry


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m eegdiffusion.commands.import_checkpoint", description=__doc__)
    parser.add_argument("file", type=Path, help="a Lightning checkpoint (.ckpt)")
    parser.add_argument("--name", default="published", help="folder of models/ssmdp (default: published)")
    parser.add_argument("--weights", choices=["ema", "online"], default="ema")
    parser.add_argument("--corpus", default="unknown", help="what it was trained on, e.g. TUEV; kept as a tag")
    parser.add_argument("--no-mu-law", action="store_true", help="the backbone was trained on signals without mu-law")
    parser.add_argument("--replace", action="store_true", help="replace a folder of that name")
    return parser.parse_args(argv)


def _register(name: str, folder: Path, tags: dict[str, str]) -> None:
    config = read_registry()[name]
    server.experiment("import_checkpoint")
    with mlflow.start_run(run_name=tags["imported.file"]) as run:
        mlflow.set_tags(tags)
        uri = registration.log_result(config, name, folder, {}).model_uri
        version = registration.add_version(name, config, uri, run.info.run_id, tags)
        registration.document_version(version, config, folder)
    print(f"models:/{name}/{version.version}  (imported from {tags['imported.file']})")


def main(argv: list[str] | None = None) -> None:
    arguments = _arguments(argv)
    folder = Path("models/ssmdp", arguments.name)
    if folder.exists() and not arguments.replace:
        raise InputError(f"{folder}: is there already; choose another --name, or --replace it")
    model = load_published(arguments.file, arguments.weights)
    classifier = isinstance(model, PublishedClassifier)
    backbone = model.backbone if classifier else model
    if backbone.config.n_class != len(BIPOLAR):
        raise InputError(
            f"{arguments.file}: channels: must be the {len(BIPOLAR)} of TUEV (found {backbone.config.n_class})"
        )
    shutil.rmtree(folder, ignore_errors=True)
    embedded = Embedding(not arguments.no_mu_law, EEGDM.rate_hz, UNIT, BIPOLAR)
    signal_transform.save(folder / "backbone", backbone, embedded)
    facts = {
        "corpus": arguments.corpus,
        "imported.file": arguments.file.name,
        "imported.sha256": content_hash(arguments.file),
        "imported.weights": arguments.weights,
    }
    (folder / "imported.json").write_text(json.dumps(facts, indent=2))
    subprocess.run([sys.executable, "-m", "dvc", "add", "--quiet", str(folder)], check=True)
    _register("ssmdp", folder, facts)
    if classifier:
        with tempfile.TemporaryDirectory() as temporary:
            write_classifier(Path(temporary), model, folder / "backbone", arguments.corpus)
            _register("lft", Path(temporary), facts)
    print(
        "To use the backbone: python -m eegdiffusion.commands.params set "
        f"latents.base.backbone={arguments.name}, then dvc repro"
    )


if __name__ == "__main__":
    shell.run("import_checkpoint", main)
