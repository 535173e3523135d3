"""Headlines of the encoders of EEG of seen images: of each corpus one of retrieval and one of classification."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from eegdiffusion.core.statistics.paired_difference import paired_difference
from eegdiffusion.core.statistics.retrieval import bootstrap, top_k
from eegdiffusion.images.encoders.retrieval_control import FEWEST, over_trainings
from eegdiffusion.report.encoder_runs import EncoderCorpus, EncoderResults
from eegdiffusion.report.encoder_sections import same_experiment
from eegdiffusion.report.headline import Headline, PairedComparison

ITEM = ["subject", "image"]
"""Columns that tell the test items apart: what a subject's EEG said of an image."""


def retrieved_items(results: EncoderResults) -> pandas.Series:
    """Compute top-1 of each item among all test images, all repetitions averaged, mean over trainings."""
    rows, images = results.fully_averaged(), results.facts["images"]
    return rows.assign(score=top_k(rows["rank"].to_numpy(), images, images, 1)).groupby(ITEM)["score"].mean()


def classified_items(results: EncoderResults) -> pandas.Series:
    """Compute how often each item is put into its class, mean over trainings."""
    table = results.table
    classes = [name for name in table if name.startswith("p") and name[1:].isdigit()]
    correct = table[classes].to_numpy().argmax(1) == table["label"].to_numpy()
    return table.assign(score=correct).groupby(ITEM)["score"].mean()


@dataclass(frozen=True)
class ItemScore:
    """How the test items of a task are scored.

    Attributes:
        key: name of the task in ``headline.json``.
        task: what is to be done, in words.
        metric: name of the score.
        of_items: results -> score of each item, indexed by subject and image.
    """

    key: str
    task: str
    metric: str
    of_items: Callable[[EncoderResults], pandas.Series]


RETRIEVAL = ItemScore("retrieval", "Image retrieved by EEG", "top-1", retrieved_items)
CLASSIFICATION = ItemScore("concepts", "Concept classified from EEG", "accuracy", classified_items)


def encoder_headlines(corpora: Sequence[EncoderCorpus]) -> list[Headline]:
    """Make the headlines of all corpora; of each the first encoder that was trained on recorded pairs is the model."""
    headlines = []
    for corpus in corpora:
        recorded = [results for results in corpus.aligned if results.experiment.pairs == "recorded"]
        if recorded:
            controls = [results for results in corpus.aligned if results.experiment.pairs == "permuted"]
            chance = 1 / recorded[0].facts["images"]
            headlines.append(_headline(corpus, RETRIEVAL, recorded, controls, chance, len(corpora) > 1))
        if corpus.classified:
            chance = 1 / len(corpus.classified[0].facts["concepts"])
            headlines.append(_headline(corpus, CLASSIFICATION, corpus.classified, [], chance, len(corpora) > 1))
    return headlines


def _headline(
    corpus: EncoderCorpus,
    score: ItemScore,
    recorded: Sequence[EncoderResults],
    controls: Sequence[EncoderResults],
    chance: float,
    several: bool,
) -> Headline:
    """Compare the first of the results on recorded pairs with the others of its protocol and band, item by item."""
    model = recorded[0]
    items = score.of_items(model)
    images = items.index.get_level_values("image").to_numpy()
    alike = [other for other in recorded[1:] if (other.protocol, other.band) == (model.protocol, model.band)]
    rivals = []
    for other in alike:
        others = score.of_items(other)
        if others.index.equals(items.index):
            difference = paired_difference(items.to_numpy(float), others.to_numpy(float), images)
            rivals.append(PairedComparison(other.name, "baseline", difference.mean, difference.low, difference.high))
    rivals += [_compare_with_control(model, control) for control in controls if same_experiment(model, control)]
    subjects = items.index.get_level_values("subject").nunique()
    return Headline(
        key=f"{score.key}_{model.experiment.corpus}" if several else score.key,
        task=score.task,
        model=model.name,
        metric=score.metric,
        corpus=corpus.name,
        score=bootstrap(items.to_numpy(float), images),
        chance=chance,
        tested_on=f"{len(np.unique(images))} images, {subjects} subjects, protocol {model.protocol}",
        comparisons=rivals,
        notes=corpus.warnings,
    )


def _compare_with_control(model: EncoderResults, control: EncoderResults) -> PairedComparison:
    """Compare with trainings on permuted pairs: what varies by chance is the pairing, so trainings are the unit."""
    ways = model.facts["images"]
    difference = over_trainings(model.by_training(ways, 1).mean() - control.by_training(ways, 1))
    judged = len(control.by_training(ways, 1)) >= FEWEST
    ends = (difference.low, difference.high) if judged else (float("nan"), float("nan"))
    return PairedComparison("permuted pairs", "control", difference.mean, *ends)
