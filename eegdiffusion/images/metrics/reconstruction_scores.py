"""Scores of reconstructed pictures on disk, arm by arm, each number with what it was measured with.

A folder holds ``scores.parquet`` (a row for each arm, metric, item and sample), ``sets.parquet`` (a row for each arm
and metric of all its pictures) and ``scores.json`` (what the metrics are, and how the pictures were made).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas

from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.statistics.paired_difference import Difference, paired_difference
from eegdiffusion.core.statistics.retrieval import Score, bootstrap

VALUES, SETS, FACTS = "scores.parquet", "sets.parquet", "scores.json"


@dataclass(frozen=True)
class Metric:
    """What a number is.

    Attributes:
        key: its name in tables.
        title: in words.
        kind: how it is computed; ``inception_score`` and ``frechet`` are of all pictures of an arm at once.
        higher_is_better: direction.
        chance: what knowing nothing gets; None where that depends on the pictures, and the controls tell.
        network, layer, weights: that features are of; None of pixels.
        side: pixels that pictures are scaled to.
        baseline: the metric of pixels that it stands beside.
    """

    key: str
    title: str
    kind: Literal["pixcorr", "ssim", "two_way", "correlation_distance", "n_way", "inception_score", "frechet"]
    higher_is_better: bool
    chance: float | None
    side: int
    network: str | None = None
    layer: str | None = None
    weights: str | None = None
    baseline: str | None = None


@dataclass(frozen=True)
class Context:
    """How the pictures were made: it stands beside their numbers.

    Attributes:
        corpus: its name, ``surrogate ...`` where it is one.
        layout: of its files.
        warnings: what must be said beside every number.
        repetitions: of an image that are averaged into the EEG of an item.
        seeds: of the noise, one for each sample.
        training_seeds: of the models.
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
        context: of the pictures.
        metrics: by key.
        values: arm, metric, subject, image, sample, value.
        sets: arm, metric, pictures, value.
        picture: height and width of the reconstructions in pixels.
    """

    context: Context
    metrics: dict[str, Metric]
    values: pandas.DataFrame
    sets: pandas.DataFrame
    picture: tuple[int, int]

    @property
    def arms(self) -> list[str]:
        """Those that were scored."""
        return list(dict.fromkeys(self.values["arm"]))

    @property
    def subjects(self) -> list[str]:
        """Those whose EEG was used."""
        return sorted(self.values["subject"].unique())

    @property
    def images(self) -> int:
        """Test images."""
        return self.values["image"].nunique()

    def samples(self, arm: str) -> int:
        """Pictures of an item in an arm."""
        return self.values.loc[self.values["arm"] == arm, "sample"].nunique()

    def items(self, arm: str, metric: str) -> pandas.DataFrame:
        """Subject, image and value of each item: the mean over its samples, each of which is scored by itself."""
        rows = self.values[(self.values["arm"] == arm) & (self.values["metric"] == metric)]
        return rows.groupby(["subject", "image"], as_index=False)["value"].mean()

    def score(self, arm: str, metric: str) -> Score:
        """Mean over items and its bootstrap interval over test images."""
        rows = self.items(arm, metric)
        return bootstrap(rows["value"].to_numpy(), rows["image"].to_numpy())

    def difference(self, first: str, second: str, metric: str) -> Difference:
        """Paired difference between two arms, first minus second, whatever direction is better."""
        table, other = self.items(first, metric), self.items(second, metric)
        return paired_difference(table["value"].to_numpy(), other["value"].to_numpy(), table["image"].to_numpy())

    def write(self, folder: Path) -> None:
        """Write the files; the folder is made when missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.values.to_parquet(folder / VALUES, index=False)
        self.sets.to_parquet(folder / SETS, index=False)
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
    return Scores(
        context=Context(**facts["context"]),
        metrics={metric["key"]: Metric(**metric) for metric in facts["metrics"]},
        values=pandas.read_parquet(require_file(folder / VALUES)),
        sets=pandas.read_parquet(require_file(folder / SETS)),
        picture=tuple(facts["picture"]),
    )
