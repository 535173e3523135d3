"""Fetches a champion's test predictions from the registry, where its registration has put them."""

import tempfile
from pathlib import Path

import mlflow
import pandas
from mlflow.entities.model_registry import ModelVersion

from eegdiffusion.events.results.champion_predictions import ChampionPredictions
from eegdiffusion.operations.registry.provenance import PREDICTIONS, provenance_path


def fetch_predictions(version: ModelVersion) -> ChampionPredictions | None:
    """Fetch the test predictions of a version, of all seeds that its scores are means of.

    Args:
        version: version of a registered model.

    Returns:
        its predictions; None where it has none: it classifies nothing, was imported, or was registered without them.
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
    source = f"models:/{version.name}/{version.version}/{path}"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=temporary))
        tables = {file.stem: pandas.read_parquet(file) for file in sorted(folder.glob("*.parquet"))}
    return ChampionPredictions(str(version.version), tables) if tables else None
