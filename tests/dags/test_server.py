"""The local Airflow as an operator has it: a real server, scheduler and executor, and the page in a real browser.

One server for all of it, as it takes half a minute to start. Tokens of tasks live for ten seconds, less than a stage.
"""

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import psutil
import pytest
import yaml

from eegdiffusion.core.runtime.allotment import allotted_cores
from eegdiffusion.operations.orchestration import corpus_watch
from tests.browser import needs_chromium, open_page
from tests.dags.airflow_home import ROOT, stub
from tests.dags.listener import listen
from tests.e2e.workspace import environment
from tests.tuev_fixture import signals, write_corpus

pytestmark = [pytest.mark.timeout(900), pytest.mark.ordered]

STAGES = """stages:
  prepare:
    cmd: mkdir -p data && echo 1 > data/prepared
    outs: [data/prepared]
    meta: {airflow: {gpus: 0, cpus: 64, memory_gb: 1, shm_gb: 1, retries: 2, timeout_min: 5}}
  train:
    matrix:
      seed: [0, 1]
    cmd: echo ${item.seed} >> "$EEG_RUNS/ran.log" && sleep ${seconds} && cp data/prepared data/model-${item.seed}
    deps: [data/prepared]
    params: [seconds]
    outs:
      - data/model-${item.seed}
    meta: {airflow: {gpus: 0, cpus: 1, memory_gb: 1, shm_gb: 1, retries: 2, timeout_min: 5}}
"""


PARAMS = {
    "seconds": 15,
    "event_corpora": {
        "tuev": {"root": "corpora/edf", "layout": "tuev"},
        "blinks": {"root": "corpora/blinks", "layout": "epochs", "montage": "muse", "window_s": 2.0},
    },
    "montages": {"muse": ["TP9", "AF7", "AF8", "TP10"]},
    "image_corpora": {},
    "ingest_events": {},
    "ingest_images": {},
    "preprocess_events": {"filtering": {}},
}


