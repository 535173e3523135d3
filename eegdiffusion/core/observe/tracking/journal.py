"""Metrics on their way to MLflow: written to a file at once and sent from there, so that an outage costs nothing.

``python -m eegdiffusion.core.observe.tracking.journal`` sends what stages that were stopped have left below ``.work``.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.protos.service_pb2 import LogBatch
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.proto_json_utils import message_to_json
from mlflow.utils.rest_utils import http_request, verify_rest_response

from eegdiffusion.core.observe.tracking import server
from eegdiffusion.core.runtime.errors import EXIT_UNAVAILABLE, UnavailableError
from eegdiffusion.core.runtime.printable import say

NAME = "metrics.jsonl"
BATCH = 1000
"""Metrics in a request; MLflow's limit."""

PERIOD_S = 1.0
"""How often the file is looked at, and a server that is away asked for."""

LOG_BATCH, TIMEOUT_S = "/api/2.0/mlflow/runs/log-batch", 30


def _log(run_id: str, metrics: list[Metric]) -> None:
    """Send metrics to the server or the local store, once."""
    if not server.remote():
        MlflowClient(server.uri()).log_batch(run_id, metrics)
        return
    # The client would try for minutes, with pauses of up to two, and learn late that the server is back.
    body = json.loads(message_to_json(LogBatch(run_id=run_id, metrics=[metric.to_proto() for metric in metrics])))
    credentials = get_default_host_creds(server.uri())
    answer = http_request(credentials, LOG_BATCH, "POST", max_retries=0, timeout=TIMEOUT_S, json=body)
    verify_rest_response(answer, LOG_BATCH)


def deletion(run_id: str, journal: Path) -> UnavailableError | None:
    """Return the error of a stage whose run was deleted while it was at work; None where the server says no such thing.

    Args:
        run_id: id of the run.
        journal: the file of its metrics.
    """
    try:
        absence = server.answers() and server.absence_of(run_id)
    except MlflowException:
        return None
    if not absence:
        return None
    return UnavailableError(
        f"MLflow: {absence}. Without it the same command goes on in a new run: {journal} keeps the metrics, and the "
        "training its checkpoints"
    )


class Journal:
    """A file with a line for each call, and a thread that sends its lines to a run.

    How far the file has been sent stands beside it; sending a line twice changes nothing, as MLflow keeps a metric of
    the same name, step, time and value once. So a process that was killed and started again goes on where it was.

    Args:
        path: the file; kept by whoever owns the folder until all of it is sent.
        run_id: the run.
        resend: send the whole file, whatever had been sent to another run.
    """

    def __init__(self, path: Path, run_id: str, resend: bool = False):
        self.path, self.run_id = path, run_id
        self._mark = path.with_suffix(".sent")
        self._sent = int(self._mark.read_text()) if self._mark.exists() and not resend else 0
        self._drop_half_a_line()
        self._file = path.open("a")
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._error = ""
        self._deletion: UnavailableError | None = None
        self._thread = threading.Thread(target=self._keep_sending, daemon=True, name="metrics to MLflow")

    def _drop_half_a_line(self) -> None:
        if self.path.exists():
            written = self.path.read_bytes()
            complete = written.rfind(b"\n") + 1
            if complete < len(written):
                os.truncate(self.path, complete)

    def __enter__(self) -> "Journal":
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        # After an error too, what was measured goes out if it can at once; else it stays in the file.
        if raised[0] and server.answers():
            self._wait(10)
        self._stop.set()
        self._thread.join(10)
        self._file.close()

    def log(self, metrics: dict[str, float], step: int) -> None:
        """Take metrics, without waiting for anything but the disk."""
        line = {"time": time.time_ns() // 1_000_000, "step": step, "metrics": metrics}
        with self._lock:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    @property
    def pending(self) -> int:
        """Bytes that are not yet sent."""
        return self.path.stat().st_size - self._sent

    def drain(self) -> None:
        """Wait until everything is sent.

        Raises:
            UnavailableError: it was not within ``EEG_TRACKING_WAIT_SECONDS``, or the run was deleted; the file stays.
        """
        if not self._wait(server.patience_s()):
            if self._deletion:
                raise self._deletion
            raise UnavailableError(
                f"{server.uri()}: MLflow did not take this run's metrics within {server.patience_s():g} s "
                f"({self._error or 'no answer yet'}). {self.path} keeps them, and the training its checkpoints: run "
                "the same command again, or send the metrics alone with "
                "`python -m eegdiffusion.core.observe.tracking.journal`"
            )

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pending and not self._deletion and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.pending

    def _keep_sending(self) -> None:
        away = False
        while True:
            stopping = self._stop.is_set()
            try:
                self._send()
                if away:
                    say(f"{server.uri()}: MLflow answers again", stream=sys.stderr)
                away, self._error = False, ""
            except Exception as error:  # whatever it is, training goes on, and drain() tells it
                self._error = str(error)
                self._deletion = deletion(self.run_id, self.path) if isinstance(error, MlflowException) else None
                if not away:
                    text = f"{server.uri()}: MLflow does not take metrics ({error}); {self.path} keeps them until then"
                    say(text, stream=sys.stderr)
                away = True
            if stopping:
                return
            self._stop.wait(PERIOD_S)

    def _send(self) -> None:
        while self.pending:
            metrics, end = self._unsent()
            for first in range(0, len(metrics), BATCH):
                _log(self.run_id, metrics[first : first + BATCH])
            partial = self._mark.with_suffix(".partial")
            partial.write_text(str(end))
            partial.replace(self._mark)
            self._sent = end

    def _unsent(self) -> tuple[list[Metric], int]:
        """Return metrics of the next lines, at least ``BATCH`` where there are so many, and where those lines end."""
        metrics: list[Metric] = []
        end = self._sent
        with self.path.open("rb") as file:
            file.seek(self._sent)
            for line in file:
                if not line.endswith(b"\n") or len(metrics) >= BATCH:
                    break
                end += len(line)
                row = json.loads(line)
                metrics += [Metric(name, x, row["time"], row["step"]) for name, x in row["metrics"].items()]
        return metrics, end


def main() -> None:
    """Send what is left of every unfinished stage."""
    for path in sorted(Path(".work").glob(f"*/*/{NAME}")):
        run_id = json.loads((path.parent / server.REFERENCE).read_text())["run_id"]
        with Journal(path, run_id) as journal:
            journal.drain()
        say(f"{path}: sent to run {run_id}")


if __name__ == "__main__":
    try:
        main()
    except UnavailableError as error:
        say(*f"journal: {error}".split("\n"), stream=sys.stderr)
        raise SystemExit(EXIT_UNAVAILABLE) from error
