"""How a classifier's logits are to be read where it is not by softmax: ``decision.json`` beside its weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

DECISION = "decision.json"
"""File of a classifier's folder; there is none where a window has one class, the most probable one."""


@dataclass(frozen=True)
class DecisionRule:
    """How classes follow from logits.

    Attributes:
        head: ``multi_label``: each class by itself, so that a window may be of several, or of none.
        thresholds: class -> least probability of it, chosen on validation windows.
    """

    head: str
    thresholds: dict[str, float]


def write_decision(folder: Path, decision: DecisionRule) -> None:
    """Write ``decision.json`` to a folder, which exists."""
    (folder / DECISION).write_text(json.dumps(asdict(decision), indent=2))


def read_decision(path: Path) -> DecisionRule:
    """Read what :func:`write_decision` wrote."""
    return DecisionRule(**json.loads(path.read_text()))
