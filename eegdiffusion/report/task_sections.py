"""The report's part on tasks of other corpora: a table, and who wins, in sentences."""

from collections.abc import Iterator, Mapping

import pandas

from eegdiffusion.core.signal.montages import ids_sentence, read_montage
from eegdiffusion.events.probes.feature_names import PRETRAINED
from eegdiffusion.events.results.task_probes import TaskResults
from eegdiffusion.report.classifier_tables import METRIC_NAMES, format_number


def task_sentences(results: TaskResults) -> Iterator[str]:
    """Name who scores highest, how the pretrained backbone differs from each other, and what windows these are."""
    facts, best = results.facts, results.best
    alone = results.table["balanced_accuracy"].eq(best["balanced_accuracy"]).sum() == 1
    yield (
        f"{best['features'].capitalize()} {'score' if best['features'].endswith('s') else 'scores'} highest"
        f"{'' if alone else ', with others'}: balanced accuracy {format_number(best['balanced_accuracy'])} "
        f"({format_number(best['low'])} to {format_number(best['high'])}), chance {format_number(facts['chance'])}."
    )
    differences = [
        f"{row['mean']:+z.3f} ({row['low']:+z.3f} to {row['high']:+z.3f}, {_verdict(row['low'], row['high'])}) "
        f"from {_with_article(row['against'])}"
        for row in results.differences.to_dict("records")
    ]
    yield f"The {PRETRAINED} differs by {'; '.join(differences)}."
    yield (
        f"Probes learned from {facts['training_windows']} windows and were tested on {facts['test_windows']}; "
        f"intervals draw {facts['groups']} {facts['drawn']}."
    )
    yield ids_sentence(read_montage(facts["channels"]))


def _with_article(features: str) -> str:
    return features if features.endswith("s") else f"the {features}"


def _verdict(low: float, high: float) -> str:
    return "better" if low > 0 else "worse" if high < 0 else "undecided"


def tasks_table(tasks: Mapping[str, TaskResults]) -> pandas.DataFrame:
    """Return a row for each task and features, with what cross-validation chose."""
    return pandas.DataFrame(
        [
            {
                "task": name,
                "features": row["features"],
                "chosen": f"{row['variant']}, {row['probe']}",
                "cross-validation": format_number(row["cross_validation"]),
                **{heading: format_number(row[metric]) for metric, heading in METRIC_NAMES.items()},
                "95 % interval of balanced accuracy": f"{format_number(row['low'])} to {format_number(row['high'])}",
            }
            for name, results in tasks.items()
            for row in results.table.to_dict("records")
        ]
    )


def task_values(tasks: Mapping[str, TaskResults]) -> dict:
    """Make the values of the template's variables."""
    corpora = {name: results.facts["corpus"] for name, results in tasks.items()}
    return {
        "tasks": {name: list(task_sentences(results)) for name, results in tasks.items()},
        "tasks_table": tasks_table(tasks),
        "task_corpora": corpora,
        "real_tasks": [name for name, corpus in corpora.items() if not corpus.startswith("surrogate")],
    }


def flat_task_metrics(tasks: Mapping[str, TaskResults]) -> dict[str, float]:
    """Collect balanced accuracies and the pretrained backbone's differences by flat names."""
    metrics: dict[str, float] = {}
    for name, results in tasks.items():
        for row in results.table.to_dict("records"):
            key = f"task_{name}_{row['features'].replace(' ', '_')}"
            metrics |= {f"{key}_{column}": row[column] for column in ("balanced_accuracy", "low", "high")}
        for row in results.differences.to_dict("records"):
            key = f"task_{name}_pretraining_over_{row['against'].replace(' ', '_')}"
            metrics |= {f"{key}_{column}": row[column] for column in ("mean", "low", "high")}
    return metrics
