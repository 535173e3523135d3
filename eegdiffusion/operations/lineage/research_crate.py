"""A run as a research object: a folder with ``ro-crate-metadata.json``, for a paper or an archive.

RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) with the profiles of workflow runs (Leo et al., "Recording provenance of
workflow runs with RO-Crate", PLoS ONE 19, 2024): the workflow is ``dvc.yaml``, and each stage that ran is an action.
"""

import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.runtime.run_record import RunRecord
from eegdiffusion.core.storage.spreadsheet import write_rows
from eegdiffusion.operations.lineage.corpus_recordings import LockedCorpus
from eegdiffusion.operations.lineage.locked_graph import LockedPath, LockedStage
from eegdiffusion.operations.lineage.traced_result import TracedResult

METADATA = "ro-crate-metadata.json"

CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
    {"sha256": "https://schema.org/sha256", "md5": "https://w3id.org/ro/terms/workflow-run#md5"},
]

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
"""Profiles that the crate keeps to."""

WORKFLOW = "dvc.yaml"

FORMATS = {
    ".json": "application/json", ".yaml": "application/yaml", ".lock": "application/yaml", ".md": "text/markdown",
    ".html": "text/html", ".csv": "text/csv", ".png": "image/png", ".svg": "image/svg+xml", ".parquet":
    "application/vnd.apache.parquet", ".patch": "text/x-diff", ".cff": "application/yaml",
}  # fmt: skip

RECORDINGS = "recordings.csv"


@dataclass(frozen=True)
class CrateContents:
    """What goes into a crate.

    Attributes:
        name: title of the crate.
        description: what the run is.
        authors: who made it.
        licence: SPDX identifier of the project's licence.
        revision: git commit of the code, empty without git.
        traced: the results, with their corpora.
        lock: text of ``dvc.lock``.
        files: path in the crate -> file to copy.
        texts: path in the crate -> content to write.
        records: records of the stages' runs, for when each ran and on what machine.
        when: date and time of the crate.
        corpora: entry -> name, licence and address of the corpus, where they are known.
    """

    name: str
    description: str
    authors: Sequence[str]
    licence: str
    revision: str
    traced: TracedResult
    lock: str
    files: Mapping[str, Path]
    texts: Mapping[str, str]
    records: Sequence[RunRecord]
    when: datetime
    corpora: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def recordings_table(corpora: Iterable[LockedCorpus]) -> str:
    """Write the recordings of corpora as CSV: corpus, SHA-256, split and length; names of files may name persons."""
    rows: list[dict[str, object]] = []
    text, columns = io.StringIO(), ["corpus", "sha256", "split", "duration_s"]
    for corpus in corpora:
        for each in sorted(corpus.recordings or [], key=lambda recording: recording.sha256):
            values = corpus.entry, each.sha256, each.split or "", each.duration_s or ""
            rows.append(dict(zip(columns, values, strict=True)))
    write_rows(text, rows, columns)
    return text.getvalue()


def _reference(identity: str) -> dict:
    return {"@id": identity}


def _data(path: LockedPath) -> str:
    """Return the identity of data that are not in the crate: by content, so that one state is one entity."""
    return f"#data-{path.md5}"


class _Graph:
    """The entities of a crate, each once."""

    def __init__(self) -> None:
        self.entities: dict[str, dict] = {}

    def add(self, identity: str, kind: str | list[str], **properties: object) -> dict:
        kept = {name: value for name, value in properties.items() if value not in (None, "", [])}
        self.entities.setdefault(identity, {"@id": identity, "@type": kind} | kept)
        return _reference(identity)

    def add_data(self, path: LockedPath) -> dict:
        size = f"{path.size}" if path.size is not None else None
        words = "Not in this crate; known by DVC's hash of its content."
        kind = "Dataset" if path.md5.endswith(".dir") else "CreativeWork"
        return self.add(_data(path), kind, name=path.path, description=words, md5=path.md5, contentSize=size)


