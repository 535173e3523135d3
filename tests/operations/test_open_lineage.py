"""OpenLineage's events: what the specification asks for, and the edges of dvc.lock, over a graph that DVC has run."""

import json
import shutil
import threading
from contextlib import chdir
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from eegdiffusion.commands.openlineage import command
from eegdiffusion.operations.lineage import lineage_transport
from eegdiffusion.operations.lineage.locked_graph import LockedPath
from eegdiffusion.operations.lineage.open_lineage import registry_events
from eegdiffusion.operations.orchestration.run_stage import run_stage
from tests.dvc_clone import RECORDINGS, make_clone, run

pytestmark = pytest.mark.service

FACET = {
    "type": "object",
    "required": ["_producer", "_schemaURL"],
    "properties": {
        "_producer": {"format": "uri"},
        "_schemaURL": {"pattern": r"^https://openlineage\.io/spec/.*#/\$defs/\w+$"},
    },
}
"""A facet, by the specification's BaseFacet."""


def facets(**required):
    """Facets by name, of which some need fields."""
    special = {
        name: {"allOf": [FACET, {"required": list(fields), "properties": fields}]} for name, fields in required.items()
    }
    return {"type": "object", "properties": special, "additionalProperties": FACET}


TEXT, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {
        "namespace": TEXT,
        "name": TEXT,
        "facets": facets(version={"datasetVersion": TEXT}),
        "outputFacets": facets(outputStatistics={"size": COUNT, "fileCount": COUNT}),
    },
    "additionalProperties": False,
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventType", "eventTime", "run", "job", "producer", "schemaURL"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {
                "runId": {"type": "string", "format": "uuid"},
                "facets": facets(
                    processing_engine={"version": TEXT}, errorMessage={"message": TEXT, "programmingLanguage": TEXT}
                ),
            },
            "additionalProperties": False,
        },
        "job": {
            "type": "object",
            "required": ["namespace", "name"],
            "properties": {
                "namespace": TEXT,
                "name": TEXT,
                "facets": facets(
                    jobType={"processingType": {"enum": ["BATCH"]}, "integration": TEXT},
                    documentation={"description": TEXT},
                ),
            },
            "additionalProperties": False,
        },
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": DATASET},
    },
    "additionalProperties": False,
}
"""RunEvent of the specification 2-0-2, with the facets that are sent and none of the fields that it does not know."""

VALIDATOR = jsonschema.Draft202012Validator(RUN_EVENT, format_checker=jsonschema.FormatChecker())


@pytest.fixture(scope="module")
def finished(make_once):
    return make_once("lineage-clone", make_clone)


