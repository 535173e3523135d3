"""What dvc.yaml and component.yaml declare is what the stages use: computed, not listed."""

import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from eegdiffusion.commands.ablate import change
from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.closure import NEVER_DECIDES, code_folders, code_of, folder_of, is_code, module_file
from eegdiffusion.core.runtime.settings import load
from eegdiffusion.operations.configuration import sections
from tests.contracts.field_uses import Uses

STAGES = sorted(path.parent.name for path in Path("components").glob("*/component.yaml"))


@pytest.fixture(scope="module")
def document():
    """The settings, with rows in every section that may be empty."""
    params = load()
    change(params, ["fusion", "rate", "pretraining"], remove=False)
    params["event_corpora"]["own"] = {"root": "data/raw/own", "layout": "tuev"}
    params["image_corpora"] = {
        "one": {"root": "data/raw/one", "layout": "things_eeg2_raw", "epochs": "nice"},
        "two": {"root": "data/raw/two", "layout": "kilogram", "epochs": "official"},
    }
    row = {"objective": "align", "encoder": "ridge", "protocols": ["joint"]}
    params["eeg_encoders"] = {"first": row | {"corpus": "one"}, "second": row | {"corpus": "two"}}
    params["sgdm"] = {"config": {"corpus": "one", "semantics": "first"}}
    params["condiffusion"] = {"config": {"corpus": "two", "classifier": "second"}}
    params["matrix"]["generated"] = ["one", "two"]
    return params


@pytest.fixture(scope="module")
def dvc_stages(document, tmp_path_factory):
    """Stages as DVC resolves them, by name of the component."""
    folder = tmp_path_factory.mktemp("graph")
    shutil.copy("dvc.yaml", folder)
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    stages = {}
    with Repo.init(folder, no_scm=True) as repo:
        for stage in repo.index.stages:
            stages.setdefault(stage.name.partition("@")[0], []).append(stage)
    return stages


def test_every_stage_has_a_component_and_the_other_way_round(dvc_stages):
    assert sorted(dvc_stages) == STAGES


def _item(agreed: contract.Contract, stage) -> dict:
    """The item that a stage is told of; no name that a user gives is in the command itself."""
    prefix, *words = shlex.split(stage.cmd)
    assert prefix == "PATH=$PWD/.venv/bin:$PATH", stage.cmd
    assert words == agreed.command + (["--item", "$DVC_STAGE"] if agreed.arguments else [])
    assert not agreed.arguments or stage.cmd.endswith('"$DVC_STAGE"')
    return contract.item_of(agreed, stage.addressing) if agreed.arguments else {}


@pytest.mark.parametrize("name", STAGES)
def test_component_agrees_with_dvc(name, dvc_stages, document):
    agreed = contract.read(name)
    assert agreed.name == name
    assert agreed.command == ["python", "-m", f"components.{name}"]
    for stage in dvc_stages[name]:
        item = _item(agreed, stage)
        declared = {dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)}
        inputs = {contract.resolve(artifact.path, item, document) for artifact in agreed.inputs}
        assert {path for path in declared if not is_code(path)} == inputs
        assert {out.def_path for out in stage.outs} == {
            contract.resolve(artifact.path, item, document) for artifact in agreed.outputs
        }
        params = [dep.params for dep in stage.deps if isinstance(dep, ParamsDependency)]
        assert sorted(name for names in params for name in names) == sorted(
            contract.resolve(section, item, document) for section in agreed.params
        )


@pytest.mark.parametrize("name", STAGES)
def test_the_code_that_decides_lies_in_the_declared_folders(name, dvc_stages):
    for stage in dvc_stages[name]:
        declared = {dep.def_path for dep in stage.deps if is_code(dep.def_path)}
        outside = [file.as_posix() for file in code_of(name) if folder_of(file) and folder_of(file) not in declared]
        assert not outside, "run `make deps`"


@pytest.mark.parametrize("name", STAGES)
def test_no_declared_folder_is_without_code_that_decides(name, dvc_stages):
    for stage in dvc_stages[name]:
        declared = [dep.def_path for dep in stage.deps if is_code(dep.def_path)]
        assert len(declared) == len(set(declared))
        idle = [folder for folder in declared if not any(file.is_relative_to(folder) for file in code_of(name))]
        assert not idle, "run `make deps`"