def write_crate(folder: Path, contents: CrateContents) -> list[str]:
    """Write a crate.

    Args:
        folder: an empty folder.
        contents: what goes into it.

    Returns:
        paths of its files, without that of the metadata.
    """
    texts = {"dvc.lock": contents.lock, RECORDINGS: recordings_table(contents.traced.corpora), **contents.texts}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    copied = {name: path for name, path in contents.files.items() if name not in texts}
    for name, path in progress(copied.items(), desc="copying into the crate", unit="files"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    names = sorted([*texts, *copied])
    document = {"@context": CONTEXT, "@graph": list(_entities(folder, names, contents).values())}
    (folder / METADATA).write_text(json.dumps(document, indent=2, ensure_ascii=False))
    return names


def _entities(folder: Path, names: Sequence[str], contents: CrateContents) -> dict[str, dict]:
    graph = _Graph()
    graph.add(METADATA, "CreativeWork", conformsTo=_reference("https://w3id.org/ro/crate/1.1"), about=_reference("./"))
    profiles = [
        graph.add(address, "CreativeWork", name=name, version=address.rpartition("/")[2])
        for address, name in PROFILES.items()
    ]
    authors = [graph.add(f"#author-{k + 1}", "Organization", name=name) for k, name in enumerate(contents.authors)]
    licence = graph.add(
        f"https://spdx.org/licenses/{contents.licence}", "CreativeWork", name=contents.licence,
        description="Licence of the code and of this crate; the corpora have licences of their own.",
    )  # fmt: skip
    parts = [_add_file(graph, folder, name) for name in names]
    stages = list(contents.traced.graph.stages.values())
    corpora = [_add_corpus(graph, corpus, contents.corpora.get(corpus.entry, {})) for corpus in contents.traced.corpora]
    actions = [_add_action(graph, stage, contents) for stage in stages]
    run = graph.add(
        "#run", "CreateAction",
        name=f"Run of {WORKFLOW}",
        instrument=_reference(WORKFLOW),
        object=[_reference(name) for name in ("params.yaml", RECORDINGS) if name in names] + corpora,
        result=[_reference(name) for name in names if name.startswith("reports/") or name.endswith("/metrics.json")]
        + [graph.add_data(out) for _, out in contents.traced.outputs],
        agent=authors[:1],
        endTime=max((record.ended for record in contents.records), default=contents.when.isoformat()),
        actionStatus=_reference("http://schema.org/CompletedActionStatus"),
    )  # fmt: skip
    graph.add("http://schema.org/CompletedActionStatus", "ActionStatusType", name="completed")
    _describe_workflow(graph, contents, licence, authors)
    graph.add(
        "./", "Dataset",
        name=contents.name,
        description=contents.description,
        datePublished=contents.when.date().isoformat(),
        license=licence,
        author=authors,
        conformsTo=profiles,
        hasPart=parts,
        mainEntity=_reference(WORKFLOW),
        mentions=[run, *actions],
    )  # fmt: skip
    return graph.entities


def _add_file(graph: _Graph, folder: Path, name: str) -> dict:
    path = folder / name
    kind: str | list[str] = ["File", "SoftwareSourceCode", "ComputationalWorkflow"] if name == WORKFLOW else "File"
    return graph.add(
        name, kind,
        name=name,
        contentSize=str(path.stat().st_size),
        encodingFormat=FORMATS.get(path.suffix, "application/octet-stream"),
        sha256=content_hash(path),
        **({"programmingLanguage": _reference("https://dvc.org")} if name == WORKFLOW else {}),
    )  # fmt: skip


def _describe_workflow(graph: _Graph, contents: CrateContents, licence: dict, authors: list[dict]) -> None:
    graph.add("https://dvc.org", ["ComputerLanguage", "SoftwareApplication"], name="DVC", url="https://dvc.org")
    workflow = graph.entities[WORKFLOW]
    workflow |= {"name": contents.name, "license": licence, "author": authors}
    if contents.revision:
        workflow["version"] = contents.revision


def _add_corpus(graph: _Graph, corpus: LockedCorpus, about: Mapping[str, str]) -> dict:
    reference = graph.add_data(corpus.root)
    recordings = "" if corpus.recordings is None else f" {len(corpus.recordings)} recordings, see {RECORDINGS}."
    graph.entities[reference["@id"]] |= {
        "name": about.get("name", corpus.entry),
        "description": f"{about.get('description', '').strip()} Not in this crate.{recordings}".strip(),
    }
    more = {"license": about.get("licence"), "url": about.get("url")}
    graph.entities[reference["@id"]] |= {name: text.strip() for name, text in more.items() if text}
    return reference


def _add_action(graph: _Graph, stage: LockedStage, contents: CrateContents) -> dict:
    program = graph.add(
        f"#component-{stage.component}", "SoftwareApplication",
        name=f"components.{stage.component}", softwareVersion=contents.revision,
    )  # fmt: skip
    params = [
        graph.add(f"#{stage.name}-{name}", "PropertyValue", name=name, value=json.dumps(value, ensure_ascii=False))
        for sections in stage.params.values()
        for name, value in sections.items()
    ]
    key = stage.name.replace("@", "-")
    ran = next((each for each in contents.records if "-".join(filter(None, (each.stage, each.item))) == key), None)
    times: dict[str, object] = {}
    if ran is not None:
        began = datetime.fromisoformat(ran.ended) - timedelta(seconds=ran.seconds)
        times = {"startTime": began.astimezone(UTC).isoformat(timespec="seconds"), "endTime": ran.ended}
        times["description"] = f"{stage.command}; revision {ran.revision or 'unknown'}"
    return graph.add(
        f"#action-{stage.name}", "CreateAction",
        name=stage.name,
        instrument=program,
        object=[graph.add_data(path) for path in (*stage.data, *stage.code)] + params,
        result=[graph.add_data(path) for path in stage.outputs],
        **({"description": stage.command} | times),
    )  # fmt: skip
