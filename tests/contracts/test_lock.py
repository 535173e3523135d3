"""What is installed has its SHA-256 in requirements.lock: the file, and every command that installs from it."""

import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

UV = str(Path(sys.executable).with_name("uv"))
PIN = re.compile(r"^([a-z0-9._-]+)==([\w.+!-]+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n", re.MULTILINE)
LOCK = Path("requirements.lock").read_text()
PROJECT = tomllib.loads(Path("pyproject.toml").read_text())


def test_the_lock_holds_versions_and_hashes_and_nothing_else():
    assert len(PIN.findall(LOCK)) > 300
    assert PIN.sub("", LOCK) == "", "no addresses, no options, nothing without a hash"


def test_the_lock_of_the_benchmark_suites_holds_what_is_asked_for():
    lock, asked = (Path(f"benchmarks/public_suites.{ending}").read_text() for ending in ("lock", "in"))
    assert PIN.sub("", lock) == ""
    locked = {canonicalize_name(name): version for name, version, _ in PIN.findall(lock)}
    for wanted in map(Requirement, asked.splitlines()):
        assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)]), f"{wanted}: run `make lock`"


def _groups() -> dict[str, list[str]]:
    extras = {"": PROJECT["project"]["dependencies"], **PROJECT["project"]["optional-dependencies"]}
    return extras | PROJECT["dependency-groups"]


@pytest.mark.parametrize("group", _groups())
def test_the_lock_has_what_pyproject_asks_for(group):
    locked = {canonicalize_name(name): version for name, version, _ in PIN.findall(LOCK)}
    for line in _groups()[group]:
        wanted = Requirement(line)
        if wanted.name != PROJECT["project"]["name"]:
            assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)]), f"{line}: run `make lock`"


def _installing(text: str) -> list[str]:
    """Return the commands of a Makefile or Dockerfile that install packages, each in one line."""
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    parts = [part for line in lines for part in re.split(r"\|\||&&|; |\{ ", line) if not line.startswith("#")]
    return [part.strip() for part in parts if re.search(r"\bpip install\b", part) and "echo" not in part]


def test_every_command_that_installs_checks_hashes():
    made = subprocess.run(["make", "--print-data-base", "--dry-run", "help"], capture_output=True, text=True).stdout
    assert "HASHED := --no-deps --require-hashes --requirement" in made
    commands = _installing(Path("Makefile").read_text()) + _installing(Path("docker/Dockerfile").read_text())
    assert len(commands) >= 10
    own = "--no-deps --no-build-isolation --editable ."  # installs nothing but this project
    assert [words for words in commands if "$(HASHED)" not in words and "--require-hashes" not in words] == [
        words for words in commands if words.endswith(own)
    ]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Wheels of ``outer``, which needs ``inner``, and what a lock says of them."""
    folder = tmp_path_factory.mktemp("wheels")
    lock = ""
    for name, needs in (("inner", ""), ("outer", "Requires-Dist: inner\n")):
        path = folder / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            info = f"{name}-1.0.dist-info"
            archive.writestr(f"{name}.py", "")
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        lock += f"{name}==1.0 \\\n    --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"
    return folder, lock


ENV = next(
    words for words in _installing(Path("Makefile").read_text()) if "uv pip install" in words and "$$quiet" in words
)
IMAGE = next(words for words in _installing(Path("docker/Dockerfile").read_text()) if "--group mlflow" in words)


@pytest.mark.parametrize("change", ["none", "hash", "no hash", "missing"])
@pytest.mark.parametrize("command", ["env", "image"])
def test_another_file_of_the_same_version_is_not_installed(wheels, tmp_path, command, change):
    """As `make env` and the Dockerfile install, of a lock that is changed for the package that another one needs."""
    folder, lock = wheels
    pin = lock.partition("outer")[0]
    changes = {
        "hash": re.sub(r"sha256:.{4}", "sha256:dead", pin),
        "no hash": "inner==1.0\n",
        "missing": "",
        "none": pin,
    }
    (tmp_path / "requirements.lock").write_text(lock.replace(pin, changes[change]))
    groups = '[project]\nname = "x"\nversion = "1"\n[dependency-groups]\nmlflow = ["outer"]\n'
    (tmp_path / "pyproject.toml").write_text(groups)
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, "v"], cwd=tmp_path, check=True)
    words = {
        "env": ENV.replace("$$quiet", "").replace("$(PY)", "v/bin/python").replace("$<", "requirements.lock"),
        "image": IMAGE.partition("uv pip")[1] + IMAGE.partition("uv pip")[2] + " --python v/bin/python",
    }[command].replace("$(HASHED)", "--no-deps --require-hashes --requirement")
    offline = ["--offline", "--no-index", "--find-links", str(folder), "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [UV, *shlex.split(words)[1:], *offline],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    installed = sorted(path.name for path in tmp_path.glob("v/lib/*/site-packages/*er.py"))
    if change == "none" or (command, change) == ("env", "missing"):
        assert done.returncode == 0, done.stderr
        assert "outer.py" in installed
    else:
        assert done.returncode != 0
        assert "hash" in done.stderr.lower()
        assert installed == []
