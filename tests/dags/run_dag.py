"""Run one DAG in this process and print how its tasks ended: a helper of the tests, run by itself."""

import json
import os
from datetime import datetime
from pathlib import Path

from airflow.dag_processing.dagbag import BundleDagBag

folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")
assert not bag.import_errors, bag.import_errors
dag = bag.dags[os.environ["DAG"]]
run = dag.test(logical_date=datetime.fromisoformat(os.environ["DATE"]), run_conf=json.loads(os.environ["CONF"]))
instances = run.get_task_instances()
print(
    "RESULT "
    + json.dumps(
        {
            "state": str(run.state),
            "run_id": run.run_id,
            "tasks": {instance.task_id: str(instance.state) for instance in instances},
            "tries": {instance.task_id: instance.try_number for instance in instances},
        }
    )
)
