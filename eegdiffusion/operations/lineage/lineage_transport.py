"""Where OpenLineage's events go: to a file of the clone, or to a server that the standard's own variables name.

No run waits for it, and none fails for it: what could not be sent is sent with the next events.
"""

import fcntl
import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from eegdiffusion.core.observe.tracking import dvc_lock
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.run_record import read_records
from eegdiffusion.operations.lineage.locked_graph import LockedGraph, read_locked_graph
from eegdiffusion.operations.lineage.open_lineage import Event, stage_events, stage_run

FILE = "openlineage.jsonl"
"""File that events are appended to, one a line, where no server is named; it lies beside MLflow's local store."""

STORE, LOCAL = "sqlite:///", Path("mlruns")

SENT = Path(".work", "openlineage", "sent.txt")
"""Ids of the runs of stages whose events are out."""

WAITING = Path(".work", "openlineage", "waiting.jsonl")
"""Events of the registry that no server has taken yet."""

URL, ENDPOINT, KEY = "OPENLINEAGE_URL", "OPENLINEAGE_ENDPOINT", "OPENLINEAGE_API_KEY"
NAMESPACE, DISABLED = "OPENLINEAGE_NAMESPACE", "OPENLINEAGE_DISABLED"
"""Variables of OpenLineage's clients."""

TIMEOUT_S = 5


def namespace() -> str:
    """Return the namespace of jobs and data: ``OPENLINEAGE_NAMESPACE``, or the project's name."""
    return os.environ.get(NAMESPACE) or "eeg-diffusion-workflow"


def enabled() -> bool:
    """Whether events are wanted."""
    return os.environ.get(DISABLED, "").lower() not in ("1", "true", "yes")


def destination() -> str:
    """Return where events go: the server's address without what stands before its host, or the file."""
    url = os.environ.get(URL)
    return urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl() if url else str(event_file())


def event_file() -> Path:
    """Return the file of events: of all workspaces of a clone the same, as of MLflow's local store."""
    store = os.environ.get("MLFLOW_TRACKING_URI", "")
    return (Path(store.removeprefix(STORE)).parent if store.startswith(STORE) else LOCAL) / FILE


def _send(events: Sequence[Event]) -> None:
    """Send events to the server, or append them to the file.

    Raises:
        OSError: the server does not take them, or the file cannot be written.
    """
    if not (url := os.environ.get(URL)):
        if events:
            path = event_file()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # stages that run side by side end at the same time
                file.write("".join(json.dumps(event) + "\n" for event in events))
        return
    import requests  # its errors are OSErrors

    key = os.environ.get(KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = f"{url.rstrip('/')}/{os.environ.get(ENDPOINT, 'api/v1/lineage').lstrip('/')}"
    for event in events:
        requests.post(address, json=event, headers=headers, timeout=TIMEOUT_S).raise_for_status()


def _sent() -> set[str]:
    return set(SENT.read_text().split()) if SENT.is_file() else set()


def _present() -> LockedGraph:
    """Return the stages of ``dvc.lock`` that ``dvc.yaml`` has now; those of earlier versions are long out."""
    from eegdiffusion.operations.lineage.workspace_graph import open_workspace_graph

    with open_workspace_graph() as workspace:
        return workspace.graph


def emit_stages(names: Iterable[str] | None = None) -> int:
    """Emit the events of stages whose results ``dvc.lock`` holds and that are not out yet.

    Args:
        names: DVC's names of the stages that are looked at; None: all that ``dvc.yaml`` has.

    Returns:
        number of runs whose events went out. What goes wrong is said in a line on stderr.
    """
    if not enabled():
        return 0
    count = 0
    try:
        graph = _present() if names is None else read_locked_graph(dvc_lock.read() or "")
        records = {"@".join(filter(None, (each.stage, each.item))): each for each in read_records()}
        sent, now = _sent(), datetime.now(UTC)
        for name in list(graph.stages) if names is None else names:
            stage = graph.stages.get(name)
            run = stage and stage_run(stage, records.get(name), namespace())
            if stage is None or run is None or run in sent:
                continue
            _send(stage_events(graph, stage, records.get(name), namespace(), now))
            SENT.parent.mkdir(parents=True, exist_ok=True)
            with SENT.open("a") as file:
                file.write(f"{run}\n")
            count += 1
    except (OSError, InputError, KeyError, ValueError) as error:
        say(f"OpenLineage: events of stages could not be sent, and are tried again later ({error})", stream=sys.stderr)
    return count


def emit(events: Sequence[Event]) -> None:
    """Emit events that nothing else holds; those that cannot be sent wait in a file, and go with the next."""
    if not enabled():
        return
    try:
        waiting = [json.loads(line) for line in WAITING.read_text().splitlines()] if WAITING.is_file() else []
        try:
            _send([*waiting, *events])
            WAITING.unlink(missing_ok=True)
        except OSError as error:
            WAITING.parent.mkdir(parents=True, exist_ok=True)
            WAITING.write_text("".join(json.dumps(event) + "\n" for event in [*waiting, *events]))
            say(f"OpenLineage: {WAITING} keeps events until the next ({error})", stream=sys.stderr)
    except (OSError, ValueError) as error:
        say(f"OpenLineage: events could not be kept ({error})", stream=sys.stderr)
