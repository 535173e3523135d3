"""The page of settings, made from ``params.schema.json``, which is made from the settings classes."""

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

HEAD = """# Settings

This page is made from the settings classes. Settings stand in `params.yaml`, by section; a field that is unknown,
missing or out of bounds stops a stage at once, with file, field and rule. `params.yaml` says what differs from the
defaults.

* An editor that knows YAML's language server reads `params.schema.json`: it completes fields, shows what they mean, and
  marks what is wrong.
* `.venv/bin/eeg params set SECTION.FIELD=VALUE` changes one field, adds it where it stood at its default, checks it,
  and leaves all else in the file as it is. `.venv/bin/eeg params profile NAME` puts a paper's values in place: `paper`,
  `paper-things` or `paper-eegcvpr40`.
* `.venv/bin/dvc exp run -S SECTION.FIELD=VALUE` runs an experiment with another value of a field that is in the file;
  `-S '++SECTION.FIELD=VALUE'` does for every field, also one that stands at its default.

Where a column is empty, the field has no default and must be given, or the demo or the papers say nothing of their own.

"""

WORDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
ENTRY = ".<entry>"


@dataclass(frozen=True)
class Field:
    """A field of a section, as the page shows it."""

    name: str
    kind: str
    default: str
    meaning: str


def read_schema(root: Path = Path()) -> dict:
    """Return the schema of ``params.yaml``."""
    return json.loads((root / "params.schema.json").read_text())


def _followed(node: dict, schema: dict) -> dict:
    """Return what a node refers to, or the node itself."""
    return schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def sections_of(schema: dict) -> dict[str, dict]:
    """Return the settings class of each section as the schema has it; ``latents.<entry>`` is that of its entries."""
    sections = {}
    for name, node in schema["properties"].items():
        if "$ref" in node:
            sections[name] = _followed(node, schema)
        else:
            (entry,) = (
                [node["additionalProperties"]] if "additionalProperties" in node else node["patternProperties"].values()
            )
            sections[f"{name}{ENTRY}"] = _class_of(entry, schema)
    return sections


def _class_of(entry: dict, schema: dict) -> dict:
    """Return the settings class that an entry is of, or that the elements of its list may be of."""
    if entry.get("type") == "array":
        entry = next(part for part in entry["items"].get("anyOf", [entry["items"]]) if "$ref" in part)
    return _followed(entry, schema)


def _kind(node: dict, schema: dict) -> str:
    """Return the words for the values that a node allows."""
    if "$ref" in node:
        return "a block"
    if "anyOf" in node:
        return " or ".join(_kind(part, schema) for part in node["anyOf"])
    if "enum" in node or "const" in node:
        return ", ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    match node.get("type"):
        case "array":
            items = node.get("prefixItems") or [node.get("items", {})]
            kinds = "; ".join(dict.fromkeys(_kind(item, schema) for item in items))
            least = f", entries at least {node['minItems']}" if "minItems" in node and "prefixItems" not in node else ""
            return f"list of {kinds}{least}"
        case "object":
            values = node.get("additionalProperties")
            return f"mapping to {_kind(values, schema)}" if isinstance(values, dict) and values else "mapping"
        case None:
            return "anything"
    bounds = [f"{words} {node[key]}" for key, words in BOUNDS.items() if key in node]
    return ", ".join([WORDS[node["type"]], *bounds])


def fields_of(node: dict, schema: dict, prefix: str = "") -> list[Field]:
    """Return the fields of a settings class; those of blocks are dotted, ``optimisation.betas``.

    Args:
        node: the class, as the schema has it.
        schema: the whole schema.
        prefix: what the names begin with.
    """
    fields = []
    for name, entry in node["properties"].items():
        block = _followed(entry, schema)
        is_block = block is not entry
        default = _yaml(entry["default"]) if "default" in entry and not is_block else ""
        kind = "a block" if is_block else _kind(entry, schema)
        fields.append(Field(f"{prefix}{name}", kind, default, entry.get("description", "")))
        if is_block:
            fields += fields_of(block, schema, f"{prefix}{name}.")
    return fields


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return f"`{text.removesuffix('...\n').strip()}`"


def _value(document: dict, name: str) -> str:
    """Return the value of a dotted field, as YAML in one line, or nothing."""
    for part in name.split("."):
        if not isinstance(document, dict) or part not in document:
            return ""
        document = document[part]
    return _yaml(document)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def settings_page(root: Path = Path()) -> str:
    """Return the page, in Markdown: a section of ``params.yaml`` a heading, a field a row."""
    document, schema = yaml.safe_load((root / "params.yaml").read_text()), read_schema(root)
    profiles = sorted(root.glob("eegdiffusion/commands/profiles/*.yaml"))
    papers = [yaml.safe_load(path.read_text())["settings"] for path in profiles]
    lines, order = [], list(document)
    for name, node in sorted(sections_of(schema).items(), key=lambda item: order.index(item[0].partition(".")[0])):
        lines += [f"## `{name.replace(ENTRY, '.NAME')}` {{ #{name.partition('.')[0]} }}", ""]
        lines += [_cell(node.get("description", "")), ""]
        lines += ["| field | value | default | demo | papers | meaning |", "|---|---|---|---|---|---|"]
        for field in fields_of(node, schema):
            # What a block holds stands in the rows of its fields.
            demo, *published = ["" if field.kind == "a block" else _value(values, f"{name}.{field.name}")
                                for values in (document, *papers)]  # fmt: skip
            said = "; ".join(dict.fromkeys(filter(None, published)))
            cells = (f"`{field.name}`", field.kind, field.default, demo, said, field.meaning)
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        lines.append("")
    return HEAD + "\n".join(lines)
