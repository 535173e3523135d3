"""The drift of new recordings from those of the last training, as a run in MLflow."""

from collections.abc import Callable, Mapping

import mlflow
import pandas

from eegdiffusion.core.observe.tracking import server
from eegdiffusion.core.runtime.printable import printable
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.operations.orchestration.permutation_drift import Profile, compare

EXPERIMENT = "eeg_ingest"
TABLE = "drift.json"


def measure(
    profiles: Mapping[str, Callable[[], list[Profile]]], known: list[str], new: list[str], limit: float
) -> pandas.DataFrame:
    """Compare new recordings of a corpus with the known ones (see :func:`.permutation_drift.compare`).

    Args:
        profiles: recording -> what is compared of it, read when it is called.
        known: valid recordings of the corpus.
        new: valid recordings that arrived.
        limit: scores above it count as drift.

    Returns:
        a row for each feature, see :func:`.permutation_drift.compare`.
    """
    read = {name: profiles[name]() for name in progress([*known, *new], desc="drift", unit="recording")}
    before, since = ([profile for name in names for profile in read[name]] for names in (known, new))
    return compare(before, since, limit)


def log(corpus: str, table: pandas.DataFrame, known: list[str], new: list[str], limit: float) -> str:
    """Keep a comparison as a run of the experiment ``eeg_ingest``; return the run's id.

    Args:
        corpus: name of the corpus's entry.
        table: see :func:`measure`.
        known: valid recordings of the corpus.
        new: valid recordings that arrived.
        limit: scores above it count as drift.

    Raises:
        UnavailableError: the server is away.
    """
    server.experiment(EXPERIMENT)
    with mlflow.start_run(run_name=f"{corpus}: drift of {len(new)} recordings") as run:
        counts = {"known_recordings": len(known), "new_recordings": len(new)}
        mlflow.log_params({"corpus": corpus, "limit": limit} | counts)
        mlflow.log_metrics({"drifted_features": int(table["drifted"].sum()), "largest_score": table["score"].max()})
        mlflow.log_table(table, TABLE)
        mlflow.log_text("\n".join(printable(path) for path in new), "recordings.txt")
    return run.info.run_id
