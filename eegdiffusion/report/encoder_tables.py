"""Tables of the encoders of EEG: results in, tables of text out."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas

from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.images.features.image_features import OUTPUT
from eegdiffusion.report.encoder_runs import EncoderResults, band_key

WAYS = (2, 4, 10, 50, 100, 200)


def format_percent(value: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * value:.1f}"


def format_score(score: Score) -> str:
    """Write a percentage with its interval, where it has one."""
    if math.isnan(score.low):
        return format_percent(score.mean)
    return f"{format_percent(score.mean)} ({format_percent(score.low)} to {format_percent(score.high)})"


def retrieval_table(results: Sequence[EncoderResults]) -> pandas.DataFrame:
    """Make a row for each experiment and protocol: top-1 and top-5 among all test images, with intervals."""
    rows = []
    for result in results:
        ways = result.facts["images"]
        rows.append(
            {
                "encoder": result.label,
                "protocol": result.protocol,
                "band": result.band_name,
                "repetitions averaged": result.repetitions,
                "candidates": ways,
                "top-1, % (interval)": format_score(result.retrieval(ways, 1)),
                "top-5, % (interval)": format_score(result.retrieval(ways, 5)),
                "chance, %": f"{100 / ways:.1f} / {min(100, 500 / ways):.1f}",
            }
        )
    return pandas.DataFrame(rows)


def ways_table(results: Sequence[EncoderResults]) -> pandas.DataFrame:
    """Make a row for each experiment and protocol: top-1 among fewer candidates, up to all test images."""
    rows = []
    for result in results:
        most = result.facts["images"]
        row = {"encoder": result.label, "protocol": result.protocol}
        for ways in sorted({*(ways for ways in WAYS if ways < most), most}):
            row[f"{ways}-way"] = format_percent(result.retrieval(ways, 1).mean)
        rows.append(row)
    return pandas.DataFrame(rows).fillna("–")


def subjects_table(results: Sequence[EncoderResults]) -> pandas.DataFrame:
    """Make a column for each test subject: top-1 / top-5; where a subject is tested in several folds, their mean."""
    rows = []
    for result in results:
        ways = result.facts["images"]
        row, means = {"encoder": result.label, "protocol": result.protocol}, []
        for subject, ranks in result.fully_averaged().groupby("subject"):
            scores = [result.retrieval(ways, k, ranks).mean for k in (1, 5)]
            means.append(scores)
            row[subject] = " / ".join(map(format_percent, scores))
        rows.append(row | {"mean": " / ".join(map(format_percent, np.mean(means, axis=0)))})
    return _ordered(rows)


def crossing_table(results: Sequence[EncoderResults]) -> pandas.DataFrame:
    """Make a row for each encoder, protocol and task of its training, a column for each task of its test.

    Only experiments that name a task are in it; of several bands the first.
    """
    rows: dict[tuple, dict] = {}
    for result in results:
        chosen = result.experiment
        if not (chosen.train_task or chosen.test_task) or result.band != band_key(chosen.bands[0]):
            continue
        trained, tested = chosen.train_task or "all tasks", chosen.test_task or "all tasks"
        note = ", permuted pairs" if chosen.pairs == "permuted" else ""
        if chosen.objective == "align":
            ways = result.facts["images"]
            score = format_score(result.retrieval(ways, 1))
            measured = f"top-1, %, {ways}-way, chance {100 / ways:.1f}"
        else:
            accuracy = np.mean([accuracy for accuracy, _ in result.classification().values()])
            score, measured = format_percent(accuracy), f"accuracy, %, chance {100 / len(result.facts['concepts']):.1f}"
        encoder = f"{chosen.encoder}{note}"
        row = {"encoder": encoder, "protocol": result.protocol, "score": measured, "trained on": trained}
        row = rows.setdefault((encoder, str(chosen.options), chosen.layers[0], result.protocol, measured, trained), row)
        row[f"tested on {tested}"] = score
    return pandas.DataFrame(rows.values()).fillna("–")


def stimuli_table(results: Mapping[str, Sequence[EncoderResults]]) -> pandas.DataFrame:
    """Make a row for each encoder and protocol of several corpora, a column for each corpus: top-5 of its images.

    Args:
        results: results of aligned encoders, by the name of the corpus.
    """
    rows: dict[tuple, dict] = {}
    for shown, of_corpus in results.items():
        for result in of_corpus:
            chosen = result.experiment
            if chosen.pairs == "permuted" or result.band is not None or chosen.layers != [OUTPUT]:
                continue
            tasks = f"{chosen.train_task or 'all'} to {chosen.test_task or 'all'}"
            ways = min(result.facts["images"] for each in results.values() for result in each)
            row = {"encoder": chosen.encoder, "protocol": result.protocol, "tasks": tasks, "candidates": ways}
            row = rows.setdefault((chosen.encoder, result.protocol, tasks), row)
            row.setdefault(f"{shown}: top-5, %", format_score(result.retrieval(ways, 5)))
    return pandas.DataFrame([row for row in rows.values() if len(row) > 5]).fillna("–")


def bands_table(results: Sequence[EncoderResults]) -> pandas.DataFrame:
    """Make a row for each encoder that was trained with several bands, a column for each band."""
    rows: dict[tuple, dict] = {}
    for result in results:
        if len(result.experiment.bands) < 2:
            continue
        row = rows.setdefault((result.label, result.protocol), {"encoder": result.label, "protocol": result.protocol})
        if result.experiment.objective == "align":
            ways = result.facts["images"]
            row["score"] = f"top-1 / top-5, %, {ways}-way"
            scores = [result.retrieval(ways, k).mean for k in (1, 5)]
            row[result.band_name] = " / ".join(map(format_percent, scores))
        else:
            row["score"] = "accuracy, % / kappa"
            accuracy, kappa = np.mean(list(result.classification().values()), axis=0)
            row[result.band_name] = f"{format_percent(accuracy)} / {kappa:.2f}"
    return pandas.DataFrame(rows.values()).fillna("–")


def classification_table(results: Sequence[EncoderResults]) -> pandas.DataFrame:
    """Make a column for each test subject: accuracy / kappa; and their means, as EEG-ConDiffusion's tables do."""
    rows = []
    for result in results:
        subjects = result.classification()
        row = {"model": result.label, "protocol": result.protocol, "band": result.band_name}
        row["parameters"] = f"{result.facts['parameters']:,}"
        row |= {subject: f"{format_percent(accuracy)} / {kappa:.2f}" for subject, (accuracy, kappa) in subjects.items()}
        accuracy, kappa = np.mean(list(subjects.values()), axis=0)
        rows.append(row | {"mean": f"{format_percent(accuracy)} / {kappa:.2f}"})
    return _ordered(rows)


