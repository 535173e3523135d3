"""Who is told of failed tasks and slow runs: real Airflow, and a real receiver of the webhook."""

import importlib
import time
from datetime import UTC, datetime

import pytest

from tests.dags.airflow_home import RESOURCES, Airflow, stub
from tests.dags.listener import listen

STAGES = f"""stages:
  one:
    cmd: sleep 2 && mkdir -p data && echo 1 > data/one
    outs: [data/one]
    {RESOURCES}
  two:
    cmd: exit ${{status}}
    deps: [data/one]
    params: [status]
    {RESOURCES}
"""


@pytest.fixture
def airflow(airflow_home, tmp_path):
    return Airflow(airflow_home, stub(tmp_path / "repository", STAGES, "status: 65\n"))


def test_a_slow_run_is_told_of_once_and_a_failed_task_with_its_error(airflow):
    with listen() as (url, messages):
        found = airflow.dag("eeg_retrain", EEG_NOTIFY_WEBHOOK=url, EEG_SLOW_HOURS="0.0003", NO_PROXY="127.0.0.1")
    assert found["tasks"]["two"] == "failed", found["log"][-6000:]
    by_event = {event: [m for m in messages if m["event"] == event] for event in ("slow", "failed")}
    (slow,), (failed,) = by_event["slow"], by_event["failed"]
    assert len(messages) == 2
    assert found["log"].count("NOTIFY") == 2
    assert slow["dag"] == failed["dag"] == "eeg_retrain"
    assert slow["run"] == failed["run"] == found["run_id"]
    assert "takes longer than 0.0003 h" in slow["text"]
    assert slow["task"] in ("open_run", "one")
    assert failed["task"] == "two"
    assert failed["try"] == 1
    assert "exit status 65" in failed["error"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "no address"])
def test_a_receiver_that_is_not_there_changes_nothing_else(monkeypatch, caplog, url):
    notify = importlib.import_module("_notify")
    instance = type("Instance", (), {"dag_id": "d", "run_id": "r", "task_id": "t", "try_number": 1})()
    monkeypatch.setenv("EEG_NOTIFY_WEBHOOK", url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    notify.failed({"task_instance": instance, "exception": ValueError("broken")})
    assert "NOTIFY" in caplog.text
    assert '"error": "broken"' in caplog.text
    assert "EEG_NOTIFY_WEBHOOK: " in caplog.text


def test_a_run_within_its_time_is_not_told_of(tmp_path):
    notify = importlib.import_module("_notify")
    since = datetime.now(UTC)
    run = type("Run", (), {"start_date": since})
    with listen() as (url, messages), pytest.MonkeyPatch.context() as patch:
        patch.setenv("EEG_NOTIFY_WEBHOOK", url)
        patch.setenv("NO_PROXY", "127.0.0.1")
        for hours, told in ((0, 0), (1, 0), (2 / 3600, 1), (2 / 3600, 1)):
            instance = type("Instance", (), {"dag_id": "d", "run_id": "r", "task_id": f"t{hours}", "try_number": 1})()
            notify.watch(hours, tmp_path / "marks")({"task_instance": instance, "dag_run": run})
            time.sleep(max(0.0, 3 - (datetime.now(UTC) - since).total_seconds()) if told else 0.1)
            assert len(messages) == told, "once a run, by whichever task runs then"
