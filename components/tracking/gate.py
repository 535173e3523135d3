"""The gate of the registry: whether a challenger becomes champion."""

from dataclasses import dataclass

import mlflow
from mlflow.entities.model_registry import ModelVersion

from components.tracking import server
from components.tracking.registry import CHALLENGER, Entry, Gate

CHAMPION = "champion"
SURROGATE = "surrogate"


@dataclass(frozen=True)
class Decision:
    """What the gate decided of a model, and why."""

    promoted: bool
    reason: str


def decide(gate: Gate, challenger: dict[str, str], champion: dict[str, str] | None) -> Decision:
    """Decide by the tags of two versions; seed means are compared.

    Args:
        gate: metric, floor and least gain.
        challenger: tags of the challenger.
        champion: tags of the champion, where there is one.
    """
    score = float(challenger[f"{gate.metric}.mean"])
    sign = 1 if gate.mode == "max" else -1
    if sign * score < sign * gate.floor:
        return Decision(False, f"{gate.metric} {score:g} does not reach the floor {gate.floor:g}")
    if champion is None:
        return Decision(True, f"{gate.metric} {score:g} reaches the floor {gate.floor:g}; there was no champion")
    if champion["corpus"] != challenger["corpus"]:
        # Scores on different corpora do not compare; a surrogate never replaces a model of real data.
        if challenger["corpus"] == SURROGATE:
            return Decision(False, f"trained on {SURROGATE} data, the champion on {champion['corpus']}")
        return Decision(True, f"trained on {challenger['corpus']}, the champion on {champion['corpus']} data")
    best = float(champion[f"{gate.metric}.mean"])
    gain = sign * (score - best)
    verdict = f"{gate.metric} {score:g} against the champion's {best:g}, and a gain of {gate.min_gain:g} is asked"
    return Decision(gain >= gate.min_gain, verdict)


def _alias(client: mlflow.MlflowClient, name: str, alias: str) -> ModelVersion | None:
    try:
        return client.get_model_version_by_alias(name, alias)
    except mlflow.MlflowException:
        return None


def promote(name: str, entry: Entry) -> Decision:
    """Put a model's challenger through its gate; if it passes, the alias ``champion`` moves to it.

    Args:
        name: the registered model.
        entry: its entry in ``mlflow/registry.yaml``.
    """
    mlflow.set_tracking_uri(server.uri())
    client = mlflow.MlflowClient()
    challenger, champion = _alias(client, name, CHALLENGER), _alias(client, name, CHAMPION)
    if challenger is None:
        return Decision(False, "there is no challenger")
    if champion and champion.version == challenger.version:
        return Decision(False, f"version {champion.version} is the champion already")
    decision = decide(entry.gate, challenger.tags, champion.tags if champion else None)
    client.set_model_version_tag(name, challenger.version, "gate", decision.reason)
    if decision.promoted:
        client.set_registered_model_alias(name, CHAMPION, challenger.version)
    return decision
