"""The gate lets better models through, and nothing else."""

import pytest

from components.tracking.gate import decide
from components.tracking.registry import Gate

KAPPA = Gate(metric="kappa", mode="max", floor=0.1, min_gain=0.02)
LOSS = Gate(metric="loss", mode="min", floor=1.0, min_gain=0.0)


def tags(corpus="TUEV", **scores):
    return {f"{name}.mean": str(value) for name, value in scores.items()} | {"corpus": corpus}


@pytest.mark.parametrize(
    ("gate", "challenger", "champion", "promoted"),
    [
        (KAPPA, tags(kappa=0.2), None, True),
        (KAPPA, tags(kappa=0.05), None, False),
        (KAPPA, tags(kappa=0.05), tags(kappa=0.01), False),
        (KAPPA, tags(kappa=0.33), tags(kappa=0.3), True),
        (KAPPA, tags(kappa=0.31), tags(kappa=0.3), False),
        (KAPPA, tags(kappa=0.2), tags(kappa=0.3), False),
        (LOSS, tags(loss=0.4), tags(loss=0.5), True),
        (LOSS, tags(loss=0.6), tags(loss=0.5), False),
        (LOSS, tags(loss=1.4), None, False),
        (KAPPA, tags("surrogate", kappa=0.9), tags(kappa=0.3), False),
        (KAPPA, tags(kappa=0.3), tags("surrogate", kappa=0.9), True),
    ],
)
def test_gate(gate, challenger, champion, promoted):
    decision = decide(gate, challenger, champion)
    assert decision.promoted is promoted and decision.reason
