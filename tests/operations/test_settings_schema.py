"""The schema of params.yaml says what the settings classes say, and each of their fields says what it is."""

import ast
import inspect
import json
import re
from dataclasses import MISSING
from pathlib import Path

import pytest
import yaml

from eegdiffusion.core.runtime import contract
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import PARAMS, load, settings
from eegdiffusion.operations.configuration.schema import SCHEMA, class_sentence, field_sentences, schema_text
from eegdiffusion.operations.configuration.sections import (
    READ_IN_PARTS,
    field_names,
    read_by,
    resolved,
    section_names,
    section_type,
)


def _settings_classes():
    """Yield (file, class) of every settings class of the repository, from the text."""
    for path in sorted([*Path("components").rglob("*.py"), *Path("eegdiffusion").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(each) == "settings" for each in node.decorator_list):
                yield path, node


CLASSES = {f"{path}:{node.name}": node for path, node in _settings_classes()}


def _is_sentence(text: str) -> bool:
    return bool(re.match(r"[A-Z0-9`]", text)) and text.rstrip(")").endswith(".") and len(text.split()) >= 3


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_and_field_has_a_sentence_of_its_own(name):
    node = CLASSES[name]
    sentences = {"the class": " ".join((ast.get_docstring(node) or "").split())}
    for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign):
            match following:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    sentences[ast.unparse(statement.target)] = " ".join(text.split())
                case _:
                    sentences[ast.unparse(statement.target)] = ""
    assert not [field for field, text in sentences.items() if not _is_sentence(text)]


def test_the_classes_are_found():
    assert len(CLASSES) > 50
    assert any("TrainControlNet" in name for name in CLASSES)


def test_the_schema_is_what_the_classes_say():
    assert SCHEMA.read_text() == schema_text(), "run `make deps`"
    assert PARAMS.read_text().splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA}"


def test_the_schema_describes_all_and_refuses_what_is_unknown():
    schema = json.loads(SCHEMA.read_text())
    assert set(schema["properties"]) == set(schema["required"]) == set(load())
    assert schema["additionalProperties"] is False
    for name, node in schema["$defs"].items():
        assert node["additionalProperties"] is False, name
        assert node["description"], name
        for field, entry in node["properties"].items():
            assert entry["description"], f"{name}.{field}"


def test_sections_are_those_that_stages_read():
    assert set(section_names()) == set(load())
    heads = {name.partition(".")[0] for stage in contract.stage_names() for name in read_by(stage)}
    assert heads == set(section_names())


def test_a_part_is_read_as_the_type_that_the_whole_says():
    for stage in contract.stage_names():
        for name, expression in read_by(stage).items():
            head, _, field = name.partition(".")
            if head in READ_IN_PARTS:
                classes = READ_IN_PARTS[head].__mro__
                if not field:
                    assert ast.unparse(expression) in {kind.__name__ for kind in classes}, name
                    continue
                annotations = {key: value for kind in classes for key, value in inspect.get_annotations(kind).items()}
                assert field in annotations, name
                assert head != "matrix" or "list" in ast.unparse(expression), name


def _named_fields() -> set[str]:
    """Dotted fields that dvc.yaml or a contract reads by themselves; items stand for the sections they come from."""
    graph = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    names = set()
    for stage in graph.values():
        body = stage.get("do", stage)
        items = re.sub(r"[^\w.]", "", stage["foreach"]) if isinstance(stage.get("foreach"), str) else None
        texts = json.dumps([body.get(key) for key in ("cmd", "deps", "outs", "params")])
        for expression in re.findall(r"\$\{([\w.]+)\}", texts) + [name for name in body["params"] if "$" not in name]:
            head, _, rest = expression.partition(".")
            if head == "item" and items:
                names.add(f"{items}.*.{rest}" if rest else items)
            elif rest and head != "item":
                names.add(expression)
    for stage in contract.stage_names():
        names |= {name for name in read_by(stage) if "." in name and not name.endswith("*")}
    return names


def test_fields_that_the_graph_names_have_no_default():
    """DVC and Airflow read the file alone: a field that must be in it has no default, so that its lack is told."""
    named = _named_fields()
    assert {"finetune_lft.latents", "hardware.precision", "latents.*.corpus", "prepare_generator.pipeline"} <= named
    for name in named:
        head, *parts = name.split(".")
        if parts[0] == "*":
            parts = parts[1:]
            kind = section_type(head).__args__[1]
        else:
            kind = section_type(head)
        field = kind.__dataclass_fields__[parts[0]]
        assert field.default is MISSING, name
        assert field.default_factory is MISSING, name


def test_params_yaml_is_short_and_names_every_section():
    assert len(PARAMS.read_text().splitlines()) <= 200


def test_a_resolved_section_has_every_field():
    values = resolved("train_baselines")
    assert values["optimisation"]["betas"] == [0.9, 0.999]
    assert values["optimisation"]["clip_norm"] == 1.0
    names = set(field_names(section_type("train_baselines")))
    assert {"optimisation.ema.update_every", "corpus"} <= names
    assert resolved("cache_latents") == {"batch_size": 16}
    with pytest.raises(InputError, match="cache_latent: there is no such section; did you mean 'cache_latents'"):
        section_type("cache_latent")


@settings
class Base:
    """What a base says."""

    width: int = 1
    """Width of
    ``it``."""


@settings
class Derived(Base):
    """What another says of :class:`Base`."""

    depth: int
    """Depth of it."""


def test_sentences_are_those_under_the_fields():
    assert field_sentences(Derived) == {"width": "Width of `it`.", "depth": "Depth of it."}
    assert class_sentence(Derived) == "What another says of `Base`."
