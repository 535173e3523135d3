"""What the registry holds, ``mlflow/registry.yaml``, and the results of the stages that it points to."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from annotated_types import Gt

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import load, section, settings, validate
from eegdiffusion.core.statistics.seeds import Summary, over_seeds

REGISTRY = Path("mlflow/registry.yaml")
CORPORA = Path("mlflow/corpora.yaml")

CHALLENGER, CHAMPION = "challenger", "champion"
"""Aliases: the version registered last, and the one that passed the gate."""

SURROGATE = "surrogate"
"""How a corpus that stands for a licensed one begins its name."""


@settings
class Select:
    """How the result to register is chosen among the seeds."""

    metric: str
    mode: Literal["min", "max"]


@settings
class Gate:
    """What a challenger must reach to become champion; means over the seeds are compared."""

    metric: str
    mode: Literal["min", "max"]
    floor: float
    """The least (or, with ``min``, the largest) value that any champion may have."""
    min_gain: Annotated[float, Gt(0)]
    """By how much it must be better than the champion on the same split."""


@settings
class CardText:
    """What a model card says in words; all else in it is computed."""

    input: str
    output: str
    preprocessing: str
    """The section of ``params.yaml`` that says how the data were preprocessed."""
    intended_use: str
    limits: list[str]
    ethics: list[str]


@settings
class Entry:
    """A registered model."""

    description: str
    stage: str
    serving: str
    results: str
    select: Select
    gate: Gate
    metrics: list[str]
    card: CardText
    needs: str | None = None
    """Entry of ``params.yaml`` without which the model is not trained, and not registered."""


@settings
class Corpus:
    """What model cards say of a corpus."""

    description: str
    licence: str
    population: str


UNKNOWN = Corpus(
    description="A corpus that mlflow/corpora.yaml does not describe.",
    licence="Not stated: ask whoever trained the model.",
    population="Not stated.",
)


@dataclass(frozen=True)
class Result:
    """A folder that a training stage wrote, and its ``metrics.json``."""

    folder: Path
    metrics: dict


def entries(path: Path = REGISTRY) -> dict[str, Entry]:
    """Read the registry's configuration."""
    document = yaml.safe_load(path.read_text())
    return {name: validate(entry, Entry, f"{path}: {name}") for name, entry in document.items()}


def trained(path: Path = REGISTRY) -> dict[str, Entry]:
    """Read the entries of the models that ``params.yaml`` has trained."""
    document = load()

    def there(name: str | None) -> bool:
        value = document
        for part in name.split(".") if name else ():
            value = (value or {}).get(part)
        return value is not None

    return {name: entry for name, entry in entries(path).items() if there(entry.needs)}


def choose(names: list[str], path: Path = REGISTRY) -> dict[str, Entry]:
    """Read the entries of these names, or those that ``params.yaml`` has trained when there are none.

    Raises:
        InputError: there is no such entry.
    """
    found = entries(path)
    for name in names:
        if name not in found:
            raise InputError(f"{path}: {name}: there is no such model; it has {', '.join(found)}")
    return {name: found[name] for name in names} or trained(path)


def corpus(name: str, path: Path = CORPORA) -> Corpus:
    """Read what is known of a corpus."""
    document = yaml.safe_load(path.read_text())
    return validate(document[name], Corpus, f"{path}: {name}") if name in document else UNKNOWN


def results(entry: Entry) -> list[Result]:
    """Read the results of an entry that are there, one for each seed; what other seeds left earlier is not counted."""
    folders = sorted(path.parent for path in Path().glob(f"{entry.results}/metrics.json"))
    found = [Result(folder, json.loads((folder / "metrics.json").read_text())) for folder in folders]
    seeds = section(load(), "matrix.seeds")
    return [result for result in found if result.metrics.get("seed", seeds[0]) in seeds]


def best(entry: Entry, found: list[Result]) -> Result:
    """Choose by the validation split, never by the test split."""
    extreme = min if entry.select.mode == "min" else max
    return extreme(found, key=lambda result: result.metrics[entry.select.metric])


def summaries(entry: Entry, found: list[Result]) -> dict[str, Summary]:
    """Each metric over the seeds."""
    return {metric: over_seeds([result.metrics[metric] for result in found]) for metric in entry.metrics}
