"""What stages and commands load before they work, in modules, as seconds depend on what else a machine does."""

import subprocess
import sys

import pytest

from benchmarks.start_up import STAGES, UNTIL_LOADED
from eegdiffusion.core.runtime.contract import stage_names

HEAVY = {
    "dask", "diffusers", "lightning", "matplotlib", "mlflow", "mne.io", "pyhealth", "scipy.signal", "scipy.stats",
    "sklearn", "torch", "torchvision", "transformers",
}  # fmt: skip
"""Libraries, and modules of them, that take a tenth of a second or much more."""

NEVER = {
    "ingest_events": HEAVY,
    "ingest_images": HEAVY,
    "preprocess_events": HEAVY - {"dask"},
    "cache_latents": HEAVY - {"torch", "diffusers", "transformers", "mlflow"},
    "embed_images": HEAVY - {"torch"},
    "report": {"torch", "lightning", "diffusers", "transformers", "mlflow", "mne.io", "pyhealth"},
    "finetune_lft": {"dask", "diffusers.pipelines.pipeline_utils", "mne.io", "pyhealth", "transformers.modeling_utils"},
    "train_baselines": {"diffusers"},
    "train_eeg_encoder": {"dask", "diffusers.pipelines.pipeline_utils", "mne.io", "transformers.modeling_utils"},
}
"""What is not loaded when a stage has all that it computes with; Lightning loads Matplotlib and more by itself."""

LIGHT = [name for name in NEVER if "torch" in NEVER[name]]


REPORT = """
import os, sys
end, watched = os._exit, set(sys.argv.pop(1).split())
def report(status):
    print(*(watched & sys.modules.keys()), file=sys.stderr, flush=True)
    end(status)
os._exit = report
"""
"""Prints which of the watched modules are loaded where the code that follows ends the process."""


def loaded(code: str, *words: str, watched: set[str]) -> set[str]:
    """Run code that ends with ``os._exit``; return which of the watched modules were loaded by then."""
    command = [sys.executable, "-W", "ignore", "-c", REPORT + code, " ".join(watched), *words]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return set(process.stderr.splitlines()[-1].split())


def test_the_benchmark_starts_every_stage():
    assert sorted(STAGES) == stage_names()


def test_no_stage_loads_a_heavy_library_before_its_main():
    imports = "\n".join(f"import components.{name}.__main__" for name in STAGES)
    assert loaded(f"{imports}\nos._exit(0)", watched=HEAVY) == set()


def test_no_command_loads_a_heavy_library_before_its_arguments_are_checked():
    code = """
import click
from eegdiffusion.commands.app import COMMANDS, app
for name in COMMANDS:
    app.get_command(click.Context(app), name)
os._exit(0)
"""
    assert loaded(code, watched=HEAVY) == set()


def test_the_package_itself_loads_nothing():
    code = "import eegdiffusion\nassert {'Backbone', 'Classifier'} <= set(dir(eegdiffusion))\nos._exit(0)"
    assert loaded(code, watched=HEAVY | {"numpy", "pydantic"}) == set()


def test_what_is_loaded_is_seen():
    assert loaded("import sklearn\nos._exit(0)", watched=HEAVY) >= {"sklearn"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in LIGHT else pytest.mark.slow) for name in NEVER]
)
def test_a_stage_loads_nothing_that_it_does_not_use(name):
    assert loaded(UNTIL_LOADED, f"components.{name}", *STAGES[name], watched=NEVER[name]) == set()
