"""The gate of the registry: whether a challenger may become champion."""

from dataclasses import dataclass

import mlflow
from mlflow.models import MetricThreshold
from mlflow.models.evaluation import EvaluationResult
from mlflow.models.evaluation.validation import ModelValidationFailedException

from eegdiffusion.operations.registry.registry_config import SURROGATE, Gate

ROLLED_BACK = "rolled_back"
"""Tag of a version that was champion and proved wrong: when, and what came back in its place."""


@dataclass(frozen=True)
class Decision:
    """What the gate decided of a model, and why.

    Attributes:
        passed: whether the challenger may become champion.
        reason: one sentence.
    """

    passed: bool
    reason: str


def decide_promotion(gate: Gate, challenger: dict[str, str], champion: dict[str, str] | None) -> Decision:
    """Decide by the tags of two versions; seed means are compared, by MLflow's validation.

    Args:
        gate: metric, floor and least gain.
        challenger: tags of the challenger.
        champion: tags of the champion, where there is one.
    """
    mean = f"{gate.metric}.mean"
    if ROLLED_BACK in challenger:
        reason = f"was rolled back ({challenger[ROLLED_BACK]}); removing the tag {ROLLED_BACK!r} admits it again"
        return Decision(False, reason)
    if mean not in challenger:
        return Decision(False, f"{gate.metric} was not measured")
    baseline, comparison = None, "there was no champion"
    if champion is not None:
        surrogate, other = (tags["corpus"].startswith(SURROGATE) for tags in (challenger, champion))
        if surrogate and not other:
            return Decision(False, f"trained on surrogate data, the champion on {champion['corpus']}")
        if other and not surrogate:
            # No score compares across these: real data come first.
            comparison = f"the champion was trained on {champion['corpus']} data, this on {challenger['corpus']}"
        elif difference := _incomparable(challenger, champion):
            return Decision(False, difference)
        elif mean not in champion:
            return Decision(False, f"{gate.metric} of the champion was not measured; --retire it to begin anew")
        else:
            baseline = EvaluationResult({gate.metric: float(champion[mean])}, {})
            comparison = f"the champion has {champion[mean]}, and a gain of {gate.min_gain:g} is asked"
    threshold = MetricThreshold(
        threshold=gate.floor,
        min_absolute_change=gate.min_gain if baseline else None,
        greater_is_better=gate.mode == "max",
    )
    candidate = EvaluationResult({gate.metric: float(challenger[mean])}, {})
    try:
        mlflow.validate_evaluation_results({gate.metric: threshold}, candidate, baseline)
    except ModelValidationFailedException as failure:
        return Decision(False, " ".join(failure.message.split()))
    return Decision(True, f"{gate.metric} {challenger[mean]} reaches the floor {gate.floor:g}; {comparison}")


def _incomparable(challenger: dict[str, str], champion: dict[str, str]) -> str:
    """Say why the scores of two versions do not compare; empty when they do."""
    for who, tags in (("challenger", challenger), ("champion", champion)):
        if "split_hash" not in tags:
            return f"the {who} does not say which split it was measured on; --retire the champion to begin anew"
    ours, theirs = challenger["split_hash"], champion["split_hash"]
    if ours == theirs:
        return ""
    return (
        f"measured on another split ({ours[:12]}) than the champion ({theirs[:12]}), so their scores do not compare; "
        "--retire the champion to begin anew"
    )
