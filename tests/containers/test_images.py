"""The images of ``docker/Dockerfile``: what is in them, and that their services answer."""

import json
import re
import time
import urllib.request

import pytest

from tests.containers.engine import ROOT

pytestmark = pytest.mark.timeout(2400)

INSTALLED = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
HOLDS = {
    "data": ({"mne", "dvc", "dask", "pyarrow"}, {"torch", "apache-airflow", "mlflow"}),
    "train": ({"torch", "lightning", "diffusers", "pyhealth", "mlflow", "mne", "dvc"}, {"apache-airflow", "pytest"}),
    "airflow": ({"apache-airflow", "apache-airflow-providers-docker"}, {"torch", "mlflow", "pytest"}),
    "mlflow": ({"mlflow", "boto3", "psycopg2-binary"}, {"torch", "apache-airflow"}),
}


def locked() -> dict[str, str]:
    lock = (ROOT / "requirements.lock").read_text()
    return {normal(name): version for name, version in re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE)}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower().partition("[")[0]


@pytest.mark.parametrize("target", HOLDS)
def test_an_image_holds_what_it_is_for_at_the_versions_of_the_lock(engine, image, target):
    name = image(target)
    found = json.loads(engine.run(name, "python", "-c", INSTALLED).splitlines()[-1])
    found = {normal(package): version for package, version in found.items()}
    wanted, unwanted = HOLDS[target]
    assert wanted <= set(found)
    assert not unwanted & set(found)
    versions = locked()
    others = {package: version for package, version in found.items() if versions.get(package) != version}
    assert not others, "every package is in the lock, at that version"


@pytest.mark.parametrize("target", HOLDS)
def test_an_image_runs_as_nobody_in_particular(engine, image, target):
    name = image(target)
    assert engine.run(name, "id", "-u").strip() == "50000"
    written = 'touch "$HOME/x" /tmp/x && git --version && echo fine'
    assert "fine" in engine.run(name, "sh", "-c", written, user="12345:0"), "any user of group 0 has a home"
    assert engine.run(name, "cat", "/proc/1/comm").strip() == "tini", "signals arrive, and no zombie stays"


def test_the_tracking_server_answers_and_is_healthy(engine, image):
    name = image("mlflow")
    container = engine.client.containers.run(name, detach=True, network_mode="host")
    try:
        for _ in range(90):
            time.sleep(1)
            try:
                answer = urllib.request.urlopen("http://localhost:5000/version", timeout=2).read().decode()
                break
            except OSError:
                container.reload()
                assert container.status == "running", container.logs().decode()[-4000:]
        assert answer == locked()["mlflow"]
        stage = (ROOT / "docker" / "Dockerfile").read_text().partition("AS mlflow")[2]
        check = json.loads(re.search(r"HEALTHCHECK[^\[]*(\[.*\])", stage)[1])  # not every engine shows an image's own
        assert container.exec_run(check).exit_code == 0
    finally:
        container.remove(force=True)


def test_airflow_reads_the_dags_in_its_image(engine, image, tmp_path):
    """The DAGs need neither torch nor DVC; the repository is mounted at its own path."""
    name = image("airflow")
    script = (
        "from airflow.dag_processing.dagbag import BundleDagBag\n"
        "import os, pathlib\n"
        "folder = pathlib.Path(os.environ['AIRFLOW__CORE__DAGS_FOLDER'])\n"
        "bag = BundleDagBag(folder, bundle_path=folder, bundle_name='dags-folder')\n"
        "assert not bag.import_errors, bag.import_errors\n"
        "print('DAGS', *sorted(bag.dags))\n"
    )
    said = engine.run(
        name,
        "python",
        "-c",
        script,
        environment={
            "AIRFLOW__CORE__DAGS_FOLDER": f"{ROOT}/dags",
            "EEG_REPOSITORY": str(ROOT),
            "EEG_RUNTIME": "docker",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        },
        volumes={str(ROOT): {"bind": str(ROOT), "mode": "ro"}},
    )
    assert "DAGS eeg_ingest eeg_promote eeg_retrain" in said
