"""SzCORE's image of a registered model, run as SzCORE runs it: offline, its input read-only, not as root."""

import os
import shutil
import subprocess
import sys

import pytest
from docker.errors import ContainerError

from tests.containers.engine import ROOT
from tests.e2e.workspace import environment
from tests.predict import tiny_model
from tests.predict.szcore_recording import check_table, write_model, write_recording
from tests.tracking_uri import tracking_uri_restored

pytestmark = pytest.mark.timeout(2400)


@pytest.fixture(scope="module")
def detector(engine, image, tmp_path_factory):
    """The image with a tiny model of the surrogate's seizures."""
    image("train")
    uri, _ = tiny_model.register(tmp_path_factory.mktemp("model"), write_model)
    files = ROOT / "build/szcore"
    shutil.rmtree(files, ignore_errors=True)
    files.mkdir(parents=True)
    words = [sys.executable, "docker/szcore/registered_files.py", "lft@champion", str(files)]
    place = environment() | {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT)}
    with tracking_uri_restored():
        subprocess.run(words, cwd=ROOT, env=place, check=True)
    yield engine.build_on("train", "docker/szcore/Dockerfile", "szcore")
    shutil.rmtree(files)


def _run(engine, image, folder, **variables):
    volumes = {
        str(folder / "data"): {"bind": "/data", "mode": "ro"},
        str(folder / "output"): {"bind": "/output", "mode": "rw"},
    }
    options = {"network_mode": "none", "volumes": volumes, "environment": variables}
    return engine.client.containers.run(image, remove=True, stderr=True, **options).decode()


def test_a_recording_becomes_a_table(engine, detector, tmp_path):
    write_recording(tmp_path / "data/sub-01_eeg.edf", seed=9)
    (tmp_path / "output").mkdir(mode=0o755)
    table = tmp_path / "output/tmp.tsv"
    table.touch()
    os.chmod(table, 0o776)  # as SzCORE does
    said = _run(engine, detector, tmp_path, INPUT="sub-01_eeg.edf", OUTPUT="tmp.tsv")
    assert "signed by" in said
    check_table(table)
    assert engine.run(detector, "id", "-u").strip() == "50000"


def test_without_an_input_it_ends_with_status_65(engine, detector, tmp_path):
    for name in ("data", "output"):
        (tmp_path / name).mkdir()
    with pytest.raises(ContainerError, match="INPUT: must name a file below /data") as refused:
        _run(engine, detector, tmp_path, OUTPUT="tmp.tsv")
    assert refused.value.exit_status == 65
