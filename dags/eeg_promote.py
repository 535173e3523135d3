"""Promote: after a report, let the challengers that pass the registry's gate become champions."""

from _assets import REPORT
from _operators import operator
from _plan import Task
from _settings import Settings
from airflow.sdk import DAG

settings = Settings()

with DAG(
    "eeg_promote",
    description="Gate the challengers of the registry; those that pass become champions",
    schedule=REPORT,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["eeg"],
) as dag:
    operator(
        Task(
            "promote",
            ("python", "-m", "components.promote"),
            "" if settings.git_url else settings.repository,
            image="train",
        ),
        settings,
    )
