"""`eeg mlflow` answers its user alone, and leaves nothing behind when it ends."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import psutil
import pytest
import requests

from eegdiffusion.operations.mlflow_server import TOKEN, token_in
from tests.browser import needs_chromium, open_page
from tests.mlflow_server import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address and folder of a server that `eeg mlflow` has started, and its process."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("dvc.yaml", "params.yaml", "components", "eegdiffusion"):
        (folder / name).symlink_to(ROOT / name)
    port = free_port()
    words = [sys.executable, "-m", "eegdiffusion.commands", "mlflow", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.2)
    assert process.poll() is None, log.read_text()
    yield f"http://127.0.0.1:{port}", folder, process
    process.kill()
    process.wait()


def _printed(folder: Path) -> str:
    return next(word for line in (folder / "log").read_text().splitlines() for word in line.split() if "token=" in word)


@pytest.mark.parametrize("path", ["/", "/health", "/version", "/static-files/index.html", "/graphql",
                                  "/api/2.0/mlflow/experiments/search?max_results=1", "/ajax-api/3.0/jobs/",
                                  "//token", "/?token=", "/?token=x", "/?Token="])  # fmt: skip
def test_nobody_without_the_token_reads_anything(server, path):
    address, folder, _ = server
    token = token_in(folder / "mlruns")
    guesses = [{}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {token}"}, {"Authorization": token},
               {"Cookie": f"eeg_mlflow={token}"}, {"Cookie": f"eeg_mlflow_{address.rpartition(':')[2]}=x"},
               {"X-Forwarded-For": "127.0.0.1"}]  # fmt: skip
    for headers in guesses:
        answer = requests.get(address + path, headers=headers, allow_redirects=False, timeout=30)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert token not in answer.text
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert requests.request(method, address + path, json={"name": "x"}, timeout=30).status_code == 401


def test_the_address_that_is_printed_lets_a_browser_in(server):
    address, folder, _ = server
    printed = _printed(folder)
    assert printed == f"{address}/?{TOKEN}={token_in(folder / 'mlruns')}"
    browser = requests.Session()
    entrance = browser.get(printed, allow_redirects=False, timeout=30)
    assert (entrance.status_code, entrance.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict"} <= set(entrance.headers["set-cookie"].split("; "))
    page = browser.get(address, timeout=60)
    assert page.status_code == 200
    assert "MLflow" in page.text
    answer = browser.get(f"{address}/ajax-api/2.0/mlflow/experiments/search?max_results=9", timeout=60)
    assert [found["name"] for found in answer.json()["experiments"]] == ["Default"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:8888"},
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_a_page_of_another_port_does_nothing_with_the_cookie(server, headers):
    address, folder, _ = server
    browser = requests.Session()
    browser.get(_printed(folder), timeout=60)
    search = f"{address}/ajax-api/2.0/mlflow/experiments/search?max_results=9"
    create = f"{address}/ajax-api/2.0/mlflow/experiments/create"
    assert browser.get(search, headers=headers, timeout=30).status_code == 401
    assert browser.post(create, json={"name": "forged"}, headers=headers, timeout=30).status_code == 401
    own = {"Origin": address, "Sec-Fetch-Site": "same-origin"}
    assert [each["name"] for each in browser.get(search, headers=own, timeout=60).json()["experiments"]] == ["Default"]
    link = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert browser.get(address, headers=link, timeout=60).status_code == 200
    assert browser.post(create, json={"name": "forged"}, headers=link, timeout=30).status_code == 401


@needs_chromium
def test_the_pages_work_in_a_browser(server, tmp_path):
    """The cookie goes with all that the pages ask for, and the token is not in their address."""
    address, folder, _ = server
    asked = "fetch('/ajax-api/2.0/mlflow/experiments/search?max_results=9').then((answer) => answer.status)"
    with open_page(tmp_path) as page:
        page.open(_printed(folder))
        page.wait("Experiments")
        assert TOKEN not in page.evaluate("location.href")
        assert page.evaluate("document.cookie") == ""  # no script reads it
        assert page.evaluate(asked) == 200
    assert requests.get(address, timeout=30).status_code == 401


def test_the_token_leads_to_no_other_host(server):
    address, folder, _ = server
    for path in ("//example.org/", "/\\example.org/", "///example.org"):
        answer = requests.Request("GET", address).prepare()
        answer.url = f"{address}{path}?a=1&{TOKEN}={token_in(folder / 'mlruns')}"
        with requests.Session() as session:
            location = session.send(answer, allow_redirects=False, timeout=30).headers["location"]
        assert not location.startswith(("//", "/\\"))
        assert location.endswith("?a=1")


def test_programs_show_it_as_mlflow_does(server, monkeypatch):
    address, folder, _ = server
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token_in(folder / "mlruns"))
    client = mlflow.MlflowClient(address)
    experiment = client.create_experiment("of a program")
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "text", "note.txt")
    assert list((folder / "mlruns" / "artifacts").rglob("note.txt"))
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    with pytest.raises(mlflow.MlflowException, match="401"):
        client.search_experiments()


def test_what_it_writes_is_its_users_alone(server):
    _, folder, _ = server
    assert stat.S_IMODE((folder / "mlruns").stat().st_mode) == 0o700
    for path in (folder / "mlruns").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_token_that_others_can_read_is_drawn_anew(tmp_path):
    first = token_in(tmp_path)
    assert token_in(tmp_path) == first
    (tmp_path / TOKEN).chmod(0o644)
    second = token_in(tmp_path)
    (tmp_path / TOKEN).rename(tmp_path / "elsewhere")
    (tmp_path / TOKEN).symlink_to("elsewhere")
    assert len({first, second, token_in(tmp_path)}) == 3
    assert not (tmp_path / TOKEN).is_symlink()


def test_ending_it_ends_all_that_it_started(server):
    """One process serves, so that even a kill leaves nothing behind; the last test, as it ends the server."""
    address, _, process = server
    assert not psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) != 0
