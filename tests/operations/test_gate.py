"""The gate lets better models through, and nothing else."""

import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.operations.registry.gate import decide_promotion
from eegdiffusion.operations.registry.registry_config import Gate, select_models

KAPPA = Gate(metric="kappa", mode="max", floor=0.1, min_gain=0.02)
LOSS = Gate(metric="loss", mode="min", floor=1.0, min_gain=0.01)


def tags(corpus="TUEV", split="s1", **scores):
    return {f"{name}.mean": str(value) for name, value in scores.items()} | {"corpus": corpus, "split_hash": split}


def without(name, found):
    return {key: value for key, value in found.items() if key != name}


@pytest.mark.parametrize(
    ("gate", "challenger", "champion", "reason"),
    [
        (KAPPA, tags(kappa=0.2), None, "reaches the floor 0.1; there was no champion"),
        (KAPPA, tags(kappa=0.33), tags(kappa=0.3), "the champion has 0.3, and a gain of 0.02"),
        (LOSS, tags(loss=0.4), tags(loss=0.5), "loss 0.4 reaches the floor 1"),
        (KAPPA, tags(kappa=0.3), tags("surrogate", "s2", kappa=0.9), "surrogate data, this on TUEV"),
        (KAPPA, tags("surrogate", kappa=0.4), tags("surrogate", kappa=0.3), "reaches the floor"),
    ],
)
def test_passes(gate, challenger, champion, reason):
    decision = decide_promotion(gate, challenger, champion)
    assert decision.passed
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("gate", "challenger", "champion", "reason"),
    [
        (KAPPA, tags(kappa=0.05), None, "candidate model kappa = 0.05, kappa threshold = 0.1"),
        (KAPPA, tags(kappa=0.05), tags(kappa=0.01), "kappa threshold = 0.1"),
        (KAPPA, tags(kappa="nan"), None, "kappa = nan"),
        (KAPPA, tags(), None, "kappa was not measured"),
        (KAPPA, tags(kappa=0.31), tags(kappa=0.3), "minimum absolute change threshold = 0.02"),
        (KAPPA, tags(kappa=0.2), tags(kappa=0.3), "baseline model kappa = 0.3"),
        (LOSS, tags(loss=0.6), tags(loss=0.5), "baseline model loss = 0.5"),
        (LOSS, tags(loss=1.4), None, "loss threshold = 1.0"),
        (KAPPA, tags("surrogate", kappa=0.9), tags(kappa=0.3), "trained on surrogate data, the champion on TUEV"),
        (KAPPA, tags("surrogate-things", kappa=0.9), tags(kappa=0.3), "trained on surrogate data"),
        (KAPPA, tags(kappa=0.05), tags("surrogate", kappa=0.9), "kappa threshold = 0.1"),
        (KAPPA, tags(kappa=0.9, split="s2"), tags(kappa=0.3), "another split (s2) than the champion (s1)"),
        (KAPPA, tags("other", "s2", kappa=0.9), tags(kappa=0.3), "another split"),
        (KAPPA, without("split_hash", tags(kappa=0.9)), tags(kappa=0.3), "the challenger does not say which split"),
        (KAPPA, tags(kappa=0.9), without("split_hash", tags(kappa=0.3)), "the champion does not say which split"),
        (KAPPA, tags(kappa=0.9), tags(), "of the champion was not measured"),
        (KAPPA, tags(kappa=0.9) | {"rolled_back": "to version 1"}, tags(kappa=0.3), "was rolled back (to version 1)"),
    ],
)
def test_refuses_and_says_why(gate, challenger, champion, reason):
    decision = decide_promotion(gate, challenger, champion)
    assert not decision.passed
    assert reason in decision.reason


def test_a_gate_that_asks_for_no_gain_is_refused():
    values = {"metric": "kappa", "mode": "max", "floor": 0.1, "min_gain": 0}
    with pytest.raises(InputError, match="min_gain: Input should be greater than 0"):
        validate(values, Gate, "registry.yaml: lft: gate")


def test_a_model_that_the_registry_does_not_have_is_named():
    assert list(select_models(["lft"])) == ["lft"]
    assert len(select_models([])) > 2
    with pytest.raises(InputError, match=r"registry\.yaml: nothing: there is no such model"):
        select_models(["nothing"])
