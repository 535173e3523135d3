"""What is told, and to whom, when a task fails; and which failures are worth no retry."""

import json
import logging
import os
import urllib.request
from urllib.error import URLError

from airflow.sdk.exceptions import AirflowFailException

log = logging.getLogger("airflow.task")


def bad_input(where: str) -> AirflowFailException:
    """The error that fails a task at once, whatever its retries: configuration or data are wrong."""
    return AirflowFailException(f"{where}: bad configuration or data (exit status 65); see above. Not retried.")


def notify(context: dict) -> None:
    """Tell of a failed task: in the log, and to ``EEG_NOTIFY_WEBHOOK`` where that is set."""
    instance = context["task_instance"]
    message = {
        "dag": instance.dag_id,
        "run": instance.run_id,
        "task": instance.task_id,
        "try": instance.try_number,
        "error": str(context.get("exception", "")),
        "text": f"{instance.dag_id} / {instance.task_id} failed in run {instance.run_id}",
    }
    log.error("NOTIFY %s", json.dumps(message))
    if url := os.environ.get("EEG_NOTIFY_WEBHOOK"):
        request = urllib.request.Request(url, json.dumps(message).encode(), {"Content-Type": "application/json"})
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except (URLError, OSError) as error:  # the failure itself must still be recorded
            log.warning("EEG_NOTIFY_WEBHOOK: %s", error)
