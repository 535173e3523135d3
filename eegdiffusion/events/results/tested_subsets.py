"""The subsets of its montage's channels that a classifier was tested on, with its score on each: ``subsets.json``.

The file lies beside the classifier's weights and goes with the registered model, which thereby knows how few channels
it may be asked about, and how well it did on as many.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eegdiffusion.core.runtime.errors import InputError

SUBSETS = "subsets.json"
"""File of a classifier's folder that says on which subsets of its channels it was tested."""

PREDICTIONS = "subset_predictions.parquet"
"""File of a classifier's folder: split, subset, draw, and the class (0-based) of each window in order."""


@dataclass(frozen=True)
class TestedSubset:
    """A subset of the channels that a classifier was tested on.

    Attributes:
        name: ``all``, a montage of the package, or how many were drawn.
        count: number of channels.
        channels: their names; None where several sets of as many were drawn at random.
        draws: number of sets.
        scores: split -> metric -> value, the mean over draws; ``low`` and ``high`` are the ends of the 95 % interval of
            the balanced accuracy over recordings (and draws), where the split has two recordings or more.
    """

    name: str
    count: int
    channels: list[str] | None
    draws: int
    scores: dict[str, dict[str, float]]

    def sentence(self, split: str = "test") -> str:
        """Say the balanced accuracy on a split, with its interval."""
        score = self.scores[split]
        interval = f" (95 % interval {score['low']:.3f} to {score['high']:.3f})" if "low" in score else ""
        return f"balanced accuracy {score['balanced_accuracy']:.3f}{interval} on {self.count} channels ({self.name})"


@dataclass(frozen=True)
class TestedSubsets:
    """All of them, from the whole montage to the fewest channels.

    Attributes:
        channels: channels of the montage.
        channel_dropout: fields of the setting that the classifier was trained with; None for all channels at each step.
        subsets: the subsets, in falling order of their number of channels.
    """

    channels: list[str]
    channel_dropout: dict[str, Any] | None
    subsets: list[TestedSubset]

    @property
    def fewest(self) -> int:
        """Fewest channels that the classifier was tested on."""
        return min(subset.count for subset in self.subsets)

    def nearest(self, channels: Sequence[str]) -> TestedSubset:
        """Return the subset whose score says most of these channels: the same, or else the largest that is no larger.

        Args:
            channels: some of the montage's channels, at least :attr:`fewest`.
        """
        fitting = [subset for subset in self.subsets if subset.count <= len(channels)]
        same = [subset for subset in fitting if subset.channels is not None and set(subset.channels) == set(channels)]
        return (same or fitting)[0]

    def metrics(self, split: str) -> dict[str, float]:
        """Return the balanced accuracies on a split and the ends of their intervals, by names that say the channels."""
        values = {}
        for subset in self.subsets[1:]:
            for name, end in (("balanced_accuracy", ""), ("low", "_low"), ("high", "_high")):
                if name in subset.scores[split]:
                    values[f"{split}_balanced_accuracy_{subset.count}_channels{end}"] = subset.scores[split][name]
        return values

    def document(self) -> dict[str, Any]:
        """Return them as plain data; :func:`read_tested_subsets` reads it."""
        return asdict(self)


def write_tested_subsets(folder: Path, tested: TestedSubsets) -> None:
    """Write ``subsets.json``."""
    (folder / SUBSETS).write_text(json.dumps(tested.document(), indent=2))


def read_tested_subsets(document: Mapping[str, Any], where: str) -> TestedSubsets:
    """Read what :meth:`TestedSubsets.document` returned.

    Args:
        document: the plain data.
        where: what it is of, for the error.

    Raises:
        InputError: a field is missing or unknown.
    """
    try:
        subsets = [TestedSubset(**subset) for subset in document["subsets"]]
        return TestedSubsets(list(document["channels"]), document["channel_dropout"], subsets)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{where}: must have the fields of the subsets that a model was tested on ({error})"
        ) from error
