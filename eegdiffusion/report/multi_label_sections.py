"""The report's part on distinct windows: LFTs with a multi-label head, and what counting each row is worth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas

from eegdiffusion.core.statistics.classification_metrics import ClassifierDifference
from eegdiffusion.events.results.multi_label_tasks import CountedTwice, MultiLabelTask, count_rows_twice
from eegdiffusion.report.baseline_names import BASELINES
from eegdiffusion.report.classifier_comparison import LFT, ClassifierComparison
from eegdiffusion.report.classifier_results import EventData
from eegdiffusion.report.classifier_tables import format_number
from eegdiffusion.report.task_sections import difference_text


@dataclass(frozen=True)
class MultiLabelResults:
    """A task of distinct windows, and classifiers by both protocols.

    Attributes:
        task: the LFTs that were trained for it.
        protocols: classifier -> scores by rows and by distinct windows; the LFT of the first task is among them where
            it tells the same classes of the same corpus apart.
    """

    task: MultiLabelTask
    protocols: Mapping[str, CountedTwice]


def compare_protocols(
    task: MultiLabelTask, name: str, comparison: ClassifierComparison, data: EventData
) -> MultiLabelResults:
    """Score the LFT of a task by both protocols, and the first task's where it is of the same windows."""
    protocols = {f"LFT of {name}": task.protocols}
    classes = [label.upper() for label in task.facts["classes"]]  # as the report calls them
    if (task.facts["corpus"], classes) == (data.name, data.classes):
        lft = comparison.lft
        clusters = lft.clusters(data.subjects)
        protocols = {LFT: count_rows_twice(lft.windows, lft.predicted, clusters, len(data.classes))} | protocols
    return MultiLabelResults(task, protocols)


def protocol_sentences(results: MultiLabelResults) -> Iterator[str]:
    """Say how well the LFT of distinct windows does, and what counting rows is worth to each classifier."""
    task = results.task
    facts, low, high = task.facts, task.facts["interval"]["low"], task.facts["interval"]["high"]
    yield (
        f"The LFT of distinct windows has a macro-F1 of {format_number(task.metrics['f1_macro'].mean())} "
        f"({format_number(low)} to {format_number(high)}; {len(task.metrics)} seeds) on {facts['test_windows']} "
        "windows, each of which counts once, with the set of its labels."
    )
    compared = [
        f"{difference_text(task.difference(each.predicted))} from {BASELINES[baseline]}"
        for baseline, each in task.baselines.items()
    ]
    if compared:
        yield f"From baselines that learned from the same windows its macro-F1 differs by {'; '.join(compared)}."
    for name, counted in results.protocols.items():
        yield (
            f"{name}: counting each of {counted.rows} rows, as in the paper, in place of each of {counted.windows} "
            f"windows once {_worth(counted.inflation)}."
        )
    if sum(facts["left_out"].values()):
        counts = ", ".join(f"{count} of {split}" for split, count in facts["left_out"].items())
        yield f"Rows of classes that are none of the task's were left out: {counts}."


def _worth(inflation: ClassifierDifference) -> str:
    interval = f"{inflation.mean:+z.3f} macro-F1 ({inflation.low:+z.3f} to {inflation.high:+z.3f})"
    if inflation.low > 0:
        return f"inflates its score by {interval}"
    if inflation.high < 0:
        return f"lowers its score, by {interval}"
    return f"changes its score by nothing that shows, {interval}"


def protocols_table(tasks: Mapping[str, MultiLabelResults]) -> pandas.DataFrame:
    """Return a row for each task and classifier: macro-F1 by both protocols, and the inflation between them."""
    return pandas.DataFrame(
        [
            {
                "task": name,
                "classifier": classifier,
                "rows": counted.rows,
                "distinct windows": counted.windows,
                "macro-F1, rows": format_number(counted.f1_rows),
                "macro-F1, distinct windows": format_number(counted.f1_windows),
                "inflation": f"{counted.inflation.mean:+z.3f}",
                "95 % interval of the inflation": f"{counted.inflation.low:+z.3f} to {counted.inflation.high:+z.3f}",
            }
            for name, results in tasks.items()
            for classifier, counted in results.protocols.items()
        ]
    )


def multi_label_table(tasks: Mapping[str, MultiLabelResults]) -> pandas.DataFrame:
    """Return a row for each task and class, and one for all of its classes: means over seeds."""
    headings = {"f1": "F1", "precision": "precision", "recall": "recall", "auroc": "AUROC", "auprc": "AUPRC"}
    rows = []
    for name, results in tasks.items():
        means = pandas.concat(results.task.by_class).groupby(level=0, sort=False).mean()
        rows.append(
            {"task": name, "class": "mean over classes", "windows": results.task.facts["test_windows"]}
            | _means(results.task.metrics.mean(), headings)
        )
        rows += [
            {
                "task": name,
                "class": f"mean over classes, {BASELINES[baseline]}",
                "windows": results.task.facts["test_windows"],
            }
            | _means(each.metrics.mean(), headings)
            for baseline, each in results.task.baselines.items()
        ]
        rows += [
            {"task": name, "class": label, "windows": int(row["support"])}
            | {heading: format_number(row[metric]) for metric, heading in headings.items()}
            for label, row in means.iterrows()
        ]
    return pandas.DataFrame(rows)


def _means(metrics: pandas.Series, headings: Mapping[str, str]) -> dict[str, str]:
    """Write the means over classes by their headings; nothing for what has none."""
    every = {"F1": metrics["f1_macro"], "AUROC": metrics["auroc"], "AUPRC": metrics["auprc"]}
    return {heading: format_number(every[heading]) if heading in every else "" for heading in headings.values()}


def multi_label_values(tasks: Mapping[str, MultiLabelResults]) -> dict:
    """Make the values of the template's variables."""
    return {
        "multi_label": {name: list(protocol_sentences(results)) for name, results in tasks.items()},
        "multi_label_corpora": {name: results.task.facts["corpus"] for name, results in tasks.items()},
        "multi_label_table": multi_label_table(tasks),
        "protocols_table": protocols_table(tasks),
    }


def flat_multi_label_metrics(tasks: Mapping[str, MultiLabelResults]) -> dict[str, float]:
    """Collect the means of the metrics over seeds, and the inflation of each classifier, by flat names."""
    metrics: dict[str, float] = {}
    for name, results in tasks.items():
        key = f"task_{name}_lft"
        metrics |= {
            f"{key}_{metric}": float(results.task.metrics[metric].mean()) for metric in ("f1_macro", "auroc", "auprc")
        }
        metrics |= {f"{key}_{end}": results.task.facts["interval"][end] for end in ("low", "high")}
        for classifier, counted in results.protocols.items():
            of = f"{key}_inflation" if classifier != LFT else f"task_{name}_inflation_of_first_lft"
            metrics |= {f"{of}_{column}": getattr(counted.inflation, column) for column in ("mean", "low", "high")}
    return metrics
