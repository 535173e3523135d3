"""What fills the report's part on images made from EEG."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas
from matplotlib.figure import Figure

from eegdiffusion.images.figures.reconstruction_figures import Reconstructed as Row
from eegdiffusion.images.figures.reconstruction_figures import drawn_items, reconstructions
from eegdiffusion.images.figures.structure_figures import draw_maps
from eegdiffusion.images.metrics.reconstruction_arms import System
from eegdiffusion.images.metrics.reconstruction_scores import Metric, Scores
from eegdiffusion.report import reconstruction_tables as tables
from eegdiffusion.report.document import Document
from eegdiffusion.report.reconstruction_results import Generation, Reconstructed

SHOWN = 8
"""Items of the grid of reconstructions."""

CAPTIONS = {
    "structure": "Structure predicted from EEG beside that of the picture seen",
    "traversals": "Latent traversals of the structural VAE",
    "curves": "Learning curves",
}


@dataclass(frozen=True)
class Verdict:
    """Whether the full arm is above a control on two-way identification.

    Attributes:
        full, control: arms.
        above: metrics on which the interval of the difference lies above 0, in words.
        not_above: the others.
    """

    full: str
    control: str
    above: list[str]
    not_above: list[str]


def verdicts(scores: Scores, system: System) -> list[Verdict]:
    """Compare the full arm with the controls on every two-way identification."""
    found = []
    for control in system.controls:
        above, not_above = [], []
        for metric in _two_way(scores):
            difference = scores.difference(system.full, control, metric.key)
            words = (
                f"{tables.label(metric)} {difference.mean:+z.3f} ({difference.low:+z.3f} to {difference.high:+z.3f})"
            )
            (above if difference.low > 0 else not_above).append(words)
        found.append(Verdict(system.full, control, above, not_above))
    return found


def _two_way(scores: Scores) -> list[Metric]:
    return [metric for metric in scores.metrics.values() if metric.kind == "two_way"]


def _part(doc: Document, generation: Generation, number: int) -> dict:
    context = generation.reconstructed[0].scores.context
    return {
        "name": generation.name,
        "corpus": context.corpus,
        "surrogate": context.corpus.startswith("surrogate"),
        "warnings": context.warnings,
        "trained": tables.trained_table(generation.trained) if generation.trained else None,
        "metrics": tables.metrics_table(generation.reconstructed[0].scores),
        "systems": [_system(part, generation.name, number) for part in generation.reconstructed],
        "pictures": _pictures(doc, generation, number),
    }


def _system(part: Reconstructed, study: str, number: int) -> dict:
    system, scores, context = part.system, part.scores, part.scores.context
    measured_with = {metric.network for metric in scores.metrics.values() if metric.network}
    return {
        "name": system.name,
        "context": context,
        "picture": " × ".join(map(str, scores.picture)),
        "subjects": scores.subjects,
        "images": scores.images,
        "scored": len(scores.items(system.full, "pixcorr")),
        "clip": next((name for name in measured_with if name.startswith("CLIP")), None),
        "circular": sorted(name for name in measured_with if _plain(name) == _plain(context.aligned_with)),
        "verdicts": verdicts(scores, system),
        "arms": tables.arms_table(scores, system),
        "differences": _there(tables.differences_table(scores, system)),
        "sets": _there(tables.sets_table(scores, system)),
        "grid": _grid(part, f"{system.name}, {study} ({context.corpus} data)"),
        "file": f"images{number}_{system.full}",
    }


def _grid(part: Reconstructed, title: str) -> Figure:
    """Items drawn at random, the first sample of each arm."""
    pictures, rows = part.pictures, []
    for k in drawn_items(pictures.items, SHOWN):
        item = pictures.items.iloc[k]
        structures = {name: draw_maps(maps[k : k + 1])[0] for name, maps in pictures.structure.items()}
        arms = {arm: pictures.arms[arm][k, 0] for arm in part.system.arms}
        rows.append(Row(f"{item['concept']}\n{item['subject']}", pictures.seen[k], arms, structures))
    return reconstructions(rows, title)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _there(table: pandas.DataFrame) -> pandas.DataFrame | None:
    return table if table.shape[1] > 2 or (table.shape[1] == 2 and "metric" in table) else None


def _pictures(doc: Document, generation: Generation, number: int) -> list[str]:
    """What the models' stages drew."""
    found, corpus = [], generation.reconstructed[0].scores.context.corpus
    for model in generation.trained:
        for path in model.figures:
            caption = CAPTIONS.get(path.stem, path.stem.replace("_", " ").capitalize())
            file = "_".join([f"images{number}", model.name.lower().replace(" ", "_"), path.stem])
            found.append(doc.picture(path, file, f"{caption}; {model.name}, {generation.name}", corpus))
    return found


def images_made(doc: Document, generations: list[Generation], published: Mapping) -> dict:
    """Values of the part on images made from EEG; an empty list where there is none."""
    return {
        "generations": [_part(doc, generation, k) for k, generation in enumerate(generations, start=1)],
        "published_reconstruction": tables.published_table(published["reconstruction"]),
        "published_generation": tables.published_table(published["generation"]),
    }


def metrics(generations: list[Generation]) -> dict[str, str | float | bool]:
    """The main numbers by flat names."""
    found: dict[str, str | float | bool] = {}
    for generation in generations:
        key = f"images_{generation.name}"
        for part in generation.reconstructed:
            scores = part.scores
            found[f"{key}_corpus"] = scores.context.corpus
            for arm in part.system.arms:
                for metric in tables.itemwise(scores):
                    score, name = scores.score(arm, metric.key), f"{key}_{arm}_{metric.key}"
                    found |= {name: score.mean, f"{name}_low": score.low, f"{name}_high": score.high}
            for arm, metric, value in scores.sets[["arm", "metric", "value"]].itertuples(index=False):
                found[f"{key}_{arm}_{metric}"] = float(value)
            for verdict in verdicts(scores, part.system):
                found[f"{key}_{verdict.full}_above_{verdict.control}"] = not verdict.not_above
    return found
