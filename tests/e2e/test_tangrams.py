"""What the docs say of tangrams, done: its commands and its entries of ``params.yaml``, with fewer figures."""

import json
import re
import shlex

import numpy as np
import pandas
import pytest
import yaml

from eegdiffusion.images.epochs.epoch_store import EpochStore
from eegdiffusion.images.features.image_features import ImageFeatures
from eegdiffusion.images.figures.encoder_figures import draw_encoder
from eegdiffusion.images.structure.structure_maps import StructureMaps
from tests.e2e.workspace import ROOT, command, copy, module
from tests.surrogate_source import CACHE

FEW = ["--subjects", "1", "--tangrams", "40", "--test-tangrams", "10", "--snr", "1"]
QUICK = ["train_eeg_encoder.align.average=2", "train_eeg_encoder.align.optimisation.batch_size=16", "matrix.seeds=[0]"]
SMALL = {"hidden": 16, "layers": 1, "step": 8, "filters": 16, "kernels": [15]}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    path = copy(tmp_path_factory.mktemp("tangrams"))
    (path / "data").mkdir(exist_ok=True)
    (path / "data/cache").symlink_to(CACHE)
    text = (ROOT / "docs/index.md").read_text().partition("Tangrams in")[2]
    make, repro = (
        shlex.split(line)[1:] for line in re.search(r"```bash\n(.*?)```", text, re.DOTALL)[1].strip().splitlines()
    )
    entries = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    module(path, "params", "set", *QUICK)
    params = yaml.safe_load((path / "params.yaml").read_text())
    for section, rows in entries.items():
        params[section] |= rows
    params["eeg_encoders"]["tangrams"]["options"] = SMALL
    (path / "params.yaml").write_text(yaml.safe_dump(params))
    assert make[:2] == ["surrogate", "things"]
    module(path, "surrogate things", *make[2:], *FEW)
    command(path, "dvc", *repro)
    return path


def test_figures_that_training_has_not_seen_are_retrieved(workspace):
    (folder,) = (workspace / "models/eeg_encoders/tangrams").rglob("seed-0")
    facts = json.loads((folder / "metrics.json").read_text())
    assert facts["corpus"] == "surrogate tangrams"
    assert facts["layout"] == "kilogram"
    assert facts["images"] == 10
    ranks = pandas.read_parquet(folder / "ranks.parquet")
    whole = ranks[ranks["repetitions"] == ranks["repetitions"].max()]["rank"]
    assert whole.mean() < 0.35 * 9, "guessing has a mean rank of 4.5"
    assert "retrieved" in draw_encoder(folder), "the report draws it from what the training stored"


def test_masks_of_the_pieces_come_with_the_features(workspace):
    store = EpochStore(workspace / "data/images/tangrams")
    assert len(store.description.channels) == 23, "EDF's 'EEG Oz' is Oz"
    assert "Oz" in store.description.channels, "EDF's 'EEG Oz' is Oz"
    found = ImageFeatures(workspace / "data/image_features/tangrams", store.description.fingerprint)
    maps = StructureMaps(workspace / "data/image_features/tangrams", store.description.fingerprint)
    assert found.features.shape == (50, 1280)
    assert (maps.kind, len(maps)) == ("pieces", 50)
    assert maps[np.arange(50)].any((2, 3)).all(), "the background and all seven pieces"
