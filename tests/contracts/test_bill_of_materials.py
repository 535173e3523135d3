"""`make sbom` lists what is installed, here and in images, with the hashes of the lock."""

import importlib.metadata
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATUS = """Package: git
Status: install ok installed
Version: 1:2.39.5-0+deb12u2
Architecture: amd64
Maintainer: A <a@b.c>
Description: x

Package: tini
Status: install ok installed
Version: 0.19.0-1+b3
Architecture: amd64
Maintainer: A <a@b.c>
Description: x
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def bills(tmp_path_factory):
    """Bills of this environment, and of an image with three packages, of which the lock has one at that version."""
    folder = tmp_path_factory.mktemp("sbom")
    (folder / "status").write_text(STATUS)
    (folder / "bin").mkdir()
    engine = folder / "bin/engine"
    packages = ["click " + importlib.metadata.version("click"), "Zope.Interface 0.1", "nobody_knows 1.0"]
    (folder / "packages").write_text("\n".join(packages) + "\n")
    engine.write_text(f"""#!/bin/sh
case "$*" in
"image inspect eeg-workflow-data") ;;
image*) exit 1 ;;
*print-architecture) echo amd64 ;;
*dpkg/status) cat {folder}/status ;;
*) cat {folder}/packages ;;
esac
""")
    engine.chmod(0o755)
    clone = folder / "clone"
    (clone / "docker").mkdir(parents=True)
    for name in ("docker/sbom.sh", "pyproject.toml", "requirements.lock"):
        (clone / name).symlink_to(ROOT / name)
    (clone / "docker/sbom.sh").unlink()
    (clone / "docker/sbom.sh").write_bytes((ROOT / "docker/sbom.sh").read_bytes())
    (clone / ".venv").symlink_to((ROOT / ".venv").resolve())
    done = subprocess.run(
        ["bash", "docker/sbom.sh"], cwd=clone, env=os.environ | {"ENGINE": str(engine)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {path.name: json.loads(path.read_text()) for path in (clone / "build/sbom").iterdir()}, done.stderr


def test_the_environments_has_every_package_that_is_installed(bills):
    bill = bills[0]["environment.json"]
    assert bill["bomFormat"] == "CycloneDX"
    listed = {normal(part["name"]): part["version"] for part in bill["components"]}
    installed = {normal(d.name): d.version for d in importlib.metadata.distributions()}
    installed.pop("eegdiffusion", None)
    assert listed.items() >= installed.items()
    licensed = [part for part in bill["components"] if part.get("licenses")]
    assert len(licensed) > 0.9 * len(listed)


def test_an_images_has_its_packages_with_the_hashes_of_the_lock(bills):
    bill, said = bills
    parts = {normal(part["name"]): part for part in bill["data.python.json"]["components"]}
    assert set(parts) == {"click", "zope-interface", "nobody-knows"}
    hashes = re.search(r"^click==\S+ \\\n((?:.*sha256.*\n)+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)[
        1
    ]
    assert set(re.findall(r"[0-9a-f]{64}", json.dumps(parts["click"]))) == set(re.findall(r"[0-9a-f]{64}", hashes))
    assert parts["zope-interface"]["version"] == "0.1"
    assert "sha256" not in json.dumps(parts["nobody-knows"]).lower()
    debian = {part["name"]: part["version"] for part in bill["data.debian.json"]["components"]}
    assert debian["git"] == "1:2.39.5-0+deb12u2"
    assert "tini" in debian
    assert "eeg-workflow-train: no such image here" in said
    assert "train.python.json" not in bill
