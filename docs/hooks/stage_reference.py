"""The page of stages, made from each stage's ``component.yaml`` and from ``dvc.yaml``."""

from pathlib import Path

import yaml
from stage_graph import edges, read_stages

HEAD = """# Stages

This page is made from `dvc.yaml` and the contracts `components/<stage>/component.yaml`. A stage is run by
`dvc repro <stage>`, which runs what it needs first, and by Airflow as a task of the same name. A stage that was killed
goes on at its last checkpoint when it is run again.

"""


def _items(entry: dict) -> str:
    if "matrix" in entry:
        return " x ".join(f"`{axis}`" for axis in entry["matrix"]) + " of the section `matrix`"
    return f"every entry of `{entry['foreach'].strip('${}')}`" if "foreach" in entry else "one run"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _artifacts(title: str, artifacts: list[dict]) -> list[str]:
    rows = [f"| `{_cell(a['path'])}` | {_cell(a['description'])} |" for a in artifacts]
    return [f"| {title} | |", "|---|---|", *rows, ""] if rows else []


def stage_page(root: Path = Path()) -> str:
    """Return the page, in Markdown: an overview, and a section a stage in the graph's order."""
    stages = read_stages(root / "dvc.yaml")
    pairs = edges(stages)
    overview, sections = ["| stage | what it does | runs for |", "|---|---|---|"], []
    for name, entry in stages.items():
        contract = yaml.safe_load((root / "components" / name / "component.yaml").read_text())
        overview.append(f"| [`{name}`](#{name}) | {_cell(entry['desc'])} | {_items(entry)} |")
        airflow = entry.get("meta", {}).get("airflow", {})
        before = [f"[`{a}`](#{a})" for a in stages if (a, name) in pairs]
        after = [f"[`{b}`](#{b})" for b in stages if (name, b) in pairs]
        arguments = [f"`--{a['name']}`: {_cell(a['description'])}" for a in contract.get("arguments", [])]
        sections += [
            f"## `{name}` {{ #{name} }}",
            "",
            _cell(contract["description"]),
            "",
            f"* Runs for: {_items(entry)}",
            *([f"* Arguments: {'; '.join(arguments)}"] if arguments else []),
            f"* After: {', '.join(before) or 'nothing'}",
            f"* Before: {', '.join(after) or 'nothing'}",
            f"* Settings: {', '.join(f'`{section}`' for section in contract['params'])}",
            f"* Image: `{contract['image']}`; asks Airflow for "
            + ", ".join(f"{value} {key}" for key, value in airflow.items()),
            "",
            *_artifacts("takes", contract.get("inputs", [])),
            *_artifacts("makes", contract["outputs"]),
        ]
    return HEAD + "\n".join([*overview, "", *sections])
