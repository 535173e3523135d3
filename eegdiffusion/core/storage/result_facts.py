"""What a trained model says of itself and of its data: ``metrics.json``, which report, registry and gate read.

A result's folder holds ``metrics.json``: the fields of :class:`ResultFacts`, what this kind of model alone says, and
the metrics, side by side in one object; and ``curves.csv``, a row for each round of training.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.spreadsheet import write_table

METRICS = "metrics.json"
"""File of a result's folder that holds its facts and its metrics."""

CURVES = "curves.csv"
"""File of a result's folder that holds a row for each round of training."""


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What a result says of the data that it was measured on.

    Attributes:
        corpus: name that the corpus gives itself, ``surrogate`` where it is one.
        preprocessing: fingerprint of the store that the data came from.
        split_hash: hash of the samples of the split and of what they were made from; scores compare where it is equal.
        split: name of the split, where the data have one.
        classes: names of the labels 0, 1, ..., where there are any.
        layout: layout of the corpus, where the store knows it.
        warnings: what readers of the scores must know of the corpus, where the store knows it.
    """

    corpus: str
    preprocessing: str
    split_hash: str
    split: str | None = None
    classes: list[str] | None = None
    layout: str | None = None
    warnings: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class ResultFacts:
    """What a trained model says of itself and of its data.

    Attributes:
        data: what it was measured on.
        parameters: number of trained values, or of those of each part by its name.
        seed: seed of the training; None where the stage trains one model alone.
        best_epoch: epoch, possibly fractional, whose weights were kept.
        windows: number of samples that the metrics were computed on.
        more: fields that this kind of model alone has.
    """

    data: DataFacts
    parameters: int | dict[str, int]
    seed: int | None = None
    best_epoch: float | None = None
    windows: int | None = None
    more: Mapping[str, object] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """Return all fields side by side, as ``metrics.json`` has them; those that are None are left out.

        Raises:
            ValueError: ``more`` holds a field of this class.
        """
        own = {name: getattr(self, name) for name in OWN_FIELDS} | asdict(self.data)
        if twice := own.keys() & self.more.keys():
            raise ValueError(f"more: {', '.join(sorted(twice))}: is a field of ResultFacts or DataFacts")
        return {name: value for name, value in own.items() if value is not None} | dict(self.more)


DATA_FIELDS = tuple(entry.name for entry in fields(DataFacts))
OWN_FIELDS = tuple(entry.name for entry in fields(ResultFacts) if entry.name not in ("data", "more"))


def write_result(
    folder: Path, facts: ResultFacts, metrics: Mapping[str, object], curves: Sequence[Mapping[str, float]]
) -> None:
    """Write ``metrics.json`` and ``curves.csv``.

    Args:
        folder: folder of the result; it is made when missing.
        facts: what the model says of itself.
        metrics: metric -> value.
        curves: a row for each round of training; without any no ``curves.csv`` is written.

    Raises:
        ValueError: a metric bears the name of a fact.
    """
    document = facts.document()
    if twice := document.keys() & metrics.keys():
        raise ValueError(f"metrics: {', '.join(sorted(twice))}: is a fact already")
    folder.mkdir(parents=True, exist_ok=True)
    if curves:
        import pandas

        write_table(folder / CURVES, pandas.DataFrame(curves))
    (folder / METRICS).write_text(json.dumps(document | dict(metrics), indent=2))


def read_result_facts(folder: Path) -> ResultFacts:
    """Read the facts of a result.

    Args:
        folder: folder of the result.

    Returns:
        the facts; metrics, and fields that this kind of model alone has, lie in ``more``.

    Raises:
        InputError: ``metrics.json`` is missing, or lacks a field that every result has.
    """
    path = folder / METRICS
    if not path.is_file():
        raise InputError(f"{path}: no such file; run `dvc repro`")
    document = json.loads(path.read_text())
    if missing := [name for name in ("corpus", "preprocessing", "split_hash", "parameters") if name not in document]:
        raise InputError(f"{path}: {', '.join(missing)}: must be there, as in every result")
    known = (*DATA_FIELDS, *OWN_FIELDS)
    return ResultFacts(
        data=DataFacts(**{name: document[name] for name in DATA_FIELDS if name in document}),
        **{name: document[name] for name in OWN_FIELDS if name in document},
        more={name: value for name, value in document.items() if name not in known},
    )
