"""Where a failed task and a slow run are reported: the log, and ``EEG_NOTIFY_WEBHOOK`` where that is set.

A run is slow once it has taken longer than a limit. The process of whichever task then runs reports it, once a run.
Airflow's own deadlines are an experiment in 3.3, and their callbacks end the scheduler of an executor that does not
know them (KubernetesExecutor). The usual duration of a run is no measure: DVC skips what has not changed.
"""

import hashlib
import json
import logging
import os
import threading
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

log = logging.getLogger("airflow.task")

_armed: threading.Timer | None = None


def failed(context: dict) -> None:
    """Report a failed task."""
    instance = context["task_instance"]
    text = f"{instance.dag_id} / {instance.task_id} failed in run {instance.run_id}"
    _send(_message("failed", instance, text) | {"error": str(context.get("exception") or "")})


def watch(hours: float, marks: Path) -> Callable[[dict], None]:
    """Return what a task calls as it starts, so that its run is reported if it becomes slow.

    Args:
        hours: a run that takes longer is slow; 0 for never.
        marks: folder that remembers which runs have been reported.
    """

    def start(context: dict) -> None:
        global _armed
        if _armed:  # of an earlier task of this process
            _armed.cancel()
        if not hours:
            return
        instance, since = context["task_instance"], context["dag_run"].start_date
        left = hours * 3600 - (datetime.now(UTC) - since).total_seconds()
        text = f"{instance.dag_id} run {instance.run_id} takes longer than {hours:g} h; now at {instance.task_id}"
        message = _message("slow", instance, text) | {"since": since.isoformat()}
        # A run that is cleared starts anew.
        name = f"{instance.dag_id} {instance.run_id} {since.isoformat()}"
        mark = marks / hashlib.sha256(name.encode()).hexdigest()[:32]
        _armed = threading.Timer(max(left, 0), _send_once, (message, mark))
        _armed.daemon = True
        _armed.start()

    return start


def _message(event: str, instance, text: str) -> dict:
    return {
        "event": event,
        "dag": instance.dag_id,
        "run": instance.run_id,
        "task": instance.task_id,
        "try": instance.try_number,
        "text": text,
    }


def _send_once(message: dict, mark: Path) -> None:
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    except OSError as error:  # better twice than never
        log.warning("%s: %s", mark, error)
    _send(message)


def _send(message: dict) -> None:
    log.error("NOTIFY %s", json.dumps(message))
    if url := os.environ.get("EEG_NOTIFY_WEBHOOK"):
        try:
            request = urllib.request.Request(url, json.dumps(message).encode(), {"Content-Type": "application/json"})
            urllib.request.urlopen(request, timeout=10).close()
        except (OSError, ValueError, HTTPException) as error:  # what it reports must still be recorded
            log.warning("EEG_NOTIFY_WEBHOOK: %s", error)
