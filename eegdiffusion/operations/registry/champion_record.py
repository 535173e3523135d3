"""Fetches a champion's test predictions from the registry, where its registration has put them."""

import sys

import mlflow
from mlflow.entities.model_registry import ModelVersion

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.events.results.champion_predictions import ChampionPredictions
from eegdiffusion.operations.registry.provenance import PREDICTIONS, provenance_path
from eegdiffusion.operations.registry.verified_version import verified_files


def fetch_predictions(version: ModelVersion, unsigned: bool = False) -> ChampionPredictions | None:
    """Fetch the test predictions of a version, of all seeds that its scores are means of.

    Args:
        version: version of a registered model.
        unsigned: do not verify them, which is written down.

    Returns:
        its predictions; None where it has none: it classifies nothing, was imported, or was registered without them;
        or where it does not verify, which a line on stderr says.
    """
    if not version.source.startswith("models:/"):
        return None
    client = mlflow.MlflowClient()
    path = f"{provenance_path(version.version)}/{PREDICTIONS}"
    model_id = version.source.removeprefix("models:/")
    if not any(
        file.path.rstrip("/") == path
        for file in client.list_logged_model_artifacts(model_id, provenance_path(version.version))
    ):
        return None
    uri = f"models:/{version.name}/{version.version}"
    try:
        with verified_files(uri, "predictions kept for the report", unsigned, "champion") as files:
            tables = {file.stem: read_parquet(file) for file in sorted((files.folder / path).glob("*.parquet"))}
    except InputError as error:
        say(f"its predictions are left out of the report: {error}", stream=sys.stderr)
        return None
    return ChampionPredictions(str(version.version), tables) if tables else None
