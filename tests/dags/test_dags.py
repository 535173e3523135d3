"""The DAG files: what they hold, how fast they parse, and what they import."""

import json
import subprocess
import sys

import pytest
from _dvc_graph import read_graph

from tests.dags.airflow_home import DAGS, ROOT, Airflow

# Airflow and what it takes to build an operator are loaded before: the files' own part is measured, the best of three
# times, by the processor's clock.
PARSE = """
import json, sys, time
from pathlib import Path
import airflow.sdk
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable, Param, TaskGroup
import airflow.providers.standard.hooks.subprocess
sys.path.append(sys.argv[1])
def load(name):
    for own in [m for m, module in sys.modules.items() if str(getattr(module, "__file__", "")).startswith(sys.argv[1])]:
        del sys.modules[own]
    started = time.process_time()
    module = __import__(name)
    return time.process_time() - started, module
dags = {}
for path in sorted(Path(sys.argv[1]).glob("[a-z]*.py")):
    took, module = min((load(path.stem) for _ in range(3)), key=lambda found: found[0])
    (dag,) = [value for value in vars(module).values() if isinstance(value, DAG)]
    dags[dag.dag_id] = {"took": took, "max_active_runs": dag.max_active_runs,
        "tasks": {t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks}}
heavy = sorted({"torch", "mlflow", "dvc", "numpy", "pandas", "mne", "components", "eegdiffusion"} & set(sys.modules))
print(json.dumps({"dags": dags, "heavy": heavy}))
"""


# The clock of Airflow's timetables is set; the schedule is what the scheduler reads from the database.
FIRST_RUN = """
import json, sys
import pendulum
from airflow.sdk import DAG
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables import trigger
from airflow.timetables.base import TimeRestriction
sys.path.append(sys.argv[1])
schedule = decode_timetable(json.loads(json.dumps(encode_timetable(__import__("eeg_retrain").dag.timetable))))
for now in sys.argv[2:]:
    trigger.utcnow = lambda: pendulum.parse(now)
    info = schedule.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(earliest=None, latest=None, catchup=False))
    print("FIRST", info.run_after.isoformat())
"""


def parse(folder, **extra):
    home = Airflow(folder, ROOT)
    words = [sys.executable, "-c", PARSE, str(DAGS)]
    done = subprocess.run(words, env=home.environment | extra, cwd=home.home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    return parse(tmp_path_factory.mktemp("home"))


def task_of(stage):
    return f"{stage.group}.{stage.key}" if stage.group else stage.name


def test_the_dags_and_their_limits(parsed):
    assert parsed["dags"].keys() == {"eeg_ingest", "eeg_promote", "eeg_retrain"}
    assert all(dag["max_active_runs"] == 1 for dag in parsed["dags"].values())


def test_retrain_has_the_stages_and_edges_of_dvc(parsed):
    graph = read_graph(ROOT)
    names = {name: task_of(stage) for name, stage in graph.stages.items()}
    tasks = parsed["dags"]["eeg_retrain"]["tasks"]
    assert set(tasks) == set(names.values()) | {"open_run", "finalize", "register"}
    edges = {(upstream, task) for task, all_upstream in tasks.items() for upstream in all_upstream}
    around = {"open_run", "finalize", "register"}
    assert {edge for edge in edges if not around & set(edge)} == {(names[a], names[b]) for a, b in graph.edges}
    assert ("open_run", "ingest_events.tuev") in edges
    assert ("report", "finalize") in edges
    assert ("finalize", "register") in edges


def test_promotion_waits_for_a_person_only_when_it_is_told_to(parsed, tmp_path):
    assert parsed["dags"]["eeg_promote"]["tasks"] == {"promote": []}
    found = parse(tmp_path, EEG_APPROVAL="1")
    assert found["dags"]["eeg_promote"]["tasks"] == {"propose": [], "approve": ["propose"], "promote": ["approve"]}
    assert found["heavy"] == []


def test_parsing_is_quick_and_imports_nothing_heavy(parsed):
    assert parsed["heavy"] == []
    assert max(dag["took"] for dag in parsed["dags"].values()) < 0.2


def test_airflow_imports_them_without_errors(tmp_path):
    code = (
        "import json, os; from pathlib import Path; from airflow.dag_processing.dagbag import BundleDagBag\n"
        "folder = Path(os.environ['AIRFLOW__CORE__DAGS_FOLDER'])\n"
        "bag = BundleDagBag(folder, bundle_path=folder, bundle_name='dags-folder')\n"
        "print(json.dumps([bag.import_errors, sorted(bag.dags)]))"
    )
    home = Airflow(tmp_path, ROOT)
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=home.environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [{}, ["eeg_ingest", "eeg_promote", "eeg_retrain"]]


def test_the_first_retraining_is_on_the_next_date_and_not_at_the_start(tmp_path):
    home = Airflow(tmp_path, ROOT)
    moments = ["2026-11-22T01:00:00Z", "2026-11-22T02:00:30Z", "2026-11-22T12:00:00Z", "2026-11-25T00:00:00Z"]
    words = [sys.executable, "-c", FIRST_RUN, str(DAGS), *moments]
    done = subprocess.run(words, env=home.environment, cwd=home.home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FIRST")]
    assert first == ["2026-11-22T02:00:00+00:00"] + ["2026-11-29T02:00:00+00:00"] * 3
