"""Values of the report's part on EEG of seen images: numbers and tables for its template."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas

from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.images.encoders.retrieval_control import FEWEST, permutation_p
from eegdiffusion.images.epochs.protocols import MEANING
from eegdiffusion.report import encoder_tables, protocol_sheet_tables
from eegdiffusion.report.encoder_runs import EncoderCorpus, EncoderResults, band_key

ABSTRACT = "kilogram"
"""Layout of corpora of abstract figures, tangrams."""


@dataclass(frozen=True)
class RecordedPairs:
    """An encoder trained on recorded pairs, beside a control of the same encoder and protocol.

    Attributes:
        label: name and protocol of its experiment.
        two_way: accuracy of two-way retrieval, mean over trainings.
        top1: top-1 among all images, mean over trainings.
        p: p of the permutation test, by two-way accuracy.
    """

    label: str
    two_way: float
    top1: float
    p: float


@dataclass(frozen=True)
class PairingControl:
    """The permuted-pairing control.

    Attributes:
        label: name and protocol of its experiment.
        trainings: number of trainings, each with a pairing of its own.
        two_way: accuracy, which uses the whole rank: top-1 among few images is too coarse to be judged.
        top1: top-1 among all images.
        candidates: number of those images.
        compared: experiments with recorded pairs.
    """

    label: str
    trainings: int
    two_way: Score
    top1: Score
    candidates: int
    compared: list[RecordedPairs]

    @property
    def at_chance(self) -> bool | None:
        """Whether the interval of the two-way accuracy contains chance; None if the trainings are too few to say."""
        return None if self.trainings < FEWEST else self.two_way.low <= 0.5 <= self.two_way.high


def same_experiment(first: EncoderResults, second: EncoderResults) -> bool:
    """Whether two results are of the same encoder, subjects, protocol and band."""

    def design(result: EncoderResults) -> tuple:
        chosen = result.experiment
        training = chosen.encoder, chosen.options, chosen.layers, chosen.route_subjects, chosen.subject_layers
        return *training, chosen.subjects, chosen.train_task, chosen.test_task, result.protocol, result.band

    return design(first) == design(second)


def _recorded_pairs(control: EncoderResults, others: list[EncoderResults]) -> list[RecordedPairs]:
    ways = control.facts["images"]
    return [
        RecordedPairs(
            f"{result.name}, {result.protocol}",
            float(result.by_training(2, 1).mean()),
            float(result.by_training(ways, 1).mean()),
            permutation_p(result.by_training(2, 1), control.by_training(2, 1)),
        )
        for result in others
        if result.experiment.pairs == "recorded" and same_experiment(result, control)
    ]


def pairing_controls(corpus: EncoderCorpus) -> list[PairingControl]:
    """Collect the permuted-pairing controls of a corpus, each beside the same encoder trained on recorded pairs."""
    controls = []
    for result in corpus.aligned:
        if result.experiment.pairs == "permuted":
            ways = result.facts["images"]
            label, trainings = f"{result.name}, {result.protocol}", len(result.by_training(2, 1))
            scores = result.retrieval(2, 1), result.retrieval(ways, 1)
            compared = _recorded_pairs(result, corpus.aligned)
            controls.append(PairingControl(label, trainings, *scores, ways, compared))
    return controls


def _first_band(results: list[EncoderResults]) -> list[EncoderResults]:
    """Return the results of each experiment's first band; the others stand in the table of bands."""
    return [result for result in results if result.band == band_key(result.experiment.bands[0])]


def averaged_results(corpus: EncoderCorpus) -> list[EncoderResults]:
    """Return the results, on recorded pairs, that were tested with several numbers of averaged repetitions.

    An experiment of several bands has a table of its own; it is taken only where there is no other.
    """
    averaged = [
        result
        for result in _first_band(corpus.aligned)
        if result.experiment.pairs == "recorded" and result.table["repetitions"].nunique() > 1
    ]
    return [result for result in averaged if len(result.experiment.bands) == 1] or averaged


def chance_of(corpus: EncoderCorpus) -> dict[str, float]:
    """Return what guessing gets in ``top1`` and ``top5`` among all test images; empty without aligned encoders."""
    results = _first_band(corpus.aligned)
    return {f"top{k}": min(1.0, k / results[0].facts["images"]) for k in (1, 5)} if results else {}


