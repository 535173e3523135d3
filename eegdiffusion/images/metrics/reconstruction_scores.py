"""Scores of reconstructed images on disk, arm by arm, each number with what it was measured with.

A folder holds ``scores.parquet`` (a row for each arm, metric, item and sample), ``sets.parquet`` (a row for each arm
and metric of all its images), ``scores.json`` (what the metrics are, and how the images were made) and, of a model that
was trained on other subjects, ``subject_sets.parquet`` (a row for each arm, metric and subject).
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import pandas

from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.statistics.paired_difference import Difference, paired_difference
from eegdiffusion.core.statistics.retrieval import Score, bootstrap
from eegdiffusion.core.storage.parquet_file import read_parquet

VALUES, SETS, SUBJECT_SETS, FACTS = "scores.parquet", "sets.parquet", "subject_sets.parquet", "scores.json"

SUBJECT_SETS_COLUMNS = ["arm", "metric", "subject", "pictures", "value"]
"""Columns of the scores of all images of an arm and subject."""


Kind = Literal["pixcorr", "ssim", "two_way", "correlation_distance", "n_way", "concept", "inception_score", "frechet"]


@dataclass(frozen=True)
class Metric:
    """What is measured, and with what.

    Attributes:
        key: name of the metric in tables.
        title: name of the metric in words.
        kind: how it is computed; ``concept`` is the share that a classifier of true pictures names by their concept;
            ``inception_score`` and ``frechet`` are of all images of an arm at once.
        higher_is_better: whether larger values are better.
        chance: value by chance; None where that depends on the images, and the controls tell.
        side: side in pixels that images are scaled to.
        network: name of the network whose features are compared; None: pixels are compared.
        layer: name of the network's layer.
        weights: where the network's weights came from.
        baseline: key of the metric of pixels that it stands beside.
    """

    key: str
    title: str
    kind: Kind
    higher_is_better: bool
    chance: float | None
    side: int
    network: str | None = None
    layer: str | None = None
    weights: str | None = None
    baseline: str | None = None


@dataclass(frozen=True)
class Context:
    """How the images were made, which stands beside their scores.

    Attributes:
        corpus: name of the corpus, ``surrogate ...`` where it is one.
        layout: layout of the corpus's files.
        warnings: sentences that must stand beside every number.
        repetitions: number of repetitions of an image that are averaged into the EEG of an item.
        seeds: seeds of the noise, one for each sample.
        training_seeds: seeds of the models' trainings.
        aligned_with: network whose image features the semantic encoder was aligned with.
        selection: split that the models were chosen on.
    """

    corpus: str
    layout: str
    warnings: list[str]
    repetitions: int
    seeds: list[int]
    training_seeds: list[int]
    aligned_with: str
    selection: str


@dataclass(frozen=True)
class Scores:
    """Scores of all arms.

    Attributes:
        context: how the images were made.
        metrics: what is measured, by key.
        values: table of arm, metric, subject, image, sample, value.
        sets: table of arm, metric, pictures (number of images), value.
        picture: height and width of the reconstructions in pixels.
        subject_sets: table of arm, metric, subject, pictures, value; empty where the subjects are not told apart.
    """

    context: Context
    metrics: dict[str, Metric]
    values: pandas.DataFrame
    sets: pandas.DataFrame
    picture: tuple[int, int]
    subject_sets: pandas.DataFrame = field(default_factory=lambda: pandas.DataFrame(columns=SUBJECT_SETS_COLUMNS))

    @property
    def arms(self) -> list[str]:
        """Names of the arms that were scored."""
        return list(dict.fromkeys(self.values["arm"]))

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects whose EEG was used, sorted."""
        return sorted(self.values["subject"].unique())

    @property
    def images(self) -> int:
        """Number of test images."""
        return self.values["image"].nunique()

    def samples(self, arm: str) -> int:
        """Return the number of images of an item in an arm."""
        return self.values.loc[self.values["arm"] == arm, "sample"].nunique()

    def items(self, arm: str, metric: str) -> pandas.DataFrame:
        """Tabulate subject, image and value of each item: the mean over its samples, each scored by itself."""
        rows = self.values[(self.values["arm"] == arm) & (self.values["metric"] == metric)]
        return rows.groupby(["subject", "image"], as_index=False)["value"].mean()

    def score(self, arm: str, metric: str) -> Score:
        """Average a metric over items, with the bootstrap interval over test images."""
        rows = self.items(arm, metric)
        return bootstrap(rows["value"].to_numpy(), rows["image"].to_numpy())

    def difference(self, first: str, second: str, metric: str) -> Difference:
        """Compare two arms item by item.

        Args:
            first: name of an arm.
            second: name of the arm that is subtracted from it.
            metric: key of the metric.

        Returns:
            the paired difference, first minus second, whatever direction is better.
        """
        table, other = self.items(first, metric), self.items(second, metric)
        return paired_difference(table["value"].to_numpy(), other["value"].to_numpy(), table["image"].to_numpy())

    def means(self) -> dict[str, float]:
        """Return the mean over items of each ``<arm>.<metric>``, and the scores of sets, by such names too."""
        items = self.values.groupby(["arm", "metric", "subject", "image"])["value"].mean()
        means = items.groupby(["arm", "metric"]).mean()
        named = {f"{arm}.{metric}": float(value) for (arm, metric), value in means.items()}
        rows = self.sets[["arm", "metric", "value"]].itertuples(index=False)
        return named | {f"{arm}.{metric}": float(value) for arm, metric, value in rows}

    def write(self, folder: Path) -> None:
        """Write ``scores.parquet``, ``sets.parquet`` and ``scores.json``; the folder is made when missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.values.to_parquet(folder / VALUES, index=False)
        self.sets.to_parquet(folder / SETS, index=False)
        if len(self.subject_sets):
            self.subject_sets.to_parquet(folder / SUBJECT_SETS, index=False)
        facts = {
            "context": asdict(self.context),
            "picture": list(self.picture),
            "subjects": self.subjects,
            "images": self.images,
            "samples": {arm: self.samples(arm) for arm in self.arms},
            "metrics": [asdict(metric) for metric in self.metrics.values()],
        }
        (folder / FACTS).write_text(json.dumps(facts, indent=2))


def read_scores(folder: Path) -> Scores:
    """Read what :meth:`Scores.write` wrote.

    Raises:
        InputError: a file is missing.
    """
    facts = json.loads(require_file(folder / FACTS).read_text())
    by_subject = {}
    if (folder / SUBJECT_SETS).is_file():
        by_subject["subject_sets"] = read_parquet(folder / SUBJECT_SETS)
    return Scores(
        context=Context(**facts["context"]),
        metrics={metric["key"]: Metric(**metric) for metric in facts["metrics"]},
        values=read_parquet(require_file(folder / VALUES)),
        sets=read_parquet(require_file(folder / SETS)),
        picture=tuple(facts["picture"]),
        **by_subject,
    )
