"""Retrain: the graph of ``dvc.yaml`` in a workspace of the run's own, then finalized and registered."""

from datetime import timedelta

from _assets import CORPUS, REPORT
from _build_dag import SLUG, build_tasks
from _dvc_graph import read_graph
from _execution_environments import choose_workspace
from _plan import SMALL, Task, plan
from _settings import Settings
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param

settings = Settings()
graph = read_graph(settings.repository)
workspace = choose_workspace(settings, list(graph.stages))
# Where there is no GPU, a stage that must have one is started all the same: it says so at once.
stages = plan(graph, settings.repository, workspace.run, workspace.stage, settings.has_gpus)

# Airflow runs a new DAG's last date at once if a tenth of its period has not passed: whoever starts the services on a
# Sunday would retrain. With a limit of its own, the first run is the next date's.
weekly = CronTriggerTimetable(settings.retrain_cron, timezone="UTC", run_immediately=timedelta(milliseconds=500))

with DAG(
    "eeg_retrain",
    description="Train, evaluate and register every model, weekly or when a corpus has changed",
    schedule=AssetOrTimeSchedule(timetable=weekly, assets=CORPUS),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    user_defined_filters=SLUG,
    tags=["eeg"],
    # Without "null" the page would ask for a value and offer no way to start a run with the defaults.
    params={
        "overrides": Param({}, type=["object", "null"], description='e.g. {"finetune_lft.optimisation.max_epochs": 3}'),
        "revision": Param("", type=["string", "null"], description="Default: HEAD, with params.yaml as it stands"),
    },
) as dag:
    opened = Task("open_run", workspace.open, workspace.home, doc="Take the revision, set the run's parameters")
    finalize = Task("finalize", workspace.finalize, workspace.run, doc="Check, push, record dvc.lock")
    register = Task(
        "register", workspace.register, workspace.run, SMALL, "train", doc="Register the models", keys="sign"
    )
    build_tasks(settings, before=[opened], stages=stages, after=[finalize, register], outlets={"register": [REPORT]})
