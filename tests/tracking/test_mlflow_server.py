"""The MLflow server is reached as MLflow reaches it; what was deleted there is named, or costs nothing."""

import datetime
import http.server
import ipaddress
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eegdiffusion.core.observe.tracking import server, tracked_run
from eegdiffusion.core.observe.tracking.journal import Journal
from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.core.runtime.stage import Stage

ROOT = Path(__file__).parents[2]

VARIABLES = ("URI", "INSECURE_TLS", "SERVER_CERT_PATH", "CLIENT_CERT_PATH", "USERNAME", "PASSWORD", "TOKEN")


@pytest.fixture(autouse=True)
def clean(tmp_path, monkeypatch):
    """Work in an empty folder, with none of the caller's settings of MLflow."""
    for name in VARIABLES:
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    monkeypatch.setenv("EEG_TRACKING_WAIT_SECONDS", "1")
    monkeypatch.chdir(tmp_path)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a certificate of this host that signs itself, and its key."""
    key, subject = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]),
    )
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(names, False).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    signed = builder.sign(key, hashes.SHA256())
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    kinds = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *kinds))
    return paths


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers every question in the same way, and remembers the paths that it was asked for."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    """A function that starts an HTTP server, with TLS where it gets a context."""
    running = []

    def start(
        context: ssl.SSLContext | None = None, status: int = 200, body: bytes = b"OK", **headers: str
    ) -> http.server.ThreadingHTTPServer:
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        web.asked, web.status, web.body, web.headers = [], status, body, headers
        if context:
            web.socket = context.wrap_socket(web.socket, server_side=True)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        running.append(web)
        return web

    yield start
    for web in running:
        web.shutdown()
        web.server_close()


def of_server(pair: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def refusal(expected: type[Exception]) -> str:
    started = time.monotonic()
    with pytest.raises(expected) as raised:
        server.wait()
    if expected is InputError:
        assert time.monotonic() - started < 0.9, "it is said at once"
    return str(raised.value)


def test_a_server_behind_a_private_ca_is_reached_as_mlflow_reaches_it(serve, tmp_path, monkeypatch):
    pair, other = certificate(tmp_path, "server"), certificate(tmp_path, "other")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://localhost:{serve(of_server(pair)).server_port}")
    assert "TLS fails; see MLFLOW_TRACKING_SERVER_CERT_PATH" in refusal(InputError)
    assert not server.answers()
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(other[0]))
    assert "TLS fails" in refusal(InputError)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "none.pem"))
    assert "none.pem" in refusal(InputError)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(pair[0]))
    server.wait()
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    assert "MLFLOW_TRACKING_INSECURE_TLS" in refusal(InputError), "they exclude each other"
    monkeypatch.delenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
    server.wait()


def test_a_server_that_asks_for_a_clients_certificate_gets_it(serve, tmp_path, monkeypatch):
    pair, client = certificate(tmp_path, "server"), certificate(tmp_path, "client")
    context = of_server(pair)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(client[0])
    both = tmp_path / "both.pem"
    both.write_bytes(client[0].read_bytes() + client[1].read_bytes())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://localhost:{serve(context).server_port}")
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(pair[0]))
    monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(both))
    server.wait()
    monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(tmp_path / "none.pem"))
    assert "none.pem" in refusal(InputError)


def test_credentials_and_proxy_are_mlflows(serve, monkeypatch):
    web = serve()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{web.server_port}")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    server.wait()
    assert web.asked == [("/health", "Bearer secret")]
    proxy = serve()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example.org:5000")
    server.wait()
    assert [path for path, _ in proxy.asked] == ["http://mlflow.example.org:5000/health"]


def test_a_proxy_whose_server_is_away_is_waited_for_and_the_reason_is_said(serve, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{serve(status=503).server_port}")
    assert "did not answer within 1 s (status 503)" in refusal(UnavailableError)


@pytest.mark.parametrize(
    "address", ["http://:x/", "https://localhost:99999", "localhost:5000", "htp://x", "./mlruns", "file:///tmp/mlruns"]
)
def test_what_is_no_address_is_said_at_once(monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert "MLFLOW_TRACKING_URI" in refusal(InputError)


@pytest.mark.parametrize(
    ("status", "body", "rule"),
    [
        (200, b"<html>Log in</html>", "is no MLflow; must be .*without the path of a page.*Log in"),
        (404, b"<h1>Not Found</h1>", "is no MLflow; must be .*status 404"),
        (403, b"Invalid Host header - possible DNS rebinding", "start it with `--allowed-hosts`"),
        (400, b"The plain HTTP request was sent to HTTPS port", "speaks TLS; write https://"),
    ],
)
def test_another_program_at_the_address_is_said_at_once(serve, monkeypatch, status, body, rule):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{serve(status=status, body=body).server_port}")
    assert re.search(rule, refusal(InputError))


def test_a_login_that_leads_in_a_circle_is_said_at_once(serve, monkeypatch):
    web = serve(status=302, Location="/login")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{web.server_port}")
    assert "leads in a circle" in refusal(InputError)


def test_a_proxy_that_lets_nothing_but_the_interface_through_is_passed(serve, monkeypatch):
    web = serve(status=404, body=b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}')
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{web.server_port}")
    server.wait()
    assert [path for path, _ in web.asked] == ["/health", server.INTERFACE]


def test_certificates_may_be_those_of_every_program(serve, tmp_path, monkeypatch):
    pair = certificate(tmp_path, "server")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://localhost:{serve(of_server(pair)).server_port}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pair[0]))
    server.wait()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert re.search(r"see .*REQUESTS_CA_BUNDLE \(.*none\.pem", refusal(InputError))


def test_a_path_in_the_address_of_a_store_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here/mlflow.db")
    assert server.uri() == f"sqlite:///{tmp_path}/here/mlflow.db"
    server.experiment("toy")
    assert mlflow.get_experiment_by_name("toy").artifact_location == f"file://{tmp_path}/here/artifacts/toy"


@pytest.mark.parametrize("path", ["/proc/none/mlflow.db", "params.txt"])
def test_what_is_no_store_is_said_with_its_path(tmp_path, monkeypatch, path):
    (tmp_path / "params.txt").write_text("seeds: [0, 1]")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    assert Path(path).name in refusal(InputError)


def test_a_server_that_refuses_this_user_says_so(serve, monkeypatch):
    web = serve(status=401)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{web.server_port}")
    with pytest.raises(InputError, match="refuses this user; see MLFLOW_TRACKING_USERNAME"):
        server.experiment("x")


REFUSAL = b'{"error_code": "PERMISSION_DENIED", "message": "Permission denied"}'


@pytest.mark.parametrize(
    ("status", "body", "code", "rule"),
    [
        (401, b"You are not authenticated", 65, "refuses this user; see MLFLOW_TRACKING_USERNAME"),
        (403, REFUSAL, 65, "refuses this user; see MLFLOW_TRACKING_USERNAME"),
        (500, b"{}", 75, "too many 500 error responses"),
    ],
)
def test_a_command_says_in_a_line_what_the_server_does_not_do(serve, tmp_path, status, body, code, rule):
    words = [sys.executable, "-m", "eegdiffusion.commands", "export", "lft", "exported"]
    variables = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{serve(status=status, body=body).server_port}"}
    variables |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "PYTHONPATH": str(ROOT)}
    process = subprocess.run(words, env=os.environ | variables, capture_output=True, text=True, cwd=tmp_path)
    assert process.returncode == code, process.stderr
    assert rule in process.stderr
    assert process.stderr.count("\n") == 1


def test_patience_must_be_a_number(monkeypatch):
    monkeypatch.setenv("EEG_TRACKING_WAIT_SECONDS", "five")
    with pytest.raises(InputError, match="EEG_TRACKING_WAIT_SECONDS: must be a number of seconds"):
        server.patience_s()


CONTRACT = {"name": "toy", "description": "a toy", "image": "data", "command": ["true"], "outputs": [], "params": []}


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    """A function that tracks a stage in the local store, and returns the id of its run."""
    monkeypatch.setenv("EEG_TRACKING_WAIT_SECONDS", "60")
    (tmp_path / "params.yaml").write_text("{}")
    stage = Stage(contract.validate(CONTRACT, contract.Contract, "toy"), {})
    stage.__dict__["work"] = tmp_path / "work"
    stage.work.mkdir()

    def track(interrupted: bool = False, meanwhile: Callable[[str], None] = lambda run: None) -> str:
        try:
            with tracked_run.tracked(stage, title="toy", corpus="x") as logger:
                run = mlflow.active_run().info.run_id
                logger.log_metrics({"loss": 1.0}, 1)
                logger.drain()
                meanwhile(run)
                if interrupted:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        return run

    return track


def restore(message: str) -> None:
    """Run the command that a message gives."""
    words = message.partition("`")[2].partition("`")[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(words, shell=True, check=True, capture_output=True, env=os.environ | {"PATH": path})


def test_an_interrupted_run_is_taken_up_again_and_a_deleted_one_is_not(tracked, capsys):
    first = tracked(interrupted=True)
    assert tracked(interrupted=True) == first
    mlflow.MlflowClient().delete_run(first)
    second = tracked(interrupted=True)
    assert second != first
    assert f"the run {first} was deleted; training goes on in a new one" in capsys.readouterr().err
    assert tracked() == second
    run = mlflow.get_run(second)
    assert (run.info.status, run.info.lifecycle_stage) == ("FINISHED", "active")
    assert run.data.metrics["loss"] == 1.0


def test_a_run_whose_experiment_was_given_another_name_is_left_there(tracked):
    first = tracked(interrupted=True)
    client = mlflow.MlflowClient()
    client.rename_experiment(client.get_run(first).info.experiment_id, "old")
    second = tracked()
    assert client.get_experiment(client.get_run(second).info.experiment_id).name == "toy"


@pytest.mark.slow
def test_a_deleted_experiment_is_refused_with_the_command_that_restores_it(tracked):
    first = tracked(interrupted=True)
    client = mlflow.MlflowClient()
    client.delete_experiment(client.get_run(first).info.experiment_id)
    said = r"experiment 'toy' was deleted; .*experiments restore --experiment-id"
    with pytest.raises(InputError, match=said) as raised:
        tracked()
    restore(str(raised.value))
    assert tracked() == first


@pytest.mark.slow
def test_a_run_that_is_deleted_while_it_is_trained_is_said_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("EEG_TRACKING_WAIT_SECONDS", "60")
    server.experiment("toy")
    run = mlflow.MlflowClient().create_run(mlflow.get_experiment_by_name("toy").experiment_id).info.run_id
    with Journal(tmp_path / "metrics.jsonl", run) as journal:
        journal.log({"loss": 1.0}, 1)
        journal.drain()
        mlflow.MlflowClient().delete_run(run)
        journal.log({"loss": 2.0}, 2)
        with pytest.raises(UnavailableError, match=rf"the run {run} was deleted; .*runs restore --run-id") as raised:
            journal.drain()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2
    restore(str(raised.value))
    with Journal(tmp_path / "metrics.jsonl", run) as journal:
        journal.drain()
    assert mlflow.get_run(run).data.metrics == {"loss": 2.0}


@pytest.mark.slow
@pytest.mark.parametrize("deleted", ["run", "experiment"])
def test_what_is_deleted_after_the_last_metric_is_said_with_the_command_that_restores_it(tracked, deleted):
    def delete(run: str) -> None:
        client = mlflow.MlflowClient()
        if deleted == "run":
            client.delete_run(run)
        else:
            client.delete_experiment(client.get_run(run).info.experiment_id)
        mlflow.set_tag("figure", "drawn")

    with pytest.raises(UnavailableError, match=rf"{deleted}s restore --{deleted}-id") as raised:
        tracked(meanwhile=delete)
    restore(str(raised.value))
    (run,) = mlflow.search_runs(experiment_names=["toy"], output_format="list")
    assert tracked() == run.info.run_id
    assert mlflow.get_run(run.info.run_id).info.status == "FINISHED"


def test_a_run_whose_name_was_half_written_is_none(tracked, tmp_path):
    (tmp_path / "work" / server.REFERENCE).write_text("")
    run = tracked(interrupted=True)
    assert tracked() == run
