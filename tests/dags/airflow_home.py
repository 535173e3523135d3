"""An Airflow of its own for a test, and small repositories for it to run."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.operations.registry.signing_keys import SIGNING_VARIABLE, TRUSTED_VARIABLE
from tests.e2e.workspace import command, environment
from tests.warm.fork_server import programs

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"

RESOURCES = "meta: {airflow: {gpus: 0, cpus: 1, memory_gb: 1, shm_gb: 1, retries: 2, timeout_min: 5}}"


@dataclass
class Airflow:
    """A home folder with a SQLite database and the pools, and the DAGs of this checkout on some repository."""

    home: Path
    repository: Path

    @property
    def environment(self) -> dict[str, str]:
        keys = (SIGNING_VARIABLE, TRUSTED_VARIABLE)
        kept = {
            name: value
            for name, value in environment().items()
            if name in keys or not name.startswith(("AIRFLOW", "EEG_"))
        }
        return kept | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "EEG_REPOSITORY": str(self.repository),
            "EEG_RETRY_SECONDS": "0.1",
            "PYTHONPATH": str(ROOT),
            "WARM_PYTHON": str(programs() / "python"),
        }

    def run(self, *words: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "airflow"), *words],
            env=self.environment | extra,
            cwd=self.home,
            capture_output=True,
            text=True,
        )
        assert not check or done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return done

    def dag(self, name: str, conf: dict | None = None, date: str = "2026-01-01T00:00:00+00:00", **extra: str) -> dict:
        """Run a DAG with ``dag.test()``; return the states of its tasks, its own state and what it printed."""
        extra = {"DAG": name, "CONF": json.dumps(conf or {}), "DATE": date} | extra
        done = subprocess.run(
            [sys.executable, str(Path(__file__).parent / "run_dag.py")],
            env=self.environment | extra,
            cwd=self.home,
            capture_output=True,
            text=True,
        )
        assert "RESULT " in done.stdout, done.stdout[-6000:] + done.stderr[-6000:]
        line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
        return json.loads(line.removeprefix("RESULT ")) | {"log": done.stdout + done.stderr}

    def workspace(self) -> Path:
        """The workspace of the only run."""
        (path,) = [path for path in (self.repository / "runs").iterdir() if not path.name.startswith(".")]
        return path


def migrate(home: Path) -> None:
    """Set up a home: its database, with the pools."""
    airflow = Airflow(home, home)
    airflow.run("db", "migrate")
    airflow.run("pools", "import", str(DAGS / "pools.json"))


def start(home: Path, repository: Path, migrated: Path) -> Airflow:
    """Set up a home with a copy of a migrated home's database."""
    home.mkdir(parents=True)
    shutil.copy(migrated / "airflow.db", home)
    return Airflow(home, repository)


def stub(path: Path, stages: str, params: str) -> Path:
    """Make a repository with the project's library, and a graph of shell commands."""
    path.mkdir(parents=True)
    tracked = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in tracked.stdout.splitlines():
        if (
            name.startswith(("components/", "eegdiffusion/", "mlflow/", ".dvc/", ".gitignore", ".dvcignore"))
            and (ROOT / name).is_file()
        ):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path / name)
    (path / "dvc.yaml").write_text(stages)
    (path / "params.yaml").write_text(params)
    (path / "mlflow" / "registry.yaml").write_text("{}\n")  # nothing to register
    git(path, "init", "-q", "-b", "main")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "start")
    return path


def git(path: Path, *words: str) -> str:
    return command(path, "git", "-c", "user.name=t", "-c", "user.email=t@t", *words).stdout
