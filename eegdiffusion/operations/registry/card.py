"""Model cards: what a version of a registered model was made from, how good it is, and what it is for."""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas
import yaml
from matplotlib.figure import Figure
from safetensors import safe_open
from sklearn.metrics import confusion_matrix

from eegdiffusion.core.observe.figures import figures
from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.core.observe.figures.style import save_figures
from eegdiffusion.core.runtime.settings import load, section
from eegdiffusion.core.runtime.templates import templates
from eegdiffusion.events.results.backbones import read_backbone
from eegdiffusion.operations.registry import registry_config
from eegdiffusion.operations.registry.registry_config import SURROGATE, Entry, Result

LIMIT = 5000
"""Characters that a description may have in MLflow's database."""

FILE = "README.md"

TEMPLATE = templates(Path(__file__).parent).get_template("model_card.md.j2")

ORIGIN = {
    "git.revision": "git revision",
    "dvc.lock": "SHA-256 of dvc.lock",
    "dvc.stage": "DVC stage",
    "airflow.run_id": "Airflow run",
    "imported.file": "imported file",
    "imported.sha256": "its SHA-256",
    "imported.weights": "its weights",
}
"""Tags of a version that lead back, and how the card calls them."""


@dataclass(frozen=True)
class Subject:
    """What a card is about.

    Attributes:
        name, version: of the registered model.
        entry: its entry in ``mlflow/registry.yaml``.
        folder: what was registered.
        results: of all seeds; none for an imported model.
        tags: of the version.
        data: what the stage depended on, with DVC's hashes.
    """

    name: str
    version: str
    entry: Entry
    folder: Path
    results: Sequence[Result]
    tags: Mapping[str, str]
    data: Mapping[str, str]

    @property
    def chosen(self) -> dict:
        """``metrics.json`` of what was registered; empty for an imported model."""
        return next((result.metrics for result in self.results if result.folder == self.folder), {})

    @property
    def title(self) -> str:
        """Of the figures."""
        return f"{self.name} ({self.tags['corpus']} data)"


def count_weights(folder: Path) -> dict[str, int]:
    """Count the values in each safetensors file of a folder, by its path in it."""
    counts = {}
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, "np") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (no mapping)
        counts[path.relative_to(folder).as_posix()] = sum(math.prod(shape) for shape in shapes)
    return counts


def draw(subject: Subject) -> dict[str, Figure]:
    """Draw what the results hold: confusion over all seeds, learning curves, generated EEG; by name."""
    folders = [result.folder for result in subject.results]
    found = {}
    if folders and all((folder / "predictions.parquet").is_file() for folder in folders):
        classes = subject.chosen["classes"]
        counts = np.zeros((len(classes), len(classes)), int)
        for folder in folders:
            table = pandas.read_parquet(folder / "predictions.parquet")
            predicted = table[[f"p{k}" for k in range(len(classes))]].to_numpy().argmax(1)
            counts += confusion_matrix(table["label"], predicted, labels=range(len(classes)))
        found["confusion"] = figures.confusion(counts, classes, f"Confusion of {subject.title}")
    if folders and all((folder / "curves.csv").is_file() for folder in folders):
        tables = [pandas.read_csv(folder / "curves.csv") for folder in folders]
        selected = subject.entry.select.metric
        shown = {"train_loss": "training loss", selected: selected.replace("_", " ")}
        panels = {column: label for column, label in shown.items() if column in tables[0]}
        title = f"Learning curves of {subject.title}"
        found["learning_curves"] = learning_curves({subject.name: tables}, panels, title)
    if (subject.folder / "generated").is_dir():
        backbone = read_backbone(subject.folder)
        title = f"Real and generated EEG, {subject.title}"
        found["generated"] = figures.traces(
            backbone.real, backbone.generated, backbone.channels, backbone.rate_hz, title
        )
    return found


def _settings(name: str) -> str:
    """Write a section of ``params.yaml`` as text, without what only says where the work is done."""
    values = {key: value for key, value in section(load(), name).items() if key not in ("workers", "scheduler")}
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=10_000).strip()


def render(subject: Subject, drawn: Sequence[str], standalone: bool) -> str:
    """Write a card in Markdown.

    Args:
        subject: what it is about.
        drawn: figures, by name; they lie in ``figures/`` beside the card.
        standalone: with a title and the figures, as a description has them not.
    """
    entry, chosen = subject.entry, subject.chosen
    return TEMPLATE.render(
        name=subject.name,
        version=subject.version,
        entry=entry,
        corpus=subject.tags["corpus"],
        about=registry_config.corpus(subject.tags["corpus"]),
        surrogate=subject.tags["corpus"].startswith(SURROGATE),
        preprocessing=chosen.get("preprocessing"),
        settings=_settings(entry.card.preprocessing) if chosen else "",
        data=subject.data,
        scores=registry_config.summaries(entry, subject.results) if chosen else {},
        split=chosen.get("split"),
        split_hash=chosen.get("split_hash", "unknown"),
        windows=chosen.get("windows"),
        chosen=chosen,
        seeds=[result.metrics["seed"] for result in subject.results if "seed" in result.metrics],
        parameters=chosen.get("parameters"),
        weights=count_weights(subject.folder),
        origin={label: subject.tags[tag] for tag, label in ORIGIN.items() if tag in subject.tags},
        figures=drawn,
        standalone=standalone,
        number=lambda value: "–" if math.isnan(value) else f"{value:.4f}",
    )


def write(subject: Subject, folder: Path) -> str:
    """Write the card and its figures to a folder.

    Figures that the stage left in ``figures/`` of its result are taken along.

    Returns:
        the card without figures, cut to what a description can hold.
    """
    drawn = draw(subject)
    save_figures(drawn, folder)
    left = sorted((subject.folder / "figures").glob("*.png"))
    for path in left:
        shutil.copyfile(path, folder / "figures" / path.name)
    names = [*drawn, *(path.stem for path in left)]
    (folder / FILE).write_text(render(subject, names, standalone=True))
    return shortened(render(subject, names, standalone=False))


def shortened(text: str, limit: int = LIMIT) -> str:
    """Cut a card after a whole line where it is too long, and say where the rest is."""
    if len(text) <= limit:
        return text
    rest = f"\n\nThe rest is in the artifact `model_card/{FILE}`.\n"
    return text[: limit - len(rest)].rpartition("\n")[0] + rest
