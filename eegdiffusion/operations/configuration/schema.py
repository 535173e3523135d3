"""``params.schema.json``: what may stand in ``params.yaml``, for editors and for the page of settings.

The schema is made from the settings classes: types and bounds by Pydantic, descriptions from the sentences that stand
under the fields.
"""

import ast
import dataclasses
import inspect
import json
import re
import textwrap
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema, to_jsonable_python

from eegdiffusion.core.runtime.settings import PARAMS
from eegdiffusion.operations.configuration.sections import section_types

SCHEMA = Path("params.schema.json")
REFERENCES = "#/$defs/{model}"


def _plain(text: str) -> str:
    """Return a docstring as one line, without the marks of reStructuredText."""
    return re.sub(r"``(.*?)``", r"`\1`", re.sub(r":\w+:`~?(.*?)`", r"`\1`", " ".join(text.split())))


@cache
def _tree(cls: type) -> ast.ClassDef:
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    return next(node for node in tree.body if isinstance(node, ast.ClassDef))


def class_sentence(cls: type) -> str:
    """Return the docstring of a settings class as one line, empty where it has none of its own."""
    return _plain(ast.get_docstring(_tree(cls)) or "")


def field_sentences(cls: type) -> dict[str, str]:
    """Return the sentences that stand under the fields of a settings class and of its bases, as one line each."""
    sentences: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        body = _tree(base).body
        for statement, following in zip(body, [*body[1:], None], strict=True):
            match statement, following:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                    sentences[name] = _plain(text)
    return sentences


class _Described(GenerateJsonSchema):
    """Pydantic's schema, with the classes' sentences and the defaults that factories make."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> dict:
        described = super().dataclass_schema(schema)
        cls = schema["cls"]
        described["description"] = class_sentence(cls)
        sentences = field_sentences(cls)
        for field in dataclasses.fields(cls):
            entry = described["properties"][field.name]
            entry.pop("title", None)
            if field.default_factory is not dataclasses.MISSING:
                entry["default"] = to_jsonable_python(field.default_factory())
            if field.name in sentences:
                entry["description"] = sentences[field.name]
        return described


def params_schema() -> dict:
    """Return the JSON schema of ``params.yaml``; every section must be there, and none beside them."""
    adapters: list[tuple[str, Literal["validation", "serialization"], TypeAdapter[Any]]] = [
        (name, "validation", TypeAdapter(kind)) for name, kind in section_types().items()
    ]
    schemas, definitions = TypeAdapter.json_schemas(adapters, ref_template=REFERENCES, schema_generator=_Described)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": PARAMS.name,
        "description": "Settings of all stages, by section.",
        "type": "object",
        "properties": {name: schemas[name, "validation"] for name, _, _ in adapters},
        "required": [name for name, _, _ in adapters],
        "additionalProperties": False,
        "$defs": definitions.get("$defs", {}),
    }


def schema_text() -> str:
    """Return the text of ``params.schema.json``."""
    return json.dumps(params_schema(), indent=1, ensure_ascii=False) + "\n"
