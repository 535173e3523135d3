import json

import pandas
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.result_facts import DataFacts, ResultFacts, read_result_facts, write_result

DATA = DataFacts(corpus="surrogate", preprocessing="abc", split_hash="def", split="test", classes=["a", "b"])


def test_facts_and_metrics_lie_side_by_side_and_are_read_again(tmp_path):
    facts = ResultFacts(data=DATA, parameters=12, seed=0, best_epoch=1.5, windows=7, more={"labels": "shuffled"})
    write_result(tmp_path / "seed-0", facts, {"cohen_kappa": 0.25}, [{"epoch": 1, "train_loss": 0.5}])
    document = json.loads((tmp_path / "seed-0/metrics.json").read_text())
    assert document == {
        "parameters": 12, "seed": 0, "best_epoch": 1.5, "windows": 7, "corpus": "surrogate", "preprocessing": "abc",
        "split_hash": "def", "split": "test", "classes": ["a", "b"], "labels": "shuffled", "cohen_kappa": 0.25,
    }  # fmt: skip
    read = read_result_facts(tmp_path / "seed-0")
    assert read.data == DATA
    assert (read.parameters, read.seed, read.best_epoch, read.windows) == (12, 0, 1.5, 7)
    assert read.more == {"labels": "shuffled", "cohen_kappa": 0.25}
    assert pandas.read_csv(tmp_path / "seed-0/curves.csv")["train_loss"].tolist() == [0.5]


def test_a_fact_is_stated_once(tmp_path):
    with pytest.raises(ValueError, match="more: corpus"):
        ResultFacts(data=DATA, parameters=1, more={"corpus": "TUEV"}).document()
    with pytest.raises(ValueError, match="metrics: parameters"):
        write_result(tmp_path, ResultFacts(data=DATA, parameters=1), {"parameters": 2}, [])


def test_results_without_facts_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"metrics\.json: no such file"):
        read_result_facts(tmp_path)
    (tmp_path / "metrics.json").write_text(json.dumps({"corpus": "surrogate", "parameters": 1}))
    with pytest.raises(InputError, match=r"metrics\.json: preprocessing, split_hash: must be there"):
        read_result_facts(tmp_path)