@pytest.fixture
def clone(finished, tmp_path, monkeypatch):
    """A copy of the finished clone, the tests' working folder; no variable of OpenLineage's is set."""
    for name in (lineage_transport.URL, lineage_transport.NAMESPACE, lineage_transport.DISABLED, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    path = shutil.copytree(finished, tmp_path / "clone", symlinks=True)
    with chdir(path):
        yield path


def openlineage(*words):
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def events():
    file = lineage_transport.event_file()
    lines = file.read_text().splitlines() if file.is_file() else []
    return [json.loads(line) for line in lines]


def edges(completed):
    """Edges of events: who wrote a data set, the data set, who read it."""
    writers = {output["name"]: event["job"]["name"] for event in completed for output in event["outputs"]}
    return {
        (writers.get(data["name"]), data["name"], event["job"]["name"])
        for event in completed
        for data in event["inputs"]
    }


def locked_edges():
    """The same of dvc.lock, told plainly: an edge for each output that a dependency is, is in, or holds."""
    lock = yaml.safe_load(Path("dvc.lock").read_text())["stages"]
    outs = [(name, Path(out["path"])) for name, stage in lock.items() for out in stage["outs"]]
    result = set()
    for name, stage in lock.items():
        for path in (Path(dep["path"]) for dep in stage["deps"] if not dep["path"].startswith("components/")):
            behind = [(w, out) for w, out in outs if path.is_relative_to(out) or out.is_relative_to(path)]
            result |= {(w, out.as_posix(), name) for w, out in behind} or {(None, path.as_posix(), name)}
    return result


def test_events_are_valid_and_their_edges_are_those_of_the_lock(clone):
    assert "events of 7 runs" in openlineage()
    sent = events()
    for event in sent:
        VALIDATOR.validate(event)
    completed = [event for event in sent if event["eventType"] == "COMPLETE"]
    assert len(completed) == 7
    assert edges(completed) == locked_edges()
    lock = yaml.safe_load(Path("dvc.lock").read_text())["stages"]
    for event in completed:
        written = {data["name"]: data["facets"]["version"]["datasetVersion"] for data in event["outputs"]}
        assert written == {out["path"]: out["md5"] for out in lock[event["job"]["name"]]["outs"]}
        started = [each for each in sent if each["run"]["runId"] == event["run"]["runId"]]
        assert [each["eventType"] for each in started] == ["START", "COMPLETE"]
        assert started[0]["eventTime"] <= started[1]["eventTime"]
    everything = lineage_transport.event_file().read_text()
    assert not [name for name in RECORDINGS if Path(name).stem in everything]


def test_a_run_is_sent_once_and_a_later_one_by_itself(clone):
    openlineage()
    assert "events of 0 runs" in openlineage()
    (clone / "prepared/recorded.json").write_text('{"cohen_kappa": 0.7}')
    assert run_stage("finetune_lft@recorded-1", "--force") == 0
    new = events()[14:]
    assert [(event["job"]["name"], event["eventType"]) for event in new] == [
        ("finetune_lft@recorded-1", "START"), ("finetune_lft@recorded-1", "COMPLETE")
    ]  # fmt: skip
    assert "events of 7 runs" in openlineage("--again")


def test_a_stage_that_fails_is_an_event_without_data(clone):
    graph = yaml.safe_load(Path("dvc.yaml").read_text())
    graph["stages"]["report"]["cmd"] = "exit 1"
    Path("dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    assert run_stage("report") != 0
    start, fail = events()
    for event in (start, fail):
        VALIDATOR.validate(event)
    assert (start["eventType"], fail["eventType"]) == ("START", "FAIL")
    assert fail["run"]["facets"]["errorMessage"]["message"].startswith("exit status")
    assert fail["outputs"] == []


def test_registrations_and_promotions_join_the_graph_of_the_stages(clone):
    openlineage()
    result = LockedPath("models/lft/recorded/seed-0", "1.dir", 100, 2)
    now = datetime.now(UTC)
    registered = registry_events("register", "lft", "3", [result], lineage_transport.namespace(), now)
    promoted = registry_events("promote", "lft", "3", ["lft/3"], lineage_transport.namespace(), now)
    for event in (*registered, *promoted):
        VALIDATOR.validate(json.loads(json.dumps(event)))
    lineage_transport.emit([*registered, *promoted])
    completed = [event for event in events() if event["eventType"] == "COMPLETE"]
    assert {
        ("finetune_lft@recorded-0", "models/lft/recorded/seed-0", "register_lft"),
        ("register_lft", "lft/3", "promote_lft"),
    } <= edges(completed)  # fmt: skip


@pytest.fixture
def server():
    """A server that takes events, or answers 503 while it is away."""
    taken, away, seen = [], threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers.get("Authorization")))
            if not away.is_set():
                taken.append(json.loads(body))
            self.send_response(503 if away.is_set() else 201)
            self.end_headers()

        def log_message(self, *words):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}", taken, away, seen
    httpd.shutdown()
    httpd.server_close()


def test_a_server_gets_the_events_with_its_key_and_what_it_missed_later(clone, server, monkeypatch):
    url, taken, away, seen = server
    monkeypatch.setenv(lineage_transport.URL, url)
    monkeypatch.setenv(lineage_transport.KEY, "secret")
    away.set()
    assert "could not be sent" in openlineage()
    lineage_transport.emit(registry_events("promote", "lft", "3", ["lft/3"], "n", datetime.now(UTC)))
    assert not taken
    away.clear()
    assert "events of 7 runs" in openlineage()
    assert set(seen) == {("/api/v1/lineage", "Bearer secret")}
    assert len([event for event in taken if event["job"]["name"] == "promote_lft"]) == 2
    assert (
        edges([e for e in taken if e["eventType"] == "COMPLETE" and "promote" not in e["job"]["name"]])
        == locked_edges()
    )
    assert not lineage_transport.event_file().exists()
    assert "secret" not in "".join(path.read_text() for path in Path(".work").rglob("*") if path.is_file())


def test_nothing_is_sent_where_nothing_is_wanted_and_nothing_fails_for_it(clone, monkeypatch, capsys):
    monkeypatch.setenv(lineage_transport.DISABLED, "true")
    openlineage()
    assert not events()
    monkeypatch.delenv(lineage_transport.DISABLED)
    monkeypatch.setenv(lineage_transport.URL, "http://user:password@127.0.0.1:9")
    assert run_stage("report", "--force") == 0
    assert "tried again later" in capsys.readouterr().err
    assert "password" not in openlineage()


def test_workspaces_of_a_clone_share_the_file_beside_its_store(clone, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/repository/mlruns/mlflow.db")
    openlineage()
    assert lineage_transport.event_file() == tmp_path / "repository/mlruns/openlineage.jsonl"
    assert len(events()) == 14


def test_stages_of_earlier_versions_are_not_sent(clone):
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    lock["stages"]["finetune@old"] = lock["stages"]["finetune_lft@recorded-0"]
    Path("dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    assert "events of 7 runs" in openlineage()
    assert run(clone, "git", "rev-parse", "--is-inside-work-tree").strip() == "true"
