"""Datasets as MLflow sees them: a name, where they are, and DVC's hash as the digest."""

from dataclasses import dataclass
from pathlib import Path

from mlflow.data.meta_dataset import MetaDataset
from mlflow.data.sources import LocalArtifactDatasetSource

from eegdiffusion.core.observe.tracking import lineage


@dataclass(frozen=True)
class Data:
    """A dataset that a run used.

    Attributes:
        name: e.g. ``surrogate event windows``.
        path: DVC output that holds it; its hash becomes the digest.
        context: ``training``, ``validation`` or ``test``.
    """

    name: str
    path: Path
    context: str


def dataset(data: Data) -> MetaDataset:
    """Describe a dataset to MLflow, with DVC's hash as the digest (MLflow admits 36 characters)."""
    source = LocalArtifactDatasetSource(str(data.path))
    return MetaDataset(source, name=data.name, digest=lineage.dvc_hash(data.path)[:36])
