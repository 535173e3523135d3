"""Registers a model that was adapted to one subject: a version like others, and never a challenger by itself."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import mlflow

from eegdiffusion.core.observe.tracking import lineage, server
from eegdiffusion.core.storage.result_facts import METRICS
from eegdiffusion.operations.registry import registration
from eegdiffusion.operations.registry.registry_config import RegisteredModelConfig, TrainingResult, read_registry
from eegdiffusion.operations.registry.signing_keys import signing_key

BASE = "eeg-aligned"
"""Entry of the registry whose card and gate an adapted model has but for a few words."""

STAGE = "adapt"
"""Experiment of adaptations in MLflow, and the command that makes them."""

LIMIT = (
    "It was adapted to the EEG of one person, whose other EEG its score is of; nobody else's was tested, and the score "
    "of a second session of this person may be lower."
)


def adapted_config(facts: dict) -> RegisteredModelConfig:
    """Return the configuration of an adapted model: that of aligned encoders, with words that hold for it.

    Args:
        facts: its ``metrics.json``.
    """
    base = read_registry()[BASE]
    card = replace(base.card, limits=[LIMIT, *base.card.limits])
    return replace(
        base,
        description=f"Aligned encoder of EEG, adapted to {facts['subject']} ({facts['method']})",
        stage=STAGE,
        serving="images.serving.adapted_pyfunc",
        each=None,
        card=card,
    )


def register_adapted(name: str, folder: Path, origin: dict[str, str]) -> str:
    """Register an adapted model as a new version, with its card and signature; return its address.

    Args:
        name: name of the registered model.
        folder: folder of the model, as ``eeg adapt`` wrote it.
        origin: tags that say what it was adapted from.

    Raises:
        InputError: there is no key to sign it with.
        UnavailableError: the server is away for too long.
    """
    facts = json.loads((folder / METRICS).read_text())
    config, key, result = adapted_config(facts), signing_key(), TrainingResult(folder, facts)
    tags = lineage.tags(STAGE) | registration.score_tags(config, [result]) | origin
    tags |= {field: facts[field] for field in ("corpus", "split", "split_hash")} | {"result": folder.as_posix()}
    tags |= {f"adapted.{field}": str(facts[field]) for field in ("subject", "method", "setting", "minutes")}
    server.experiment(STAGE, "Registered models that were adapted to one subject")
    title = f"{name} on {facts['minutes']:.3g} min of {facts['subject']}"
    with mlflow.start_run(run_name=title) as run, tempfile.TemporaryDirectory() as temporary:
        mlflow.set_tags(tags)
        scores = {metric: facts[metric] for metric in config.metrics}
        uri = registration.log_result(config, name, folder, scores, Path(temporary))
        version = registration.add_version(name, config, uri, run.info.run_id, tags)
        registration.document_version(version, config, folder, Path(temporary), tags, key, [result])
    return f"models:/{name}/{version.version}"
