"""Which outputs of the stages a number of the report is of, by its name in ``metrics.json`` or ``headline.json``."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from eegdiffusion.report.baseline_names import BASELINES
from eegdiffusion.report.classifier_comparison import CONTROL
from eegdiffusion.report.exports import metric_key

COMPARED = ("models/lft/recorded/*", "models/lft/shuffled/*", "models/baselines/*")
"""Outputs of the classifiers of EEG events, which stand beside each other."""

NUMBERS = {
    "corpus": ("models/lft/recorded/*",),
    "test_windows": ("models/lft/recorded/*",),
    "control_interval_contains_chance": ("models/lft/shuffled/*",),
    "lft": ("models/lft/recorded/*",),
    "lft_gain": COMPARED,
}
"""Number -> patterns of the outputs that it is of, where its name does not begin with that of an output."""

FAMILIES = {
    r"(retrieval|concepts)(_.*)?": ("models/eeg_encoders/*",),
    r"sgdm(_.*)?": ("data/reconstructions/sgdm/*",),
    r"condiffusion(_.*)?": ("data/reconstructions/condiffusion/*",),
}
"""Names of a task's score in ``headline.json``, as a pattern -> patterns of the outputs that are compared there."""


def _beginnings(output: str) -> list[str]:
    """Return how the names of the numbers begin that an output is behind."""
    match output.split("/"):
        case ["models", "lft", "recorded", _]:
            return ["lft_", "ablation_lft_"]  # the first row of every family of ablations
        case ["models", "lft", "shuffled", _]:
            return [f"{metric_key(CONTROL)}_"]
        case ["models", "lft", "ablations" | "tests", row]:
            return [f"ablation_{metric_key(row)}_"]
        case ["models", "lft", "tasks", task] | ["models", "tasks", task]:
            return [f"task_{task}_"]
        case ["models", "baselines", name]:
            return [f"{metric_key(BASELINES.get(name, name))}_"]
        case ["models", "ssmdp", name]:
            return [f"ssmdp_{metric_key(name)}_"]
        case ["models", "eeg_encoders", name]:
            return [f"eeg_{name}_"]
        case ["data", "reconstructions", _, study]:
            return [f"images_{study}_"]
    return []


def outputs_of_metric(name: str, outputs: Iterable[str]) -> list[str]:
    """Choose the outputs that a number of the report was computed from.

    Args:
        name: its name, e.g. ``lft_cohen_kappa_mean``.
        outputs: paths of the outputs of all stages.

    Returns:
        the outputs of which the number is: of all seeds where it is a mean of them; those of all classifiers of a task
        where they are compared. None where the name says nothing: everything that the report reads is behind it.
    """
    outputs = list(outputs)
    patterns = NUMBERS.get(name) or next((paths for key, paths in FAMILIES.items() if re.fullmatch(key, name)), ())
    if patterns:
        return [path for path in outputs if any(fnmatchcase(path, pattern) for pattern in patterns)]
    lengths = {path: max((len(b) for b in _beginnings(path) if name.startswith(b)), default=0) for path in outputs}
    longest = max(lengths.values(), default=0)
    chosen = [path for path, length in lengths.items() if longest and length == longest]
    if name.endswith(("_of_first_lft_mean", "_of_first_lft_low", "_of_first_lft_high")):
        chosen += [path for path in outputs if fnmatchcase(path, "models/lft/recorded/*")]
    return chosen
