"""Tables of the encoders of EEG: results in, tables of text out."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas

from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.report.encoder_runs import Study

WAYS = (2, 4, 10, 50, 100, 200)


def percent(value: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * value:.1f}"


def scored(score: Score) -> str:
    """Write a percentage with its interval, where it has one."""
    if math.isnan(score.low):
        return percent(score.mean)
    return f"{percent(score.mean)} ({percent(score.low)} to {percent(score.high)})"


def retrieval_table(studies: Sequence[Study]) -> pandas.DataFrame:
    """Top-1 and top-5 among all test images, each with its protocol."""
    rows = []
    for study in studies:
        ways = study.facts["images"]
        rows.append(
            {
                "encoder": study.label,
                "protocol": study.protocol,
                "band": study.band_name,
                "repetitions averaged": study.repetitions,
                "candidates": ways,
                "top-1, % (interval)": scored(study.retrieval(ways, 1)),
                "top-5, % (interval)": scored(study.retrieval(ways, 5)),
                "chance, %": f"{100 / ways:.1f} / {min(100, 500 / ways):.1f}",
            }
        )
    return pandas.DataFrame(rows)


def ways_table(studies: Sequence[Study]) -> pandas.DataFrame:
    """Top-1 among fewer candidates, up to all test images."""
    rows = []
    for study in studies:
        most = study.facts["images"]
        row = {"encoder": study.label, "protocol": study.protocol}
        for ways in sorted({*(ways for ways in WAYS if ways < most), most}):
            row[f"{ways}-way"] = percent(study.retrieval(ways, 1).mean)
        rows.append(row)
    return pandas.DataFrame(rows).fillna("–")


def subjects_table(studies: Sequence[Study]) -> pandas.DataFrame:
    """Top-1 / top-5 of each test subject; where a subject is tested in several folds, their mean."""
    rows = []
    for study in studies:
        ways = study.facts["images"]
        row, means = {"encoder": study.label, "protocol": study.protocol}, []
        for subject, ranks in study.whole().groupby("subject"):
            scores = [study.retrieval(ways, k, ranks).mean for k in (1, 5)]
            means.append(scores)
            row[subject] = " / ".join(map(percent, scores))
        rows.append(row | {"mean": " / ".join(map(percent, np.mean(means, axis=0)))})
    return _ordered(rows)


def bands_table(studies: Sequence[Study]) -> pandas.DataFrame:
    """A row for each encoder that was trained with several bands, a column for each band."""
    rows: dict[tuple, dict] = {}
    for study in studies:
        if len(study.row.bands) < 2:
            continue
        row = rows.setdefault((study.label, study.protocol), {"encoder": study.label, "protocol": study.protocol})
        if study.row.objective == "align":
            ways = study.facts["images"]
            row["score"] = f"top-1 / top-5, %, {ways}-way"
            scores = [study.retrieval(ways, k).mean for k in (1, 5)]
            row[study.band_name] = " / ".join(map(percent, scores))
        else:
            row["score"] = "accuracy, % / kappa"
            accuracy, kappa = np.mean(list(study.classification().values()), axis=0)
            row[study.band_name] = f"{percent(accuracy)} / {kappa:.2f}"
    return pandas.DataFrame(rows.values()).fillna("–")


def classification_table(studies: Sequence[Study]) -> pandas.DataFrame:
    """Accuracy and kappa of each test subject, and their means, in the form of EEG-ConDiffusion's tables."""
    rows = []
    for study in studies:
        each = study.classification()
        row = {"model": study.label, "protocol": study.protocol, "band": study.band_name}
        row["parameters"] = f"{study.facts['parameters']:,}"
        row |= {subject: f"{percent(accuracy)} / {kappa:.2f}" for subject, (accuracy, kappa) in each.items()}
        accuracy, kappa = np.mean(list(each.values()), axis=0)
        rows.append(row | {"mean": f"{percent(accuracy)} / {kappa:.2f}"})
    return _ordered(rows)


def _ordered(rows: list[dict]) -> pandas.DataFrame:
    """Subjects in order, the mean last."""
    table = pandas.DataFrame(rows)
    names = [column for column in table if column.startswith("sub")]
    rest = [column for column in table if column not in names and column != "mean"]
    return table[[*rest, *sorted(names), "mean"]].fillna("–")


def published_retrieval(published: Mapping) -> pandas.DataFrame:
    """Published top-1 / top-5, 200-way, and how sure the quotation is."""
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
    """Published accuracy / kappa of each subject, by band and model."""
    rows = []
    for band, models in published.items():
        for model, values in models.items():
            names = [*(f"S{k}" for k in range(1, len(values))), "mean"]
            pairs = [f"{accuracy:.2f} / {kappa:.2f}" for accuracy, kappa in values]
            rows.append({"model": model, "band": band} | dict(zip(names, pairs, strict=True)))
    return pandas.DataFrame(rows)
