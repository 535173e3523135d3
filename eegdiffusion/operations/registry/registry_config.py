"""What the registry holds, ``mlflow/registry.yaml``, and the results of the stages that it points to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.runtime.settings import load, section, settings, validate
from eegdiffusion.core.runtime.yaml_text import parse_yaml
from eegdiffusion.core.statistics.seeds import Summary, summarise_seeds
from eegdiffusion.operations.configuration.sections import resolved

REGISTRY = Path("mlflow/registry.yaml")
CORPORA = Path("mlflow/corpora.yaml")

CHALLENGER, CHAMPION = "challenger", "champion"
"""Aliases: the version registered last, and the one that passed the gate."""

SURROGATE = "surrogate"
"""How a corpus that stands for a licensed one begins its name."""


@settings
class Selection:
    """How the result to register is chosen among the seeds."""

    metric: str
    """Metric of the validation split, in ``metrics.json``."""
    mode: Literal["min", "max"]
    """Whether less or more of the metric is better."""


@settings
class Gate:
    """What a challenger must reach to become champion; means over the seeds are compared."""

    metric: str
    """Metric of the test split (of pretraining, of the validation split) that is compared."""
    mode: Literal["min", "max"]
    """Whether less or more of the metric is better."""
    floor: float
    """The least (or, with ``min``, the largest) value that any champion may have."""
    min_gain: Annotated[float, Gt(0)]
    """By how much it must be better than the champion on the same split."""


FAILURE_MODES = ("Data of another device, montage, age or condition than those it was trained on were not tested.",)

OVERSIGHT = (
    "A person who knows the task looks at each result before anything follows from it; the model decides nothing.",
    "Whoever runs it takes it out of use by `eeg promote --retire` and goes back by `eeg promote --rollback`.",
)

CHANGE_PLAN = (
    "A new version is trained by the same stages on more or newer data, or with other settings; both are recorded.",
    "It becomes champion if it passes the gate of mlflow/registry.yaml on the same test split, and a person approves.",
    "Another task, another input or other classes are a new model with a name of its own, and no new version.",
    "Each version keeps its signature, its data by hash and its card; Airflow watches the drift of new recordings.",
)


@settings
class CardText:
    """What a model card says in words; all else in it is computed."""

    input: str
    """What the model takes: arrays, shapes, units."""
    output: str
    """What the model gives: arrays, shapes, units."""
    preprocessing: str
    """Section of ``params.yaml`` that says how the data were preprocessed."""
    intended_use: str
    """What the model is for, and what it is not for."""
    limits: list[str]
    """What its scores do not say, a sentence each."""
    ethics: list[str]
    """What its users must see to, a sentence each."""
    operating_point: str = "It has none: nothing is decided by a threshold of its output."
    """How decisions follow from its output, and why so."""
    failure_modes: list[str] = field(default_factory=lambda: list(FAILURE_MODES))
    """Where it is known to fail, a sentence each; what the test predictions show is added."""
    oversight: list[str] = field(default_factory=lambda: list(OVERSIGHT))
    """Who looks at what it says, and who can stop it, a sentence each."""
    change_plan: list[str] = field(default_factory=lambda: list(CHANGE_PLAN))
    """What may change in later versions, and what is asked of them, a sentence each."""


@settings
class ModelVariant:
    """What differs in the models of some entries of ``each``."""

    where: dict[str, Any]
    """Values of fields that such an entry has."""
    gate: Gate
    """What a version must reach to become champion."""
    metrics: list[str]
    """Metrics that are tagged, with mean and standard deviation over the seeds."""
    output: str
    """What the model gives, for its card."""


@settings
class RegisteredModelConfig:
    """Configuration of a registered model: an entry of ``mlflow/registry.yaml``."""

    description: str
    """What the model is, in one line: its description in MLflow."""
    stage: str
    """Stage that trains it, which is its experiment too."""
    serving: str
    """Module below ``eegdiffusion`` that loads and runs the model in MLflow."""
    results: str
    """Glob pattern of the folders that the stage writes, one for each seed, each with ``metrics.json``; ``{entry}``
    stands for an entry of ``each``."""
    select: Selection
    """How the result to register is chosen among the seeds."""
    gate: Gate
    """What a version must reach to become champion."""
    metrics: list[str]
    """Metrics that are tagged, with mean and standard deviation over the seeds."""
    card: CardText
    """What its model card says in words."""
    pictures: str | None = None
    """Folder of a generator's pictures, whose ``metrics.json`` is read along; ``{entry}`` as in ``results``."""
    each: str | None = None
    """Section of ``params.yaml`` of which every entry has a model: the first has the name in this file, another its own
    name added; a name with ``{entry}`` has the entry's in its place."""
    where: dict[str, Any] = field(default_factory=dict)
    """Values of fields that an entry of ``each`` must have."""
    variants: list[ModelVariant] = field(default_factory=list)
    """What differs in the models of some entries of ``each``; the first that fits an entry holds."""
    needs: str | None = None
    """Entry of ``params.yaml``, or of a list in it, without which the model is not trained, and not registered."""


