"""Pages that are made from the code name all that is there; README's made parts are those of the repository."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import yaml
from demo_scores import CLASSIFIERS, PUBLISHED, ROWS, TASKS, TASKS_BEGIN, TASKS_END, scores, task_scores, with_scores
from error_messages import messages, messages_of, with_messages
from settings_reference import fields_of, read_schema, sections_of, settings_page
from stage_graph import edges, mermaid, read_stages, reduced, with_graph
from stage_reference import stage_page

from tests.docs.documents import DOCUMENTS, blocks
from tests.e2e.workspace import ROOT

README = (ROOT / "README.md").read_text()
STAGES = {path.parent.name for path in ROOT.glob("components/*/component.yaml")}


def test_readmes_graph_is_that_of_dvc_yaml():
    assert with_graph(README, mermaid(read_stages(ROOT / "dvc.yaml"))) == README, "run `make docs`"


def test_the_graph_has_every_stage_and_no_shortcut():
    pairs = edges(read_stages(ROOT / "dvc.yaml"))
    drawn = reduced(pairs)
    assert {stage for pair in drawn for stage in pair} == STAGES == set(read_stages(ROOT / "dvc.yaml"))
    assert drawn < pairs
    assert ("preprocess_events", "pretrain_ssmdp") in drawn
    assert ("reconstruct_sgdm", "report") in drawn
    assert reduced({("a", "b"), ("b", "c"), ("a", "c")}) == {("a", "b"), ("b", "c")}


def test_edges_follow_paths_not_templates(tmp_path):
    (tmp_path / "dvc.yaml").write_text(
        yaml.safe_dump(
            {
                "stages": {
                    "one": {"deps": ["${one.root}", "components/one"], "outs": ["data/a/${item.x}", {"b": {}}]},
                    "two": {"foreach": "${xs}", "do": {"deps": ["data/a/${key}/part"], "outs": ["data/c"]}},
                    "three": {"deps": ["data/d", "components/one"], "outs": ["data/e"]},
                }
            }
        )
    )
    assert edges(read_stages(tmp_path / "dvc.yaml")) == {("one", "two")}


def test_readmes_scores_have_the_papers_numbers():
    published = yaml.safe_load((ROOT / PUBLISHED).read_text())
    made = scores({row.metric: 0.125 for row in ROWS}, published).splitlines()
    shown = re.search(r"(?<=`make docs` -->\n)\| system.*?(?=<!-- end of scores)", README, re.DOTALL)[0].splitlines()
    without_demo = [[re.split(r"(?<!\\)\|", line)[k] for k in (1, 2, 4, 5)] for line in (*made, *shown)]
    assert without_demo[: len(made)] == without_demo[len(made) :]
    assert all("0.12" in line for line in made[2:])
    assert with_scores(README, "\n".join(shown)) == README
    for line in shown[2:]:
        assert re.split(r"\|", line)[3].strip() == "–" or -1 <= float(re.split(r"\|", line)[3]) <= 1


def test_readmes_table_of_real_tasks_has_the_demos_tasks_and_marks_the_best():
    assert set(TASKS) == set(yaml.safe_load((ROOT / "params.yaml").read_text())["probe_tasks"])
    metrics = {
        f"task_{task}_{name}_balanced_accuracy": 0.5 + k / 100 for task in TASKS for k, name in enumerate(CLASSIFIERS)
    }
    metrics |= {f"task_scp_pretraining_over_untrained_backbone_{end}": value
                for end, value in (("mean", -0.01), ("low", -0.02), ("high", 0.0))}  # fmt: skip
    head, _, *rows = task_scores(metrics).splitlines()
    assert head.count("|") == 8
    assert [row.split(" | ")[1:] for row in rows] == [
        ["0.500", "0.510", "0.520", "0.530", "**0.540**", "– |"],
        ["0.500", "0.510", "0.520", "0.530", "**0.540**", "-0.010 (-0.020 to +0.000) |"],
    ]
    shown = re.search(rf"(?<={re.escape(TASKS_BEGIN)}\n).*?(?={re.escape(TASKS_END)})", README, re.DOTALL)[0].strip()
    assert with_scores(README, shown, TASKS_BEGIN, TASKS_END) == README
    assert shown.splitlines()[0] == head
    assert [row.partition(" | ")[0] for row in shown.splitlines()[2:]] == [row.partition(" | ")[0] for row in rows]


def test_the_stage_page_has_every_stage_with_its_paths():
    page = stage_page(ROOT)
    assert set(re.findall(r"^\| \[`([a-z_]+)`\]", page, re.MULTILINE)) == STAGES
    for stage in STAGES:
        contract = yaml.safe_load((ROOT / "components" / stage / "component.yaml").read_text())
        section = page.partition(f"## `{stage}`")[2].partition("\n## ")[0]
        for artifact in (*contract.get("inputs", []), *contract["outputs"]):
            assert f"`{artifact['path']}`" in section, f"{stage}: {artifact['name']}"


def test_the_settings_page_has_every_section_and_field():
    page = settings_page(ROOT)
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert {name.partition(".")[0] for name in re.findall(r"^## `([a-z_.A-Z]+)`", page, re.MULTILINE)} >= set(document)
    schema = read_schema(ROOT)
    for name, node in sections_of(schema).items():
        names = {field.name for field in fields_of(node, schema)}
        section = document.get(name)
        if isinstance(section, dict):
            unknown = set(_leaves(section)) - names
            assert not {field for field in unknown if not any(field.startswith(f"{known}.") for known in names)}, name


def _leaves(section: dict, prefix: str = ""):
    for key, value in section.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_the_settings_page_says_what_the_classes_say():
    """The page is made from the schema; the class has the same fields and defaults."""
    from eegdiffusion.core.training.settings import Optimisation

    schema = read_schema(ROOT)
    listed = {field.name: field for field in fields_of(schema["$defs"]["Optimisation"], schema)}
    for field in fields(Optimisation):
        nested = field.type if is_dataclass(field.type) else None
        assert field.name in listed
        assert listed[field.name].meaning
        assert all(f"{field.name}.{inner.name}" in listed for inner in (fields(nested) if nested else ()))
    assert "at least 1" in listed["batch_size"].kind
    assert "above 0" in listed["learning_rate"].kind
    assert listed["accumulate_batches"].default == "`1`"
    assert listed["one_cycle"].default == "`false`"
    assert listed["betas"].default == "`[0.9, 0.999]`"
    assert listed["ema.beta"].default == "`0.999`"
    assert listed["batch_size"].default == ""


def test_troubleshooting_has_a_place_for_every_message():
    page = (ROOT / "docs/troubleshooting.md").read_text()
    whole = with_messages(page, ROOT)
    assert "<!-- messages" not in whole
    texts = [text for each in messages(ROOT).values() for text in each]
    assert len(texts) > 200
    assert all(f"`{' '.join(text.replace('`', chr(39)).split())}`" in whole for text in texts)
    with pytest.raises(ValueError, match="must have a mark"):
        with_messages("<!-- messages: eegdiffusion/report -->", ROOT)


def test_messages_are_read_as_they_are_worded(tmp_path):
    (tmp_path / "m.py").write_text(
        'raise InputError(f"{path}: no such {a.kind}" + " file")\n'
        'raise InputError(str(error))\nraise UnavailableError("away")\n'
    )
    assert messages_of(tmp_path / "m.py") == ["<path>: no such <kind> file", "away"]


def _links() -> list[tuple[Path, str]]:
    return [
        (path, link)
        for path in DOCUMENTS
        for link in re.findall(r"\[[^]]*\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
        if "://" not in link
    ]


GENERATED = {"settings.md", "stages.md", "api.md", "contributing.md", "benchmarks.md"}
"""Pages that the site's build makes."""


def test_links_lead_to_files():
    for path, link in _links():
        if not (path.parent == ROOT / "docs" and link in GENERATED) and link != "docs/images/demo_report.png":
            assert (path.parent / link).exists(), f"{path.relative_to(ROOT)}: {link}"


def test_readme_is_short():
    assert len(README.splitlines()) <= 125


def test_yaml_examples_are_settings():
    """Entries that the docs show are taken by the classes that read them."""
    from eegdiffusion.core.runtime.settings import validate
    from eegdiffusion.operations.configuration.sections import section_names, section_type

    shown = [yaml.safe_load(block) for _, block in blocks("yaml")]
    assert shown
    for document in shown:
        for section, entries in document.items():
            assert section in section_names(), section
            validate(entries, section_type(section), section)