@dataclass
class Server:
    """A running server."""

    url: str
    password: str
    repository: Path
    process: subprocess.Popen
    messages: list[dict]
    log: Path

    def call(self, path: str, body: dict | None = None, token: str | None = None, method: str | None = None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        with build_opener(ProxyHandler({})).open(
            Request(self.url + path, data, headers, method=method), timeout=60
        ) as answer:
            return json.load(answer)

    def api(self, path: str, body: dict | None = None, dag: str = "eeg_retrain"):
        token = self.call("/auth/token", {"username": "admin", "password": self.password})["access_token"]
        return self.call(f"/api/v2/dags/{dag}/{path}", body, token)

    def unpause(self, dag: str) -> None:
        token = self.call("/auth/token", {"username": "admin", "password": self.password})["access_token"]
        self.call(f"/api/v2/dags/{dag}", {"is_paused": False}, token, "PATCH")

    def states(self) -> dict[str, str]:
        return {run["dag_run_id"]: run["state"] for run in self.api("dagRuns")["dag_runs"]}

    def tasks(self, run: str, dag: str = "eeg_retrain") -> dict[str, tuple[str, int]]:
        found = self.api(f"dagRuns/{run}/taskInstances", dag=dag)["task_instances"]
        return {task["task_id"]: (task["state"], task["try_number"]) for task in found}

    def wait(self, condition, seconds: float = 300):
        """Wait until a condition is true and return its value."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(OSError):  # no answer, or a late one
                if found := condition():
                    return found
            assert time.monotonic() < deadline, self.log.read_text()[-5000:]
            assert self.process.poll() is None, self.log.read_text()[-5000:]
            time.sleep(0.5)

    def stage(self, name: str) -> psutil.Process | None:
        """The process that a task started to run a stage."""
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            mine = words[1:] == ["-m", "eegdiffusion.operations.orchestration.run_stage", name]
            if mine and Path(process.cwd()).is_relative_to(self.repository):
                return process
        return None

    def ran(self) -> list[str]:
        path = self.repository / "runs" / "ran.log"
        return sorted(path.read_text().split()) if path.is_file() else []


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("server")
    repository = stub(root / "repository", STAGES, yaml.safe_dump(PARAMS))
    write_corpus(repository / "corpora/edf", train=3, test=1)
    for name in ("ann", "bob", "cam"):
        write_blinks(repository / "corpora/blinks" / f"{name}.npz")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = root / "server.log"
    with listen() as (hook, messages), log.open("w") as output:
        kept = {k: v for k, v in environment(warm=False).items() if not k.startswith(("AIRFLOW", "EEG_", "PYTEST"))}
        settings = kept | {
            "AIRFLOW_HOME": str(root / "home"),
            "AIRFLOW_PORT": str(port),
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": "10",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "EEG_NOTIFY_WEBHOOK": hook,
            "EEG_REPOSITORY": str(repository),
            "EEG_INGEST_CRON": "0 0 1 1 *",
            "EEG_RETRY_SECONDS": "1",
            "EEG_SETTLE_SECONDS": "0.01",
            "EEG_SLOW_HOURS": "0.0005",
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
        }
        words = [sys.executable, "-m", "eegdiffusion.commands", "airflow"]
        process = subprocess.Popen(words, cwd=ROOT, env=settings, stdout=output, stderr=subprocess.STDOUT)
        try:
            found = Server(f"http://127.0.0.1:{port}", "", repository, process, messages, log)
            found.password = found.wait(lambda: log.read_text().partition("password: ")[2].partition(" ")[0])
            found.wait(lambda: _answers(found))
            yield found
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def write_blinks(path: Path) -> None:
    """Write epochs of a subject of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = signals([str(k) for k in range(8 * 4)], 2, 256, seed=sum(path.name.encode())).reshape(8, 4, 512)
    channels = PARAMS["montages"]["muse"]
    np.savez(path, X=data, y=np.arange(8) % 2, ch_names=channels, sfreq=256, subject=path.stem, unit="uV")


def _answers(server: Server) -> bool:
    server.api("details")
    return server.call("/api/v2/monitor/health")["scheduler"]["status"] == "healthy"


@needs_chromium
def test_the_page_shows_the_graph_and_starts_a_run_that_succeeds(server, tmp_path):
    with open_page(tmp_path / "browser", timeout=120) as page:
        page.open(f"{server.url}/dags/eeg_retrain")
        page.wait("Sign in")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", server.password)
        page.click(selector="button[type=submit]")
        page.wait("eeg_retrain", "Trigger")
        page.click(selector="[aria-label='Show Graph (Press g)']")
        page.click(selector="[data-testid=expand-all-button]")
        page.wait("open_run", "prepare", "train", "finalize", "register", "React Flow")
        page.screenshot(tmp_path / "graph.png")
        page.click(selector="[data-testid=trigger-dag-button]")
        page.wait_for(_STILL)
        page.click(selector="[data-testid=trigger-dag-submit]")
        (run,) = server.wait(server.states)
        # A second one, while the first is there: it has to wait.
        server.api("dagRuns", {"dag_run_id": "second", "logical_date": None})
        server.wait(lambda: server.states()[run] == "running" and server.tasks(run)["prepare"][0] == "success")
        assert server.states() == {run: "running", "second": "queued"}
        _kill_the_worker(server)
        server.wait(lambda: server.states()[run] not in ("queued", "running"))
        page.open(f"{server.url}/dags/eeg_retrain/runs/{run}")
        page.wait("Success", "train", "prepare")
        page.screenshot(tmp_path / "run.png")
        assert not page.problems
    tasks = server.tasks(run)
    assert {state for state, _ in tasks.values()} == {"success"}
    # Stages took 15 s, tokens live for 10 s; the one whose worker was killed had another try.
    assert tasks["train.0"][1] == 2
    assert all(n == 1 for name, (_, n) in tasks.items() if name != "train.0")
    assert server.ran() == ["0", "1"], "nothing ran twice"


# The dialog's button can be pressed, and has stopped moving.
_STILL = """(async () => {
  const button = document.querySelector("[data-testid=trigger-dag-submit]");
  if (!button || button.disabled) return false;
  const before = button.getBoundingClientRect().y;
  await new Promise((done) => setTimeout(done, 500));
  return button.getBoundingClientRect().y === before;
})()"""


def _kill_the_worker(server: Server) -> None:
    """Kill the executor's worker and the task that it supervises; the stage goes on."""
    stage = server.wait(lambda: server.stage("train@0"))
    server.wait(lambda: "0" in server.ran())
    task = stage.parent()
    worker = task.parent()
    assert "LocalExecutor" in " ".join(worker.cmdline()), worker.cmdline()
    worker.kill()
    task.kill()
    assert stage.is_running()


def test_a_run_that_waited_succeeds_too_and_each_was_told_of_once_as_slow(server):
    server.wait(lambda: set(server.states().values()) == {"success"})
    assert server.ran() == ["0", "1"], "the second run found all in the cache"
    told = [m["run"] for m in server.messages if m["event"] == "slow" and m["dag"] == "eeg_retrain"]
    assert sorted(told) == sorted(server.states())


def test_a_valid_recording_of_any_corpus_starts_a_run_and_a_broken_one_does_not(server, monkeypatch):
    """Of a corpus of another layout than TUEV's, beside it; what was there before has been announced."""
    states, blinks = server.repository / "runs/.corpus.json", server.repository / "corpora/blinks"
    with monkeypatch.context() as patch:
        patch.chdir(server.repository)
        for words in ([], ["--confirm"]):
            patch.setattr("sys.argv", ["corpus", "--state", str(states), "--settle-seconds", "0", *words])
            corpus_watch.main()
    write_blinks(blinks / "dan.npz")
    content = (blinks / "dan.npz").read_bytes()
    (blinks / "dan.npz").write_bytes(content[:1000])
    (blinks / "dan.txt").write_text("is no recording")
    before = server.states()

    def ingest(name: str) -> dict[str, tuple[str, int]]:
        server.api("dagRuns", {"dag_run_id": name, "logical_date": None}, "eeg_ingest")
        server.wait(lambda: server.api(f"dagRuns/{name}", dag="eeg_ingest")["state"] in ("success", "failed"))
        return server.tasks(name, "eeg_ingest")

    server.unpause("eeg_ingest")
    assert ingest("broken") == {"check_corpus": ("failed", 1), "confirm": ("upstream_failed", 0)}
    logged = json.dumps(server.api("dagRuns/broken/taskInstances/check_corpus/logs/1", dag="eeg_ingest")["content"])
    assert "dan.npz" in logged
    assert "dan.txt" in logged
    assert server.states() == before
    (blinks / "dan.npz").write_bytes(content)
    assert {state for state, _ in ingest("mended").values()} == {"success"}
    (run,) = server.wait(lambda: server.states().keys() - before.keys())
    assert server.api(f"dagRuns/{run}")["run_type"] == "asset_triggered"
    server.wait(lambda: server.states()[run] == "success")


def test_pools_have_the_size_of_the_machine(server):
    token = server.call("/auth/token", {"username": "admin", "password": server.password})["access_token"]
    found = {pool["name"]: pool["slots"] for pool in server.call("/api/v2/pools", token=token)["pools"]}
    assert found["cpu"] == allotted_cores()
    assert found["gpu"] == 1
    (prepare,) = [t for t in server.api("dagRuns/second/taskInstances")["task_instances"] if t["task_id"] == "prepare"]
    assert prepare["pool_slots"] == found["cpu"], "it asks for 64 cores"


def test_all_that_listens_does_so_on_this_machine_alone(server):
    ours = psutil.Process(server.process.pid).children(recursive=True)
    listening = [socket for process in ours for socket in process.net_connections() if socket.status == "LISTEN"]
    assert listening
    assert {socket.laddr.ip for socket in listening} == {"127.0.0.1"}


def test_what_it_writes_is_its_users_alone(server):
    """Also the logs, whose modes Airflow sets by itself, and the password."""
    home = server.repository.parent / "home"
    written = [home, *home.rglob("*"), *(server.repository / "runs").glob("*/data")]
    assert {"airflow.cfg", "airflow.db", "logs", "data"} <= {path.name for path in written}
    assert any(path.name.startswith("attempt=") for path in written)
    for path in written:
        with suppress(FileNotFoundError):  # of a moment
            assert path.lstat().st_mode & 0o077 == 0 or path.is_symlink(), path


def test_ending_the_server_ends_all_of_its_processes_and_keeps_the_workspace(server):
    conf = {"overrides": {"seconds": 600}}
    server.api("dagRuns", {"dag_run_id": "third", "logical_date": None, "conf": conf})
    stage = server.wait(lambda: server.stage("train@1"))
    server.wait(lambda: server.ran().count("1") == 2)
    running = psutil.Process(server.process.pid).children(recursive=True)
    assert stage in running
    assert len(running) > 8
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 128 + signal.SIGTERM
    assert not [process for process in running if process.is_running()]
    assert (server.repository / "runs" / "third" / "data" / "prepared").is_file()
