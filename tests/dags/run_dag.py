"""Run one DAG in this process and print how its tasks ended: a helper of the tests, run by itself."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path

from airflow.dag_processing.dagbag import BundleDagBag

sys.executable = os.environ["WARM_PYTHON"]  # the tasks' Python
folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")
assert not bag.import_errors, bag.import_errors
dag = bag.dags[os.environ["DAG"]]
run = dag.test(logical_date=datetime.fromisoformat(os.environ["DATE"]), run_conf=json.loads(os.environ["CONF"]))
instances = run.get_task_instances()
stages = [i for i in instances if i.task_id not in ("open_run", "finalize", "register")]
started, ended = [i.start_date for i in stages if i.start_date], [i.end_date for i in stages if i.end_date]
print(
    "RESULT "
    + json.dumps(
        {
            "state": str(run.state),
            "run_id": run.run_id,
            "tasks": {instance.task_id: str(instance.state) for instance in instances},
            "seconds": {instance.task_id: instance.duration for instance in instances},
            "span": (max(ended) - min(started)).total_seconds() if ended else 0.0,
            "tries": {instance.task_id: instance.try_number for instance in instances},
        }
    )
)
