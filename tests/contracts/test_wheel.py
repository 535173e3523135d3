"""The wheel holds the library alone, and its public names work where nothing of the repository lies."""

import re
import subprocess
import sys
import zipfile
from email.parser import Parser
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from eegdiffusion.core.runtime.closure import WEIGHTS

pytestmark = pytest.mark.slow

GOLDEN = Path("tests/golden").resolve()

USE = """
import sys
from eegdiffusion import LFT, SSMDP, load_published_backbone, load_published_classifier, pool_latents
from eegdiffusion.events.corpora import tuev
import eegdiffusion, torch

assert ".whl" in eegdiffusion.__file__, eegdiffusion.__file__
backbone = load_published_backbone(sys.argv[1] + "/published/backbone.ckpt")
signals = torch.randn(2, 22, 1000)
assert backbone(torch.zeros(2, 1, 200), torch.zeros(2, 1).long(), torch.zeros(2, 1).long()).shape == (2, 1, 200)
assert backbone.tokens(signals, window=200, statistic="std", kind="gate", step=1).shape[:3] == (2, backbone.n_layer, 5)
assert load_published_classifier(sys.argv[1] + "/published/classifier.ckpt")(signals).shape == (2, 6)
windows, labels, channels = tuev.event_windows(sys.argv[1] + "/tuev_mini/edf/train/aaaaaaar/aaaaaaar_00000001.edf")
assert windows.shape[1:] == (22, 1000) and len(windows) == len(labels) == len(channels)
"""

ALONE = """
import sys
import eegdiffusion
assert ".whl" in eegdiffusion.__file__, eegdiffusion.__file__
assert not {"torch", "numpy"} & sys.modules.keys(), "names are loaded when they are used"
import torch
torch.manual_seed(0)
from eegdiffusion.events.models.lft_network import LFTSizes
from eegdiffusion.events.models.ssmdp_network import SSMDPSizes
sizes, fusion = SSMDPSizes(4, 4, 2, 8, 8), LFTSizes(num_heads=2)
signals = 2e-5 * torch.randn(2, 3, 900)
names = ["Fp1", "EEG T7-REF", "E12"]
places = [None, None, [0.0, -0.1, 0.05]]
backbone = eegdiffusion.Backbone(names, 180, places, sizes=sizes)
tokens = backbone(signals)
tokens.sum().backward()
backbone.save_pretrained(sys.argv[1] + "/backbone")
with torch.no_grad():
    read = eegdiffusion.Backbone.from_pretrained(sys.argv[1] + "/backbone")
    assert torch.allclose(read(signals), tokens, atol=1e-6)
info = [{"ch_name": name} for name in ("Fp1", "Cz", "O2")]
classifier = eegdiffusion.Classifier(4, 3, info, 900, None, 180, sizes=sizes, fusion=fusion).eval()
classifier.save_pretrained(sys.argv[1] + "/classifier")
with torch.no_grad():
    read = eegdiffusion.Classifier.from_pretrained(sys.argv[1] + "/classifier")
    assert torch.equal(read(signals), classifier(signals))
"""


def linked(distributions: set[str], folder: Path) -> Path:
    """Make a folder of links to what distributions have installed, for a Python that sees nothing else."""
    folder.mkdir()
    files = [(distribution(name), file) for name in distributions for file in distribution(name).files or []]
    for top, known in {file.parts[0]: known for known, file in files}.items():
        if top not in ("..", "__pycache__"):
            (folder / top).symlink_to(known.locate_file(top))
    return folder


def with_requirements(names: set[str]) -> set[str]:
    """Return the names of distributions with all that they require, as installed here."""
    done, queue = set(), list(names)
    while queue:
        if (name := canonicalize_name(queue.pop())) in done:
            continue
        done.add(name)
        for line in requires(name) or []:
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                queue.append(wanted.name)
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the sources, with the environment's own setuptools."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "-z",
            "-co",
            "--exclude-standard",
            "eegdiffusion",
            "pyproject.toml",
            "README.md",
            "LICENSE",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if Path(name).is_file():
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(Path(name).read_bytes())
    words = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "source"]
    subprocess.run([sys.executable, "-m", *map(str, words)], check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_it_holds_the_library_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"eegdiffusion"}
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "eegdiffusion"], capture_output=True, text=True, check=True
    ).stdout.split()
    weights = {name for name in tracked if name.startswith(tuple(f"{folder}/" for folder in WEIGHTS))}
    assert weights, "the demo's generator is in the repository"
    assert {name for name in tracked if Path(name).is_file()} - weights <= set(names)
    assert not weights & set(names), "it is not in the wheel"


def test_its_extras_and_its_command_are_those_of_the_design(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    head = Parser().parsestr(archive.read(metadata).decode())
    assert set(head.get_all("Provides-Extra")) == {"data", "images", "workflow"}
    bare = {re.split("[<>= ]", line)[0] for line in head.get_all("Requires-Dist") if "extra" not in line}
    assert {"torch", "numpy", "safetensors"} <= bare
    assert not bare & {"mne", "lightning", "mlflow", "dvc"}
    (scripts,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
    assert "eeg = eegdiffusion.commands.app:main" in archive.read(scripts).decode()


def test_public_names_work_from_it(wheel, tmp_path):
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(wheel)!r})\n{USE}", str(GOLDEN)]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_the_modules_need_torch_numpy_and_safetensors_alone(wheel, tmp_path):
    """In a Python that sees these, what torch requires, and the wheel."""
    kept = with_requirements({"torch", "numpy", "safetensors"})
    assert not kept & {
        "diffusers",
        "pydantic",
        "scipy",
        "mne",
        "pandas",
        "huggingface-hub",
        "pyyaml",
        "annotated-types",
    }
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{wheel}:{linked(kept, tmp_path / 'packages')}"}
    subprocess.run([sys.executable, "-S", "-c", ALONE, str(tmp_path)], cwd=tmp_path, env=environment, check=True)
