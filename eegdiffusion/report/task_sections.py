"""The report's part on further tasks: what frozen features and fine-tuned LFTs score, and who wins, in sentences."""

from collections.abc import Iterator, Mapping

import pandas

from eegdiffusion.core.signal.montages import ids_sentence, read_montage
from eegdiffusion.core.statistics.classification_metrics import ClassifierDifference
from eegdiffusion.events.probes.feature_names import PRETRAINED
from eegdiffusion.events.results.finetuned_tasks import FinetunedTask, differences_from_probes
from eegdiffusion.events.results.task_probes import TaskResults
from eegdiffusion.report.baseline_names import BASELINES
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


def difference_text(difference: ClassifierDifference) -> str:
    """Write a difference with its interval, and whether it shows."""
    low, high = difference.low, difference.high
    return f"{difference.mean:+z.3f} ({low:+z.3f} to {high:+z.3f}, {_verdict(low, high)})"


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


def _differences(
    name: str, task: FinetunedTask, probed: Mapping[str, TaskResults]
) -> list[tuple[str, ClassifierDifference]]:
    """Compare an LFT with the probes of the task of its name, where they tell the same classes of a corpus apart."""
    same = ("corpus", "classes")
    if name not in probed or any(probed[name].facts[key] != task.facts[key] for key in same):
        return []
    return list(differences_from_probes(task, probed[name]))


def finetuned_sentences(name: str, task: FinetunedTask, probed: Mapping[str, TaskResults]) -> Iterator[str]:
    """Say how well an LFT that was trained for a task does, and how it differs from frozen features."""
    facts, interval = task.facts, task.facts["interval"]
    yield (
        f"The LFT that was trained for it has a balanced accuracy of "
        f"{format_number(task.metrics['balanced_accuracy'].mean())} ({format_number(interval['low'])} to "
        f"{format_number(interval['high'])}; {len(task.metrics)} seeds), chance {format_number(facts['chance'])}."
    )
    differences = [
        f"{difference_text(each)} from {_with_article(features)}" for features, each in _differences(name, task, probed)
    ]
    if differences:
        yield f"It differs by {'; '.join(differences)}."
    compared = [
        f"{difference_text(task.difference(each.predicted))} from {BASELINES[baseline]}"
        for baseline, each in task.baselines.items()
    ]
    if compared:
        yield f"From baselines that learned from the same windows it differs by {'; '.join(compared)}."
    if sum(facts["left_out"].values()):
        counts = ", ".join(f"{count} of {split}" for split, count in facts["left_out"].items())
        yield f"Windows of classes that are none of the task's were left out: {counts}."


def finetuned_table(finetuned: Mapping[str, FinetunedTask]) -> pandas.DataFrame:
    """Return a row for the LFT of each task and for each of its baselines: means over seeds of the test metrics."""
    binary = {"auroc": "AUROC", "auprc": "AUPRC", "balanced_accuracy_at_threshold": "balanced accuracy at threshold"}
    columns = METRIC_NAMES | (binary if any("auroc" in task.metrics for task in finetuned.values()) else {})
    rows = []
    for name, task in finetuned.items():
        facts = task.facts
        interval = facts["interval"]
        about = {"task": name, "classes": ", ".join(facts["classes"]), "head": facts["head"]}
        windows = {"training windows": facts["training_windows"], "test windows": facts["test_windows"]}
        classifiers = {"LFT": (task.metrics, interval["low"], interval["high"])}
        for baseline, each in task.baselines.items():
            ends = task.interval(each.predicted)
            classifiers[BASELINES[baseline]] = each.metrics, ends.low, ends.high
        rows += [
            about | {"classifier": classifier} | windows | _scores(metrics, columns)
            | {"95 % interval of balanced accuracy": f"{format_number(low)} to {format_number(high)}"}
            for classifier, (metrics, low, high) in classifiers.items()
        ]  # fmt: skip
    return pandas.DataFrame(rows)


def _scores(metrics: pandas.DataFrame, columns: Mapping[str, str]) -> dict[str, str]:
    """Write means over seeds by their headings; nothing for a metric that a classifier does not have."""
    return {
        heading: format_number(metrics[metric].mean()) if metric in metrics else ""
        for metric, heading in columns.items()
    }


def task_values(tasks: Mapping[str, TaskResults], finetuned: Mapping[str, FinetunedTask]) -> dict:
    """Make the values of the template's variables."""
    corpora = {name: results.facts["corpus"] for name, results in tasks.items()}
    return {
        "tasks": {name: list(task_sentences(results)) for name, results in tasks.items()},
        "finetuned": {name: list(finetuned_sentences(name, task, tasks)) for name, task in finetuned.items()},
        "finetuned_table": finetuned_table(finetuned),
        "finetuned_corpora": {name: task.facts["corpus"] for name, task in finetuned.items()},
        "tasks_table": tasks_table(tasks),
        "task_corpora": corpora,
        "real_tasks": [name for name, corpus in corpora.items() if not corpus.startswith("surrogate")],
    }


def flat_task_metrics(tasks: Mapping[str, TaskResults], finetuned: Mapping[str, FinetunedTask]) -> dict[str, float]:
    """Collect balanced accuracies, and the differences of the pretrained backbone and of the LFT, by flat names."""
    metrics: dict[str, float] = {}
    for name, results in tasks.items():
        for row in results.table.to_dict("records"):
            key = f"task_{name}_{row['features'].replace(' ', '_')}"
            metrics |= {f"{key}_{column}": row[column] for column in ("balanced_accuracy", "low", "high")}
        for row in results.differences.to_dict("records"):
            key = f"task_{name}_pretraining_over_{row['against'].replace(' ', '_')}"
            metrics |= {f"{key}_{column}": row[column] for column in ("mean", "low", "high")}
    for name, task in finetuned.items():
        key = f"task_{name}_lft"
        metrics[f"{key}_balanced_accuracy"] = float(task.metrics["balanced_accuracy"].mean())
        metrics |= {f"{key}_{end}": task.facts["interval"][end] for end in ("low", "high")}
        for baseline, of_baseline in task.baselines.items():
            difference = task.difference(of_baseline.predicted)
            metrics[f"task_{name}_{baseline}_balanced_accuracy"] = float(
                of_baseline.metrics["balanced_accuracy"].mean()
            )
            over = f"{key}_over_{baseline}_baseline"
            metrics |= {f"{over}_{column}": getattr(difference, column) for column in ("mean", "low", "high")}
        for features, each in _differences(name, task, tasks):
            over = f"{key}_over_{features.replace(' ', '_')}"
            metrics |= {f"{over}_{column}": getattr(each, column) for column in ("mean", "low", "high")}
    return metrics