def _ordered(rows: list[dict]) -> pandas.DataFrame:
    """Return the subjects in order, the mean last."""
    table = pandas.DataFrame(rows)
    names = [column for column in table if column.startswith("sub")]
    others = [column for column in table if column not in names and column != "mean"]
    return table[[*others, *sorted(names), "mean"]].fillna("–")


def published_retrieval(published: Mapping) -> pandas.DataFrame:
    """Make a row for each published method: top-1 / top-5, 200-way, and its protocol."""
    rows = [
        {
            "method": name,
            "within subject, top-1 / top-5, %": _pair(row.get("within")),
            "across subjects, top-1 / top-5, %": _pair(row.get("across")),
            "protocol": row["protocol"],
        }
        for name, row in published.items()
    ]
    return pandas.DataFrame(rows)


def _pair(values: Sequence[float | None] | None) -> str:
    if not values:
        return "–"
    return " / ".join("–" if value is None else f"{value:g}" for value in values)


def published_classification(published: Mapping) -> pandas.DataFrame:
    """Make a row for each published model and band: accuracy / kappa of each subject."""
    rows = []
    for band, models in published.items():
        for model, values in models.items():
            names = [*(f"S{k}" for k in range(1, len(values))), "mean"]
            pairs = [f"{accuracy:.2f} / {kappa:.2f}" for accuracy, kappa in values]
            rows.append({"model": model, "band": band} | dict(zip(names, pairs, strict=True)))
    return pandas.DataFrame(rows)
