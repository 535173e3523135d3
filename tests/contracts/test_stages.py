"""What dvc.yaml and component.yaml declare is what the stages use: computed, not listed."""

import ast
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from eegdiffusion.commands.ablate import change
from eegdiffusion.core.runtime import contract as component
from eegdiffusion.core.runtime.closure import NEVER_DECIDES, code_folders, code_of, folder_of, is_code, module_file
from eegdiffusion.core.runtime.settings import load
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.images.metrics.metric_settings import Weights

STAGES = sorted(path.parent.name for path in Path("components").glob("*/component.yaml"))


@pytest.fixture(scope="module")
def document():
    """The settings, with rows in every section that may be empty."""
    found = load()
    change(found, ["fusion", "rate", "pretraining"], remove=False)
    found["event_corpora"]["own"] = {"root": "data/raw/own", "layout": "tuev"}
    found["image_corpora"] = {
        "one": {"root": "data/raw/one", "layout": "things_eeg2_raw", "epochs": "nice"},
        "two": {"root": "data/raw/two", "layout": "kilogram", "epochs": "official"},
    }
    row = {"objective": "align", "encoder": "ridge", "protocols": ["joint"]}
    found["eeg_encoders"] = {"first": row | {"corpus": "one"}, "second": row | {"corpus": "two"}}
    study = {"corpus": "one", "semantics": "first", "classifier": "second", "pictures": "data/raw/pictures"}
    found["image_generation"] = {"study": study}
    return found


@pytest.fixture(scope="module")
def dvc_stages(document, tmp_path_factory):
    """Stages as DVC resolves them, by name of the component."""
    folder = tmp_path_factory.mktemp("graph")
    shutil.copy("dvc.yaml", folder)
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    found = {}
    with Repo.init(folder, no_scm=True) as repo:
        for stage in repo.index.stages:
            found.setdefault(stage.name.partition("@")[0], []).append(stage)
    return found


def test_every_stage_has_a_component_and_the_other_way_round(dvc_stages):
    assert sorted(dvc_stages) == STAGES


def _item(contract: component.Contract, command: str) -> dict:
    words = command.split()
    values = dict(zip(words[3::2], words[4::2], strict=True))
    assert list(values) == [f"--{argument.name}" for argument in contract.arguments], command
    return {name.removeprefix("--"): value for name, value in values.items()}


@pytest.mark.parametrize("name", STAGES)
def test_component_agrees_with_dvc(name, dvc_stages, document):
    contract = component.read(name)
    assert contract.name == name and contract.command == ["python", "-m", f"components.{name}"]
    for stage in dvc_stages[name]:
        assert stage.cmd.split()[:3] == contract.command
        item = _item(contract, stage.cmd)
        declared = {dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)}
        inputs = {component.resolve(artifact.path, item, document) for artifact in contract.inputs}
        assert {path for path in declared if not is_code(path)} == inputs
        assert {out.def_path for out in stage.outs} == {
            component.resolve(artifact.path, item, document) for artifact in contract.outputs
        }
        params = [dep.params for dep in stage.deps if isinstance(dep, ParamsDependency)]
        assert sorted(name for names in params for name in names) == sorted(
            component.resolve(section, item, document) for section in contract.params
        )


@pytest.mark.parametrize("name", STAGES)
def test_declared_code_is_the_code_it_imports(name, dvc_stages):
    for stage in dvc_stages[name]:
        declared = {dep.def_path for dep in stage.deps if is_code(dep.def_path)}
        assert declared == set(code_folders(name)), "run `make deps`"


