"""Ingest: notice new or changed recordings in any corpus, and tell the other DAGs of them if they are valid."""

import os
from dataclasses import replace

from _assets import CORPUS
from _operators import operator
from _plan import Task
from _settings import Settings
from airflow.sdk import DAG, CronTriggerTimetable

settings = Settings()

with DAG(
    "eeg_ingest",
    description="Look for new or changed recordings of every corpus; emit the corpus asset if they are valid",
    schedule=CronTriggerTimetable(settings.ingest_cron, timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=["eeg"],
) as dag:
    state = f"{settings.state_folder}/.corpus.json"
    settle = os.environ.get("EEG_SETTLE_SECONDS") or "60"
    command = (
        "python",
        "-m",
        "eegdiffusion.operations.orchestration.corpus_watch",
        "--state",
        state,
        "--settle-seconds",
        settle,
    )
    if limit := os.environ.get("EEG_DRIFT_LIMIT"):
        command += ("--drift-limit", limit)
    task = Task(
        "check_corpus",
        command,
        "" if settings.git_url else settings.repository,
        image="train",
        doc="Compare content, validate what is new, measure its drift",
    )
    announced = operator(task, settings, outlets=[CORPUS])
    # Once this task runs, Airflow has recorded the event; if a worker dies before, the next look announces it again.
    confirm = replace(task, id="confirm", command=(*command, "--confirm"), doc="Remember what has been announced")
    announced >> operator(confirm, settings)
