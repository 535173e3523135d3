"""An experiment of DVC sets a field that stands at its default, as docs/data.md says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

GRAPH = """
stages:
  a:
    cmd: cp params.yaml out.yaml
    params: [train, cache]
    outs:
      - out.yaml
"""


@pytest.fixture
def run(tmp_path):
    """Run a command in a small repository of git and DVC; ``train.decay`` stands at its default."""
    me = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | me | {"DVC_NO_ANALYTICS": "1", "PATH": path}

    def run(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)

    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "params.yaml").write_text("# of training\ntrain:\n  rate: 1   # of learning\ncache: {}\n")
    assert shutil.which("dvc", path=path)
    for words in ("git init -q", "dvc init -q", "git add -A", "git commit -qm start"):
        result = run(*words.split())
        assert result.returncode == 0, result.stderr
    return run


def test_an_experiment_sets_a_field_that_stands_at_its_default(run, tmp_path):
    assert "To append to your config use +train.decay=0.5" in run("dvc", "exp", "run", "-S", "train.decay=0.5").stderr
    result = run("dvc", "exp", "run", "-S", "++train.decay=0.5", "-S", "++cache.size=3", "-S", "++train.rate=2")
    assert result.returncode == 0, result.stderr
    params = (tmp_path / "params.yaml").read_text()
    assert yaml.safe_load(params) == {"train": {"rate": 2, "decay": 0.5}, "cache": {"size": 3}}
    assert (tmp_path / "out.yaml").read_text() == params
    assert "# of training" in params
    assert "# of learning" in params


def test_a_section_must_be_in_the_file(run, tmp_path):
    (tmp_path / "params.yaml").write_text("train: {}\n")
    assert "Parameters 'cache' are missing from 'params.yaml'" in run("dvc", "repro").stderr
