"""The drift of new recordings from those of the last training, as a run in MLflow."""

from pathlib import Path

import mlflow
import pandas

from eegdiffusion.core.observe.tracking import server
from eegdiffusion.core.recordings import edf_header
from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe
from eegdiffusion.core.runtime.printable import printable
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.events.corpora import recording_checks, tuev, tuev_files
from eegdiffusion.operations.orchestration.permutation_drift import Profile, compare, profile

EXPERIMENT = "eeg_ingest"
TABLE = "drift.json"


def _profile(root: Path, path: Path, recipe: ChannelRecipe) -> Profile:
    header = edf_header.read_header(root / path)
    used = tuev.derived_channels(header, recipe)
    rate_hz = header.rates[used.rows[0]]
    channels = [tuev.electrode(label) or label for label in header.labels]
    _, subject = tuev_files.subject_of(path)
    return profile(recording_checks.sample_segments(header, used.rows), rate_hz, subject, used.recorded, channels)


def measure(
    root: Path, known: list[Path], new: list[Path], limit: float, recipe: ChannelRecipe = tuev.TCP22
) -> pandas.DataFrame:
    """Compare new recordings of a corpus with the known ones (see :func:`.permutation_drift.compare`).

    Args:
        root: folder of the corpus.
        known: valid EDF files of the corpus, relative to it.
        new: valid EDF files that arrived, relative to it.
        limit: scores above it count as drift.
        recipe: how the corpus's channels follow from those of its recordings.

    Returns:
        a row for each feature, see :func:`.permutation_drift.compare`.
    """
    profiles = {path: _profile(root, path, recipe) for path in progress([*known, *new], desc="drift", unit="recording")}
    return compare([profiles[path] for path in known], [profiles[path] for path in new], limit)


def log(table: pandas.DataFrame, known: list[Path], new: list[Path], limit: float) -> str:
    """Keep a comparison as a run of the experiment ``eeg_ingest``; return the run's id.

    Raises:
        UnavailableError: the server is away.
    """
    server.experiment(EXPERIMENT)
    with mlflow.start_run(run_name=f"drift of {len(new)} recordings") as run:
        mlflow.log_params({"limit": limit, "known_recordings": len(known), "new_recordings": len(new)})
        mlflow.log_metrics({"drifted_features": int(table["drifted"].sum()), "largest_score": table["score"].max()})
        mlflow.log_table(table, TABLE)
        mlflow.log_text("\n".join(printable(path.as_posix()) for path in new), "recordings.txt")
    return run.info.run_id