def _corpus_values(corpus: EncoderCorpus, number: int) -> dict:
    aligned, first_band, classified = corpus.aligned, _first_band(corpus.aligned), corpus.classified
    protocols = {result.protocol for result in [*aligned, *classified]}
    return {
        "name": corpus.name,
        "number": number,
        "surrogate": corpus.name.startswith("surrogate"),
        "layout": corpus.layout,
        "warnings": corpus.warnings,
        "protocols": {name: meaning for name, meaning in MEANING.items() if name in protocols},
        "features": aligned[0].facts["features"] if aligned else None,
        "controls": pairing_controls(corpus),
        "retrieval": encoder_tables.retrieval_table(first_band) if first_band else None,
        "ways": encoder_tables.ways_table(first_band) if first_band else None,
        "subjects": encoder_tables.subjects_table(first_band) if first_band else None,
        "crossing": _unless_empty(encoder_tables.crossing_table([*aligned, *classified])),
        "bands": _unless_empty(encoder_tables.bands_table([*aligned, *classified])),
        "sheets": [_sheet_values(result.name, result.sheet) for result in aligned if result.sheet is not None],
        "classified": encoder_tables.classification_table(_first_band(classified)) if classified else None,
        "concepts": len(classified[0].facts["concepts"]) if classified else 0,
        "split_rule": classified[0].facts["split_rule"] if classified else "",
        "averaged": classified[0].repetitions if classified else "",
    }


def _sheet_values(name: str, sheet: pandas.DataFrame) -> dict:
    return {
        "name": name,
        "inflation": protocol_sheet_tables.inflation_table(sheet),
        "combinations": protocol_sheet_tables.combination_table(sheet),
    }


def _unless_empty(table: pandas.DataFrame) -> pandas.DataFrame | None:
    return table if len(table) else None


def stimuli_of(corpora: list[EncoderCorpus]) -> pandas.DataFrame:
    """Compare corpora of abstract and of natural images; an empty table where there are not both."""
    kinds = {corpus.layout == ABSTRACT for corpus in corpora if corpus.aligned}
    if len(kinds) < 2:
        return pandas.DataFrame()
    return encoder_tables.stimuli_table({corpus.name: corpus.aligned for corpus in corpora if corpus.aligned})


def encoder_values(corpora: list[EncoderCorpus], published: Mapping) -> dict:
    """Make the values of the part on EEG of seen images; empty lists where there is none.

    Args:
        corpora: results, corpus by corpus.
        published: the papers' numbers.

    Returns:
        variable of the template -> value.
    """
    return {
        "encoder_corpora": [_corpus_values(corpus, number) for number, corpus in enumerate(corpora, start=1)],
        "published_retrieval": encoder_tables.published_retrieval(published["retrieval"]),
        "published_classification": encoder_tables.published_classification(published["classification"]),
        "stimuli": _unless_empty(stimuli_of(corpora)),
        "any_aligned": any(corpus.aligned for corpus in corpora),
        "any_classified": any(corpus.classified for corpus in corpora),
        "format_score": encoder_tables.format_score,
        "format_percent": encoder_tables.format_percent,
    }


def flat_encoder_metrics(corpora: list[EncoderCorpus]) -> dict[str, str | float | bool]:
    """Collect the main numbers by flat names."""
    metrics: dict[str, str | float | bool] = {}
    for corpus in corpora:
        for result in corpus.aligned:
            key = "_".join(["eeg", result.name, result.protocol, *([] if result.band is None else [result.band_name])])
            key = key.replace("–", "_").replace(" ", "")
            ways = result.facts["images"]
            metrics |= {f"{key}_corpus": corpus.name, f"{key}_candidates": ways}
            for k in (1, 5):
                score = result.retrieval(ways, k)
                values = {"": score.mean, "_low": score.low, "_high": score.high}
                metrics |= {f"{key}_top{k}{end}": value for end, value in values.items() if math.isfinite(value)}
        for result in _first_band(corpus.classified):
            subjects = list(result.classification().values())
            key = f"eeg_{result.name}_{result.protocol}"
            metrics[f"{key}_corpus"] = corpus.name
            metrics[f"{key}_accuracy"] = sum(accuracy for accuracy, _ in subjects) / len(subjects)
            metrics[f"{key}_cohen_kappa"] = sum(kappa for _, kappa in subjects) / len(subjects)
    return metrics
