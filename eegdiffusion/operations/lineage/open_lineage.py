"""OpenLineage's events of stages, registrations and promotions, made from what ``dvc.lock`` and the registry hold.

Specification: https://openlineage.io/spec/2-0-2/OpenLineage.json; the facets are those of the specification.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.runtime.run_record import RunRecord
from eegdiffusion.operations.lineage.locked_graph import LockedGraph, LockedPath, LockedStage

PRODUCER = "https://pypi.org/project/eegdiffusion/"
SPEC = "https://openlineage.io/spec"
SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
OWN_RUN = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet"
"""Schema of a facet of one's own: the specification's of any facet of a run."""

FACETS = {
    "DatasetVersionDatasetFacet": "1-0-1",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "JobTypeJobFacet": "2-0-3",
    "DocumentationJobFacet": "1-0-1",
    "ProcessingEngineRunFacet": "1-1-1",
    "ErrorMessageRunFacet": "1-0-1",
}
"""Facet -> version of its schema."""

REGISTRY = "mlflow"
"""Namespace of registered models."""

_IDS = uuid.UUID("6f9c54f4-7b0c-4a5e-9d2e-3f1f1e2d8a10")

Event = dict[str, object]


def _facet(kind: str, /, **fields: object) -> dict:
    schema = f"{SPEC}/facets/{FACETS[kind]}/{kind}.json#/$defs/{kind}"
    return {"_producer": PRODUCER, "_schemaURL": schema} | fields


def _dataset(namespace: str, path: LockedPath, written: bool = False) -> dict:
    dataset: dict = {
        "namespace": namespace,
        "name": path.path,
        "facets": {"version": _facet("DatasetVersionDatasetFacet", datasetVersion=path.md5)},
    }
    if written and path.size is not None:
        counts = {"size": path.size, "fileCount": 1 if path.files is None else path.files}
        dataset["outputFacets"] = {"outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", **counts)}
    return dataset


def _event(
    kind: str,
    when: datetime,
    run: str,
    job: tuple[str, str],
    engine: str,
    description: str,
    inputs: Sequence[dict],
    outputs: Sequence[dict],
    facets: Mapping[str, dict],
) -> Event:
    namespace, name = job
    kinds = {"processingType": "BATCH", "integration": engine.upper(), "jobType": "TASK"}
    processing_engine = _facet("ProcessingEngineRunFacet", name=engine, version=version(engine))
    return {
        "eventType": kind,
        "eventTime": when.astimezone(UTC).isoformat(timespec="milliseconds"),
        "run": {"runId": run, "facets": {"processing_engine": processing_engine, **facets}},
        "job": {
            "namespace": namespace,
            "name": name,
            "facets": {
                "jobType": _facet("JobTypeJobFacet", **kinds),
                "documentation": _facet("DocumentationJobFacet", description=description),
            },
        },
        "inputs": list(inputs),
        "outputs": list(outputs),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
    }


def _read_datasets(graph: LockedGraph, stage: LockedStage, namespace: str) -> list[dict]:
    """Return what a stage has read: the outputs of others by their own names, so that edges meet; and sources."""
    datasets = {}
    for edge in graph.edges_into(stage):
        same = edge.output is None or edge.output.path == edge.data.path
        # The hash is that of what was read, also where it was written again since.
        path = edge.data if same or edge.output is None else edge.output
        datasets[path.path] = _dataset(namespace, path)
    return list(datasets.values())


def stage_events(
    graph: LockedGraph, stage: LockedStage, record: RunRecord | None, namespace: str, now: datetime
) -> list[Event]:
    """Return START and COMPLETE of the run whose results ``dvc.lock`` holds.

    Args:
        graph: the graph of ``dvc.lock``.
        stage: one of its stages.
        record: the record of the run, where it ran here; else it came from DVC's cache, at ``now``.
        namespace: of jobs and data.
        now: the time.

    Returns:
        the two events; the same run has the same id whenever they are made.
    """
    ended = datetime.fromisoformat(record.ended) if record else now
    began = ended - timedelta(seconds=record.seconds) if record else now
    run = stage_run(stage, record, namespace)
    facets = {}
    if record is not None:
        used = {name: value for name, value in asdict(record.used).items() if value is not None} if record.used else {}
        about = {"revision": record.revision or "unknown", "seconds": record.seconds, **used}
        facets["eegdiffusion_run"] = {"_producer": PRODUCER, "_schemaURL": OWN_RUN} | about
    inputs = _read_datasets(graph, stage, namespace)
    outputs = [_dataset(namespace, path, written=True) for path in stage.outputs]
    job, words = (namespace, stage.name), f"Stage {stage.component} of dvc.yaml"
    return [
        _event("START", began, run, job, "dvc", words, inputs, [], facets),
        _event("COMPLETE", ended, run, job, "dvc", words, inputs, outputs, facets),
    ]


def stage_run(stage: LockedStage, record: RunRecord | None, namespace: str) -> str:
    """Return the id of the run of a stage: of what it read, ran and wrote, and of when it ended where that is known."""
    content = text_hash(asdict(stage), record.ended if record else None)
    return str(uuid.uuid5(_IDS, f"{namespace} {stage.name} {content}"))


def failed_stage_events(name: str, namespace: str, began: datetime, ended: datetime, message: str) -> list[Event]:
    """Return START and FAIL of a stage that wrote nothing.

    Args:
        name: DVC's name of the stage.
        namespace: of jobs.
        began: when it began.
        ended: when it failed.
        message: what is said of it; nothing of its data.
    """
    run = str(uuid.uuid5(_IDS, f"{namespace} {name} {began.isoformat()}"))
    error = {"errorMessage": _facet("ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON")}
    job, words = (namespace, name), f"Stage {name.partition('@')[0]} of dvc.yaml"
    return [
        _event("START", began, run, job, "dvc", words, [], [], {}),
        _event("FAIL", ended, run, job, "dvc", words, [], [], error),
    ]


def registry_events(
    action: str, name: str, number: str, inputs: Iterable[LockedPath | str], namespace: str, now: datetime
) -> list[Event]:
    """Return START and COMPLETE of a registration or a promotion.

    Args:
        action: ``register``, ``promote``, ``rollback`` or ``retire``.
        name: name of the registered model.
        number: its version.
        inputs: outputs of stages that were read, or names of registered versions.
        namespace: of jobs and of the stages' data.
        now: when it was done.
    """
    run = str(uuid.uuid5(_IDS, f"{namespace} {action} {name} {number} {now.isoformat()}"))
    datasets = [
        _dataset(namespace, each) if isinstance(each, LockedPath) else _registered(each, number) for each in inputs
    ]
    output = f"{name}/{number}" if action == "register" else f"{name}@champion"
    job, words = (namespace, f"{action}_{name}"), f"{action.capitalize()} a version of the registered model {name}"
    outputs = [_registered(output, number)]
    return [
        _event("START", now, run, job, "mlflow", words, datasets, [], {}),
        _event("COMPLETE", now, run, job, "mlflow", words, datasets, outputs, {}),
    ]


def _registered(name: str, number: str) -> dict:
    facets = {"version": _facet("DatasetVersionDatasetFacet", datasetVersion=number)}
    return {"namespace": REGISTRY, "name": name, "facets": facets}
