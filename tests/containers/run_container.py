"""Run one task in the Docker runtime, as a worker does: a helper of the tests, run by itself.

``python run_container.py IMAGE FOLDER RUN COMMAND...``: FOLDER holds the runs, and is where the command works.
"""

import sys
from datetime import datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "dags"))

from _operators import operator
from _plan import Task
from _settings import Settings
from airflow.sdk import DAG

image, folder, run, *command = sys.argv[1:]
repository = Path(folder) / "repository"
repository.mkdir(exist_ok=True)
settings = Settings(runtime="docker", repository=str(repository), runs=folder, image=image, docker_network="host")
with DAG("one", schedule=None, start_date=datetime(2026, 1, 1)):
    task = operator(Task("slow", tuple(command), folder), settings)
task.execute({"run_id": run})
