"""The stage runner: what is declared is used, what is used is declared."""

import pytest

from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.errors import EXIT_BAD_INPUT, EXIT_INTERRUPTED, InputError
from eegdiffusion.core.runtime.settings import settings
from eegdiffusion.core.runtime.stage import Stage, stage


@settings
class Sizes:
    size: int


CONTRACT = {
    "name": "toy",
    "description": "a toy",
    "image": "data",
    "command": ["python", "-m", "components.toy"],
    "arguments": [{"name": "seed", "type": "Integer", "description": "seed"}],
    "inputs": [{"name": "corpus", "path": "${toy.root}", "description": "input"}],
    "outputs": [{"name": "table", "path": "out/seed-{seed}", "description": "output"}],
    "params": ["toy.sizes"],
}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("toy: {root: raw, sizes: {size: 2}}")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("a")
    agreed = contract.validate(CONTRACT, contract.Contract, "toy")
    monkeypatch.setattr(contract, "read", lambda name: agreed)
    return tmp_path


def _use_all(run: Stage):
    size, corpus, out = run.settings(Sizes, "toy.sizes").size, run.input("corpus"), run.output("table")
    out.write_text(f"{size} {(corpus / 'a.txt').read_text()} {run.item['seed']}")


def test_paths_settings_and_arguments_reach_the_stage(toy):
    stage("toy")(_use_all)(["--seed", "7"])
    assert (toy / "out" / "seed-7").read_text() == "2 a 7"


@pytest.mark.parametrize("unused", ["settings", "input", "output"])
def test_what_is_declared_must_be_used(toy, unused):
    def main(run: Stage):
        if unused != "settings":
            run.settings(Sizes, "toy.sizes")
        if unused != "input":
            run.input("corpus")
        if unused != "output":
            run.output("table").write_text("")

    with pytest.raises(AssertionError, match=f"not used: {unused}"):
        stage("toy")(main)(["--seed", "7"])


def test_what_is_not_declared_cannot_be_used(toy):
    with pytest.raises(AssertionError, match="input 'other' is not declared"):
        stage("toy")(lambda run: run.input("other"))(["--seed", "7"])


def test_an_output_must_be_written(toy):
    def main(run: Stage):
        run.settings(Sizes, "toy.sizes"), run.input("corpus"), run.output("table")

    with pytest.raises(AssertionError, match="did not write out/seed-7"):
        stage("toy")(main)(["--seed", "7"])


def test_bad_input_ends_with_a_message_and_its_own_status(toy, capsys):
    (toy / "params.yaml").write_text("toy: {root: raw, sizes: {size: big}}")
    with pytest.raises(SystemExit) as ended:
        stage("toy")(_use_all)(["--seed", "7"])
    assert ended.value.code == EXIT_BAD_INPUT
    assert "params.yaml: toy.sizes.size" in capsys.readouterr().err


def test_an_interruption_ends_with_one_line_and_its_own_status(toy, capsys):
    def main(run: Stage):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        stage("toy")(main)(["--seed", "7"])
    assert ended.value.code == EXIT_INTERRUPTED == 130
    assert capsys.readouterr().err == "toy: interrupted\n"


def test_a_missing_input_says_what_to_do(toy, capsys):
    (toy / "params.yaml").write_text("toy: {root: elsewhere, sizes: {size: 1}}")
    with pytest.raises(SystemExit):
        stage("toy")(_use_all)(["--seed", "7"])
    assert "elsewhere" in (message := capsys.readouterr().err)
    assert "dvc repro" in message


def test_the_work_folder_is_keyed_by_settings_input_and_item_and_goes_on_success(toy):
    def fingerprint(seed=7):
        return Stage(contract.read("toy"), {"seed": seed}).fingerprint

    first = fingerprint()
    assert fingerprint() == first != fingerprint(8)
    (toy / "raw" / "a.txt").write_text("b")
    second = fingerprint()
    (toy / "params.yaml").write_text("toy: {root: raw, sizes: {size: 3}}")
    assert len({first, second, fingerprint()}) == 3

    def main(run: Stage):
        (run.work / "half").write_text("done")
        _use_all(run)

    stage("toy")(main)(["--seed", "7"])
    assert not list((toy / ".work").rglob("half"))


def test_the_work_folder_stays_after_a_failure(toy):
    def main(run: Stage):
        (run.work / "half").write_text("done")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        stage("toy")(main)(["--seed", "7"])
    assert [path.read_text() for path in (toy / ".work").rglob("half")] == ["done"]


def test_other_ranks_of_a_distributed_run_leave_outputs_alone(toy, monkeypatch):
    (toy / "out").mkdir()
    (toy / "out" / "seed-7").write_text("rank 0's")
    monkeypatch.setenv("LOCAL_RANK", "1")
    stage("toy")(lambda run: run.output("table"))(["--seed", "7"])
    assert (toy / "out" / "seed-7").read_text() == "rank 0's"


@settings
class Machine:
    devices: int
    precision: str


@pytest.fixture
def trained(toy, monkeypatch):
    """The toy as a stage whose result depends on the precision, and on nothing else of the machine."""
    agreed = contract.validate(CONTRACT | {"params": ["toy.sizes", "hardware.precision"]}, contract.Contract, "toy")
    monkeypatch.setattr(contract, "read", lambda name: agreed)

    def fingerprint(devices=1, precision="single"):
        (toy / "params.yaml").write_text(
            f"toy: {{root: raw, sizes: {{size: 2}}}}\nhardware: {{devices: {devices}, precision: {precision}}}"
        )
        return Stage(agreed, {"seed": 7}).fingerprint

    return fingerprint


def test_what_a_run_costs_is_read_and_is_no_part_of_its_key(trained):
    first = trained()

    def main(run: Stage):
        assert run.settings(Machine, "hardware") == Machine(devices=1, precision="single")
        assert run.settings(int, "hardware.devices") == 1
        _use_all(run)

    stage("toy")(main)(["--seed", "7"])
    assert trained(devices=2) == first != trained(precision="half")


def test_a_declared_field_of_the_machine_must_be_used(trained):
    trained()
    with pytest.raises(AssertionError, match=r"not used: settings hardware\.precision"):
        stage("toy")(lambda run: (run.settings(int, "hardware.devices"), _use_all(run)))(["--seed", "7"])


def test_a_typo_in_a_stages_name_names_the_nearest():
    with pytest.raises(InputError, match="'train_baseline' is not a stage; did you mean 'train_baselines'"):
        contract.read("train_baseline")


def test_a_typo_in_an_entrys_name_names_the_nearest(toy, capsys):
    (toy / "params.yaml").write_text("toy: {root: raw, size: {size: 2}}")
    with pytest.raises(SystemExit):
        stage("toy")(_use_all)(["--seed", "7"])
    assert "params.yaml: toy.sizes: there is no such section; did you mean 'toy.size'?" in capsys.readouterr().err


def test_a_run_outside_the_repository_is_told_what_is_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        stage("cache_latents")(_use_all)(["--latents", "base"])
    assert ended.value.code == EXIT_BAD_INPUT
    assert f"params.yaml: no such file in {tmp_path}; run from the root" in capsys.readouterr().err


def test_stages_are_those_of_the_folder_else_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "cache_latents" in contract.stage_names()
    assert contract.read("cache_latents").name == "cache_latents"
    (tmp_path / "components" / "own").mkdir(parents=True)
    (tmp_path / "components" / "own" / "component.yaml").touch()
    assert contract.stage_names() == ["own"]
