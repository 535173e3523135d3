"""What SzCORE's image runs, without an engine: a recording as SzCORE has it, and the table as SzCORE takes it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from eegdiffusion.events.scoring.event_tables import read_event_table
from tests.e2e.workspace import ROOT, environment
from tests.predict import tiny_model
from tests.predict.szcore_recording import SECONDS, SEIZURE, check_table, write_model, write_recording
from tests.tracking_uri import tracking_uri_restored
from tests.tuev_fixture import write_edf

SZCORE = ROOT / "docker/szcore"
ALGORITHM = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "short_title", "image", "authors", "license"],
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "short_title": {"type": "string", "minLength": 1, "maxLength": 20},
        "image": {"type": "string", "pattern": "^.+/.+:.+$"},
        "authors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    name: {"type": "string", "minLength": 1}
                    for name in ("affiliation", "email", "family_names", "given_names")
                },
            },
        },
        "version": {"type": "string"},
        "date_released": {"type": "string", "format": "date"},
        "abstract": {"type": "string", "minLength": 1},
        "license": {"type": "string", "minLength": 1},
        "repository": {"type": "string", "pattern": "^(https|http|ftp|sftp)://.+"},
        "datasets": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    },
}
"""Fields and rules of SzCORE's description of an algorithm."""


@pytest.fixture(scope="module")
def registered(tmp_path_factory) -> Path:
    """The files that go into the image: a registered and signed model, and the key that it was signed with."""
    folder = tmp_path_factory.mktemp("szcore")
    uri, _ = tiny_model.register(folder, write_model)
    engine = folder / "engine"
    engine.write_text(f'#!/bin/sh\necho "$@" > {folder}/words\n')
    engine.chmod(0o755)
    place = environment() | {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT), "ENGINE": str(engine)}
    with tracking_uri_restored():
        words = [str(SZCORE / "build.sh"), "eegdiffusion-szcore", "lft@champion"]
        done = subprocess.run(words, cwd=folder, env=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "--tag eegdiffusion-szcore --file docker/szcore/Dockerfile ." in (folder / "words").read_text()
    return shutil.move(ROOT / "build/szcore", folder / "registered")


def detect(registered: Path, folder: Path, **variables: str) -> subprocess.CompletedProcess:
    """Run the entry point as the image does, with no key and no registry but what is in the image."""
    place = {name: value for name, value in environment().items() if not name.startswith(("MLFLOW", "EEG_"))}
    place |= {"PYTHONPATH": str(ROOT), "EEG_TRUSTED_KEYS": str(registered / "trusted")} | variables
    words = [sys.executable, str(SZCORE / "detect.py"), str(folder / "data"), str(folder / "output"), str(registered)]
    return subprocess.run(words, cwd="/", env=place, capture_output=True, text=True)


def test_a_seizure_is_found_in_a_recording_as_szcore_has_it(registered, tmp_path):
    write_recording(tmp_path / "data/sub-01_eeg.edf", seed=9)
    (tmp_path / "output").mkdir()
    # SzCORE makes the file itself, in a folder that the container's user cannot write to.
    table = tmp_path / "output/tmp.tsv"
    table.touch()
    inode = table.stat().st_ino
    done = detect(registered, tmp_path, INPUT="sub-01_eeg.edf", OUTPUT="tmp.tsv")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "signed by" in done.stderr
    assert list((registered / "trusted").glob("*.pub"))
    assert table.stat().st_ino == inode
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["tmp.tsv"]
    check_table(table)
    read = read_event_table(table)
    assert read.duration_s == SECONDS
    inside = sum(min(span.stop_s, SEIZURE.stop_s) - max(span.start_s, SEIZURE.start_s) for span in read.spans)
    assert inside > 0.5 * (SEIZURE.stop_s - SEIZURE.start_s), "most of the seizure is found, and little else"


def test_what_cannot_be_done_is_said_with_its_status_and_nothing_is_written(registered, tmp_path):
    write_edf(tmp_path / "data/short.edf", seconds=4)
    cases = {
        (("INPUT", "short.edf"), ("OUTPUT", "x.tsv")): "short.edf: duration: must be 5 s or more",
        (("INPUT", ""), ("OUTPUT", "x.tsv")): "INPUT: must name a file below",
        (("INPUT", "short.edf"), ("OUTPUT", "../x.tsv")): "OUTPUT: must name a file below",
    }
    for variables, message in cases.items():
        done = detect(registered, tmp_path, **dict(variables))
        assert done.returncode == 65
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.tsv"))


def test_a_model_that_was_changed_in_the_image_is_refused(registered, tmp_path):
    write_recording(tmp_path / "data/r.edf", seed=9)
    changed = tmp_path / "registered"
    subprocess.run(["cp", "-r", str(registered), str(changed)], check=True)
    weights = next(path for path in changed.rglob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    done = detect(changed, tmp_path, INPUT="r.edf", OUTPUT="r.tsv")
    assert done.returncode == 65
    assert "is refused" in done.stderr


def test_the_description_of_the_algorithm_is_szcores():
    document = yaml.safe_load((SZCORE / "eegdiffusion.yaml").read_text())
    jsonschema.validate(document, ALGORITHM)
    assert document["license"] == "Apache-2.0"


def test_the_image_is_offline_and_nobodys():
    text = (SZCORE / "Dockerfile").read_text()
    assert text.index("USER root") < text.rindex("USER 50000:0") < text.index("VOLUME [")
    assert re.search(r'VOLUME \["/data", "/output"\]', text)
    after = text[text.index("FROM") :]
    assert not re.search(r"\b(pip|uv|apt-get|curl|wget)\b", after), "all that it needs is in the image train"
    copied = re.findall(r"^COPY (\S+)", text, re.MULTILINE)
    admitted = (SZCORE / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{path}" for path in copied} <= set(admitted)
    assert os.access(SZCORE / "build.sh", os.X_OK)
