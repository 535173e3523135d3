"""The report's table of LFTs on fewer channels has the scores of the predictions behind it, side by side."""

import numpy as np
import pandas
import pytest
import sklearn.metrics
import torch

from eegdiffusion import LFT
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.results.tested_subsets import PREDICTIONS, SUBSETS
from eegdiffusion.events.training.channel_subsets import score_subsets
from eegdiffusion.report.subset_results import read_subset_results, subset_table
from tests.events.test_channel_dropout import MONTAGE, Tokens, recordings_of

CPU = torch.device("cpu")
SUBJECTS = np.array([f"s{k % 4}" for k in range(16)])


def _write(folder, seed: int, dropout: dict | None = None) -> None:
    torch.manual_seed(seed)
    lft = LFT(d_model=4, n_layer=2, n_pool=2, n_fusion=2, num_heads=2, encoder_blocks=1, n_class=2, token_scale=30.0)
    splits = {"validation": Tokens(16), "test": Tokens(16)}
    score_subsets(lft, MONTAGE, splits, dict.fromkeys(splits, recordings_of(4)), 2, 8, CPU, dropout, folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    path = tmp_path_factory.mktemp("lfts")
    for seed in (0, 1):
        _write(path / f"dropout/seed-{seed}", seed, {"least": 4, "whole": 0.5})
        _write(path / f"plain/seed-{seed}", 7 + seed)
    return path


def test_scores_and_differences_are_those_of_the_predictions(folders):
    results = {name: read_subset_results(folders / name, [0, 1]) for name in ("dropout", "plain")}
    labels = Tokens(16).labels
    table = subset_table(results, labels, SUBJECTS, 2)
    assert table["channels"].tolist() == [22, 20, 16, 8, 4]
    assert results["dropout"].tested.channel_dropout == {"least": 4, "whole": 0.5}
    assert results["plain"].tested.channel_dropout is None
    for row in table.to_dict("records"):
        means = {}
        for name in results:
            parts = [pandas.read_parquet(folders / name / f"seed-{seed}" / PREDICTIONS) for seed in (0, 1)]
            scores = [
                sklearn.metrics.balanced_accuracy_score(labels, draw["predicted"])
                for part in parts
                for _, draw in part[(part["split"] == "test") & (part["subset"] == row["which"])].groupby("draw")
            ]
            assert len(scores) == (10 if "random" in row["which"] else 2)
            means[name] = np.mean(scores)
            assert row[f"{name}: balanced accuracy"].startswith(f"{means[name]:.3f} (")
        assert row["dropout minus plain"].startswith(f"{means['dropout'] - means['plain']:+z.3f} (")


def test_an_lft_of_all_channels_alone_has_none_and_other_subsets_are_refused(folders, tmp_path):
    assert read_subset_results(tmp_path, [0]) is None
    for seed in (0, 1):
        _write(tmp_path / f"mixed/seed-{seed}", seed)
    path = tmp_path / "mixed/seed-1" / SUBSETS
    path.write_text(path.read_text().replace("tcp20", "tcp19"))
    with pytest.raises(InputError, match="mixed: all seeds must be tested on the same subsets"):
        read_subset_results(tmp_path / "mixed", [0, 1])
