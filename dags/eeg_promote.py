"""Promote: after a report, let the challengers that pass the registry's gate become champions.

With ``EEG_APPROVAL`` a person approves them first: ``propose`` says what would be promoted, ``approve`` waits for the
answer, and ``promote`` moves the alias to what was proposed and to nothing that was registered since.
"""

from _assets import REPORT
from _operators import approval, operator
from _plan import Task
from _settings import Settings
from airflow.sdk import DAG

settings = Settings()


def _gate(name: str, *options: str):
    home = "" if settings.git_url else settings.repository
    return operator(
        Task(name, ("python", "-m", "eegdiffusion.commands", "promote", *options), home, image="train", keys="verify"),
        settings,
    )


with DAG(
    "eeg_promote",
    description="Gate the challengers of the registry; those that pass become champions",
    schedule=REPORT,
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["eeg"],
) as dag:
    if settings.approval:
        ask = approval(
            "approve",
            subject="Promote the challengers that passed the gate?",
            body="The log of the task `propose` lists them; MLflow's registry has their model cards.",
        )
        _gate("propose", "--propose") >> ask >> _gate("promote", "--approved")
    else:
        _gate("promote")
