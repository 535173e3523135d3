"""Model cards: what a version of a registered model was made from, how good it is, and what it is for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import yaml
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.core.observe.figures.style import save_figures
from eegdiffusion.core.runtime.templates import templates
from eegdiffusion.core.statistics.classification_metrics import confusion_matrix
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.safetensors_file import open_tensors
from eegdiffusion.events.figures import eeg_figures
from eegdiffusion.events.results.backbones import read_backbone
from eegdiffusion.events.results.decision import DECISION, read_decision
from eegdiffusion.images.figures.model_figures import draw_model
from eegdiffusion.operations.configuration.sections import resolved
from eegdiffusion.operations.registry import registry_config
from eegdiffusion.operations.registry.card_head import card_head
from eegdiffusion.operations.registry.prediction_evidence import prediction_evidence
from eegdiffusion.operations.registry.registry_config import SURROGATE, RegisteredModelConfig, TrainingResult
from eegdiffusion.operations.registry.subject_groups import FEWEST

DESCRIPTION_LIMIT = 5000
"""Characters that a description may have in MLflow's database."""

CARD_FILE = "README.md"

TEMPLATE = templates(Path(__file__).parent).get_template("model_card.md.j2")

ORIGIN = {
    "git.revision": "git revision",
    "dvc.lock": "SHA-256 of dvc.lock",
    "dvc.stage": "DVC stage",
    "airflow.run_id": "Airflow run",
    "imported.file": "imported file",
    "imported.sha256": "its SHA-256",
    "imported.weights": "its weights",
    "adapted.from": "adapted from",
    "adapted.files": "files of that model",
    "adapted.subject": "adapted to",
    "adapted.method": "by",
    "adapted.setting": "setting, chosen on validation blocks",
    "adapted.minutes": "minutes of the subject's EEG",
}
"""Tags of a version that lead back, and how the card calls them."""


@dataclass(frozen=True)
class CardData:
    """The version that a card is about, and what is known of it.

    Attributes:
        name: name of the registered model.
        version: its version.
        config: its entry in ``mlflow/registry.yaml``.
        folder: folder of the registered result.
        results: results of all seeds; none for an imported model.
        tags: tags of the version.
        data: what the stage depended on, with DVC's hashes.
    """

    name: str
    version: str
    config: RegisteredModelConfig
    folder: Path
    results: Sequence[TrainingResult]
    tags: Mapping[str, str]
    data: Mapping[str, str]

    @property
    def chosen(self) -> dict:
        """Metrics of the registered result; empty for an imported model."""
        return next((result.metrics for result in self.results if result.folder == self.folder), {})

    @property
    def title(self) -> str:
        """Title of the figures: name and corpus."""
        return f"{self.name} ({self.tags['corpus']} data)"


def count_weights(folder: Path) -> dict[str, int]:
    """Count the values in each safetensors file of a folder, by its path in it."""
    counts = {}
    for path in sorted(folder.rglob("*.safetensors")):
        with open_tensors(path) as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (no mapping)
        counts[path.relative_to(folder).as_posix()] = sum(math.prod(shape) for shape in shapes)
    return counts


def draw_card_figures(card: CardData) -> dict[str, Figure]:
    """Draw what the results hold, by name: confusion and learning curves over all seeds, generated EEG, stored images.

    All of it is drawn from tables and arrays that the stage stored; no figure of a stage is read.
    """
    folders = [result.folder for result in card.results]
    figures = {}
    one_class = card.chosen.get("head") != "multi_label"
    if folders and one_class and all((folder / "predictions.parquet").is_file() for folder in folders):
        figures["confusion"] = _confusion(card, folders)
    if folders and all((folder / "curves.csv").is_file() for folder in folders):
        figures["learning_curves"] = _learning_curves(card, folders)
    if (card.folder / "generated").is_dir():
        backbone = read_backbone(card.folder)
        title = f"Real and generated EEG, {card.title}"
        figures["generated"] = eeg_figures.traces(
            backbone.real, backbone.generated, backbone.channels, backbone.rate_hz, title
        )
    stored = draw_model(card.config.stage, card.folder) if card.results else {}
    # Of a model of one seed these are the learning curves once more.
    return figures | {name: figure for name, figure in stored.items() if name != "curves"}