LOAD = """
import importlib.util, json, os, sys
import diffusers, lightning, matplotlib.pyplot, mlflow, mne, pyhealth, sklearn, torch  # once, for all of the children
for name in sys.argv[1:]:
    if os.fork() == 0:
        compute = importlib.util.find_spec(f"components.{name}.compute")
        importlib.import_module(f"components.{name}.{'compute' if compute else '__main__'}")
        own = [module for module in sys.modules if module.partition(".")[0] in ("components", "eegdiffusion")]
        print(json.dumps([name, own]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""


@pytest.fixture(scope="module")
def loaded():
    """Project modules that importing what each stage computes loads, every stage in a process of its own."""
    words = [sys.executable, "-W", "ignore", "-c", LOAD, *STAGES]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(line) for line in printed.splitlines() if line.startswith("["))


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_what_python_loads_is_declared(name, loaded):
    """The import statements, read as text, hide nothing that really is imported."""
    files = {file for file in map(module_file, loaded[name]) if file.stat().st_size}
    folders = {folder_of(file) for file in files if not file.as_posix().startswith(NEVER_DECIDES)} - {None}
    assert folders <= set(code_folders(name))


def _read_settings(name: str) -> dict[str, str]:
    """Sections that a stage reads, with the class it reads them as."""
    return {section: ast.unparse(kind) for section, kind in sections.read_by(name).items()}


@pytest.mark.parametrize("name", STAGES)
def test_declared_params_are_those_it_reads(name):
    """A stage that is given all of ``hardware`` depends on the precision; one that reads a field of it on none."""
    declared = {section.partition("{")[0].rstrip("$") + "*" if "{" in section else section
                for section in contract.read(name).params}  # fmt: skip
    read = set(_read_settings(name)) - {"hardware.accelerator"}
    assert {"hardware.precision" if section == "hardware" else section for section in read} == declared


def _fields_of_paths(name: str, sections: dict[str, str]) -> set[str]:
    """``Class.field`` of what the paths of the contract are made from, e.g. of ``${ingest_tuev.root}``."""
    agreed = contract.read(name)
    texts = " ".join([*agreed.params, *(artifact.path for artifact in (*agreed.inputs, *agreed.outputs))])
    fields = set()
    for section, field in re.findall(r"\$\{([\w.{}]+)\.(\w+)\}", texts):
        head, brace, _ = section.partition("{")
        if cls := sections.get(f"{head}*" if brace else section):
            fields.add(f"{cls}.{field}")
    return fields


SHARED = {
    "ablate_lft": ("finetune_lft", ["latents"]),
    "finetune_tasks": ("finetune_lft", ["latents", "corpus"]),
}
"""Section that a stage shares, and its fields that it does not use: ablations and tasks have latents of their own."""


@pytest.mark.parametrize("name", STAGES)
def test_every_field_of_its_settings_is_used(name):
    """A field that nothing reads would rerun the stage for nothing; what tracking alone records is not used."""
    sections = _read_settings(name)
    trees = [ast.parse(file.read_text()) for file in code_of(name) if file.suffix == ".py"]
    unused = set(Uses(trees).unused(sections.values()))
    if name in SHARED:
        section, fields = SHARED[name]
        unused -= {f"{sections[section]}.{field}" for field in fields}
    assert not unused - _fields_of_paths(name, sections)


EXAMPLE = """
@settings
class Inner:
    rate: float
    seed: int

@settings
class Outer:
    inner: Inner
    others: dict[str, Inner]
    width: int
    seed: int
    name: str

class Network:
    def __init__(self, width): self.width, self.seed = width, 0

class Holder:
    def __init__(self, options: Outer): self.options = options
    def build(self): return Network(**asdict(self.options))

def main(run, other):
    settings, seed = run.settings(Outer), other.seed
    print(asdict(settings), seed, Network(3).seed, other.name)
    READ
"""


@pytest.mark.parametrize(
    ("read", "unused"),
    [
        ("pass", "Inner.rate Inner.seed Outer.inner Outer.name Outer.others Outer.seed"),
        ("settings.seed", "Inner.rate Inner.seed Outer.inner Outer.name Outer.others"),
        ("part = settings.inner; part.rate", "Inner.seed Outer.name Outer.others Outer.seed"),
        ("[entry.seed for entry in settings.others.values()]", "Inner.rate Outer.inner Outer.name Outer.seed"),
        ("getattr(settings, other)", "Inner.rate Inner.seed"),
    ],
)
def test_a_field_is_used_where_it_is_read_from_its_own_class(read, unused):
    assert Uses([ast.parse(EXAMPLE.replace("READ", read))]).unused(["Outer"]) == unused.split()


@pytest.mark.parametrize("name", [name for name in STAGES if contract.read(name).image == "data"])
def test_the_data_image_needs_no_torch(name):
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