@settings
class CorpusCard:
    """What model cards say of a corpus."""

    description: str
    """What was recorded, and how."""
    licence: str
    """On what terms the corpus may be used."""
    population: str
    """Who was recorded."""
    creator: str | None = None
    """Who made the corpus, for its data card."""
    url: str | None = None
    """Where it is published, for its data card."""
    licence_url: str | None = None
    """Address of its terms, or its SPDX identifier, for its data card; None: the text of ``licence`` stands there."""


UNKNOWN_CORPUS = CorpusCard(
    description="A corpus that mlflow/corpora.yaml does not describe.",
    licence="Not stated: ask whoever trained the model.",
    population="Not stated.",
)


@dataclass(frozen=True)
class TrainingResult:
    """A result of a training stage.

    Attributes:
        folder: folder that the stage wrote.
        metrics: its ``metrics.json``.
    """

    folder: Path
    metrics: dict


def read_registry(path: Path = REGISTRY) -> dict[str, RegisteredModelConfig]:
    """Read the configuration of all registered models, by name.

    Raises:
        InputError: a field is missing, unknown or breaks its rule.
    """
    document: Any = parse_yaml(path.read_text(), path)
    return {name: validate(values, RegisteredModelConfig, f"{path}: {name}") for name, values in document.items()}


def _varied(config: RegisteredModelConfig, row: dict[str, Any]) -> RegisteredModelConfig:
    """Return the configuration of the models of an entry, as the first variant that fits it has it."""
    for variant in config.variants:
        if all(row[key] == value for key, value in variant.where.items()):
            text = replace(config.card, output=variant.output)
            return replace(config, gate=variant.gate, metrics=variant.metrics, card=text)
    return config


def models_of_entries(name: str, config: RegisteredModelConfig) -> dict[str, RegisteredModelConfig]:
    """Name the models of each entry of ``params.yaml`` that a configuration is for, with an entry's own folders."""
    if config.each is None:
        return {name: config}
    rows = resolved(config.each)
    entries = [entry for entry, row in rows.items() if all(row[key] == value for key, value in config.where.items())]
    pattern = name if "{entry}" in name else f"{name}-{{entry}}"
    models = {
        pattern.format(entry=entry): replace(
            _varied(config, rows[entry]),
            results=config.results.format(entry=entry),
            pictures=config.pictures and config.pictures.format(entry=entry),
        )
        for entry in entries
    }
    if pattern != name and entries:
        return {name: models.pop(pattern.format(entry=entries[0]))} | models
    return models


def trained_models(path: Path = REGISTRY) -> dict[str, RegisteredModelConfig]:
    """Read the configuration of the models that ``params.yaml`` has trained."""
    document = load()

    def is_configured(section_name: str | None) -> bool:
        value: Any = document
        for part in section_name.split(".") if section_name else ():
            value = (part if part in value else None) if isinstance(value, list) else (value or {}).get(part)
        return value is not None

    models: dict[str, RegisteredModelConfig] = {}
    for name, config in read_registry(path).items():
        if is_configured(config.needs):
            models |= models_of_entries(name, config)
    return models


def select_models(names: list[str], path: Path = REGISTRY) -> dict[str, RegisteredModelConfig]:
    """Read the configuration of these models, or of those that ``params.yaml`` has trained when none is named.

    Raises:
        InputError: there is no such model.
    """
    trained = trained_models(path)
    configs = read_registry(path) | trained
    for name in names:
        if name not in configs:
            nearest = get_close_matches(name, configs, 1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise InputError(f"{path}: {name}: there is no such model; it has {', '.join(configs)}{hint}")
    return {name: configs[name] for name in names} or trained


def read_corpus_card(name: str, path: Path = CORPORA) -> CorpusCard:
    """Read what model cards say of a corpus; of one that the file does not describe, that nothing is known."""
    document: Any = parse_yaml(path.read_text(), path)
    return validate(document[name], CorpusCard, f"{path}: {name}") if name in document else UNKNOWN_CORPUS


def read_results(config: RegisteredModelConfig) -> list[TrainingResult]:
    """Read the results of a model that exist, one for each seed; what other seeds left earlier is not counted.

    Raises:
        InputError: the pictures of a generator were not scored.
    """
    folders = sorted(path.parent for path in Path().glob(f"{config.results}/metrics.json"))
    of_pictures = {}
    if config.pictures and folders:
        path = Path(config.pictures, "metrics.json")
        of_pictures = json.loads(require_file(path).read_text())
    results = [
        TrainingResult(folder, json.loads((folder / "metrics.json").read_text()) | of_pictures) for folder in folders
    ]
    seeds = section(load(), "matrix.seeds")
    return [result for result in results if result.metrics.get("seed", seeds[0]) in seeds]


def best_result(config: RegisteredModelConfig, results: list[TrainingResult]) -> TrainingResult:
    """Choose a result by its metric on the validation split, never by the test split."""
    extreme = min if config.select.mode == "min" else max
    return extreme(results, key=lambda result: result.metrics[config.select.metric])


def summarise_results(config: RegisteredModelConfig, results: Sequence[TrainingResult]) -> dict[str, Summary]:
    """Summarise each metric of a model over its training seeds."""
    return {metric: summarise_seeds([result.metrics[metric] for result in results]) for metric in config.metrics}