def _confusion(card: CardData, folders: Sequence[Path]) -> Figure:
    classes = card.chosen["classes"]
    counts = np.zeros((len(classes), len(classes)), int)
    for folder in folders:
        table = read_parquet(folder / "predictions.parquet")
        predicted = table[[f"p{k}" for k in range(len(classes))]].to_numpy().argmax(1)
        counts += confusion_matrix(table["label"].to_numpy(), predicted, len(classes))
    return eeg_figures.confusion(counts, classes, f"Confusion of {card.title}")


def _learning_curves(card: CardData, folders: Sequence[Path]) -> Figure:
    tables = [pandas.read_csv(folder / "curves.csv") for folder in folders]
    selected = card.config.select.metric
    labels = {"train_loss": "training loss", selected: selected.replace("_", " ")}
    panels = {column: label for column, label in labels.items() if column in tables[0]}
    return learning_curves({card.name: tables}, panels, f"Learning curves of {card.title}")


def _settings(name: str) -> str:
    """Write a section of ``params.yaml`` as text, defaults included, without what only says where the work is done."""
    values = {key: value for key, value in resolved(name).items() if key not in ("workers", "scheduler")}
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=10_000).strip()


def render_card(card: CardData, figure_names: Sequence[str], standalone: bool) -> str:
    """Write a card in Markdown.

    Args:
        card: the version that it is about.
        figure_names: figures that lie in ``figures/`` beside the card.
        standalone: whether it has a title and the figures, as a description in MLflow has not.

    Returns:
        the text.
    """
    config, chosen = card.config, card.chosen
    scores = registry_config.summarise_results(config, card.results) if chosen else {}
    folders = [result.folder for result in card.results]
    evidence = prediction_evidence(folders, card.folder, chosen, card.data) if standalone else None
    decision = card.folder / DECISION
    return TEMPLATE.render(
        name=card.name,
        version=card.version,
        config=config,
        corpus=card.tags["corpus"],
        about=registry_config.read_corpus_card(card.tags["corpus"]),
        surrogate=card.tags["corpus"].startswith(SURROGATE),
        preprocessing=chosen.get("preprocessing"),
        settings=_settings(config.card.preprocessing) if chosen else "",
        data=card.data,
        scores=scores,
        head=card_head(card.name, config, card.tags["corpus"], chosen.get("split"), scores) if standalone else "",
        groups=evidence and evidence.groups,
        fewest=FEWEST,
        calibration=evidence and evidence.calibration,
        observed_failures=evidence.failures if evidence else [],
        thresholds=read_decision(decision).thresholds if decision.is_file() else {},
        split=chosen.get("split"),
        split_hash=chosen.get("split_hash", "unknown"),
        windows=chosen.get("windows"),
        chosen=chosen,
        seeds=[result.metrics["seed"] for result in card.results if "seed" in result.metrics],
        parameters=chosen.get("parameters"),
        imported="imported.file" in card.tags,
        adapted=card.tags.get("adapted.subject"),
        weights=count_weights(card.folder),
        origin={label: card.tags[tag] for tag, label in ORIGIN.items() if tag in card.tags},
        figures=figure_names,
        standalone=standalone,
        number=lambda value: "–" if math.isnan(value) else f"{value:.4f}",
    )


def write_card(card: CardData, folder: Path) -> str:
    """Write a card and its figures to a folder.

    Returns:
        the card without figures, cut to what a description can hold.
    """
    figures = draw_card_figures(card)
    save_figures(figures, folder)
    (folder / CARD_FILE).write_text(render_card(card, list(figures), standalone=True))
    return truncate_card(render_card(card, list(figures), standalone=False))


def truncate_card(text: str, limit: int = DESCRIPTION_LIMIT) -> str:
    """Cut a card after a whole line where it is longer than ``limit`` characters, and say where the rest is."""
    if len(text) <= limit:
        return text
    notice = f"\n\nThe rest is in the artifact `model_card/{CARD_FILE}`.\n"
    return text[: limit - len(notice)].rpartition("\n")[0] + notice