LOAD = """
import importlib, json, os, sys
import diffusers, lightning, matplotlib.pyplot, mlflow, mne, pyhealth, sklearn, torch  # once, for all of the children
for name in sys.argv[1:]:
    if os.fork() == 0:
        importlib.import_module(f"components.{name}.__main__")
        own = [module for module in sys.modules if module.partition(".")[0] == "components"]
        print(json.dumps([name, own]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""


@pytest.fixture(scope="module")
def loaded():
    """Project modules that importing each stage loads, every stage in a process of its own."""
    words = [sys.executable, "-W", "ignore", "-c", LOAD, *STAGES]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(line) for line in printed.splitlines() if line.startswith("["))


@pytest.mark.parametrize("name", STAGES)
def test_what_python_loads_is_declared(name, loaded):
    """The import statements, read as text, hide nothing that really is imported."""
    files = {module_file(module) for module in loaded[name]}
    folders = {folder_of(file) for file in files if not file.as_posix().startswith(NEVER_DECIDES)} - {None}
    assert folders <= set(code_folders(name))


def _trees(name):
    return [ast.parse(file.read_text()) for file in code_of(name) if file.suffix == ".py"]


def _read_settings(name: str) -> dict[str, str]:
    """Sections that a stage reads, with the class it reads them as: from its calls of ``run.settings``."""
    found = {}
    for node in ast.walk(ast.parse(Path("components", name, "__main__.py").read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.settings":
            section = name
            if len(node.args) > 1:
                argument = node.args[1]
                section = ast.unparse(argument).strip("'\"") if isinstance(argument, ast.Constant) else None
            if section is None:  # an f-string: what stands before its first value
                section = argument.values[0].value + "*"
            found[section] = ast.unparse(node.args[0])
    return found


@pytest.mark.parametrize("name", STAGES)
def test_declared_params_are_those_it_reads(name):
    declared = {section.partition("{")[0].rstrip("$") + "*" if "{" in section else section
                for section in component.read(name).params}  # fmt: skip
    assert set(_read_settings(name)) == declared


def _fields(trees, classes: set[str]) -> dict[str, list[str]]:
    """Fields of the named settings classes, and of the classes that their fields are of."""
    bodies = {
        node.name: {n.target.id: ast.unparse(n.annotation) for n in node.body if isinstance(n, ast.AnnAssign)}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and "settings" in map(ast.unparse, node.decorator_list)
    }
    found, todo = {}, [name for name in classes if name in bodies]
    while todo:
        name = todo.pop()
        found[name] = list(bodies[name])
        todo += [kind for kind in bodies[name].values() if kind in bodies and kind not in found]
    return found


@pytest.mark.parametrize("name", STAGES)
def test_every_field_of_its_settings_is_used(name):
    """A field that nothing reads would rerun the stage for nothing; one is read by name, or as a keyword argument."""
    trees = _trees(name)
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    if "make_recipe" in {node.id for node in nodes if isinstance(node, ast.Name)}:
        used |= {field.name for field in dataclasses.fields(Latents)}  # the recipe of a cache compares all of them
    if "load_networks" in {node.id for node in nodes if isinstance(node, ast.Name)}:
        used |= {field.name for field in dataclasses.fields(Weights)}  # each is the name of a network
    for cls, fields in _fields(trees, set(_read_settings(name).values())).items():
        assert not set(fields) - used, cls


@pytest.mark.parametrize("name", STAGES)
def test_the_data_image_needs_no_torch(name):
    if component.read(name).image != "data":
        return
    heavy = {"torch", "lightning", "diffusers"}
    code = f"import components.{name}.__main__, sys; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_resources_are_stated_for_every_stage(dvc_stages):
    keys = {"gpus", "cpus", "memory_gb", "shm_gb", "retries", "timeout_min"}
    for stages in dvc_stages.values():
        for stage in stages:
            assert stage.meta["airflow"].keys() == keys, stage.name


def test_no_stage_depends_on_mlflow_json(dvc_stages):
    outs = [out.def_path for stages in dvc_stages.values() for stage in stages for out in stage.outs]
    references = [out for out in outs if out.endswith("mlflow.json")]
    trained = [name for name in STAGES if "train" in name or "tune" in name or name == "prepare_generator"]
    assert len(references) == sum(len(dvc_stages[name]) for name in trained) > 0
    for stages in dvc_stages.values():
        for stage in stages:
            for dep in stage.deps:
                assert not any(Path(reference).is_relative_to(dep.def_path) for reference in references), stage.name
