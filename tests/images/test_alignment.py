"""Contrastive alignment against plain loops; ranks and n-way retrieval against drawing candidates."""

import math

import numpy as np
import pytest
import torch

from eegdiffusion.core.statistics.retrieval import bootstrap, ranks, ranks_among, similarities, top_k
from eegdiffusion.core.training.fit import fit
from eegdiffusion.images.encoders.alignment import Alignment, embed_epochs, nt_xent
from eegdiffusion.images.encoders.registry import build_encoder
from tests.core.test_fit import HARDWARE, optimisation


def plain_nt_xent(eeg, image, identity, scale):
    """The loss item by item: of each direction, over the pairs that are no repetition of the item's own picture."""

    def cosine(a, b):
        return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))

    total = 0.0
    for i in range(len(eeg)):
        for ours, theirs in ((eeg, image), (image, eeg)):
            right = math.exp(scale * cosine(ours[i], theirs[i]))
            wrong = sum(
                math.exp(scale * cosine(ours[i], theirs[j])) for j in range(len(eeg)) if identity[j] != identity[i]
            )
            total -= math.log(right / (right + wrong)) / (2 * len(eeg))
    return total


@pytest.mark.parametrize("identity", [list(range(9)), [0, 1, 2, 0, 1, 2, 0, 3, 4], [0] * 9])
def test_nt_xent_is_that_of_a_plain_loop(identity):
    rng = np.random.default_rng(0)
    eeg, image = rng.standard_normal((2, 9, 6))
    image[3], image[6] = image[0], image[0]
    found = nt_xent(torch.from_numpy(eeg), torch.from_numpy(image), torch.tensor(identity), 5.0)
    assert float(found) == pytest.approx(plain_nt_xent(eeg, image, identity, 5.0), rel=1e-9)


def test_repeated_images_are_no_negatives():
    """Perfect embeddings of a batch with each image three times: the loss is that of each image once."""
    once = torch.eye(4)
    loss = nt_xent(once, once, torch.arange(4), 10.0)
    thrice = once.repeat(3, 1)
    assert nt_xent(thrice, thrice, torch.arange(4).repeat(3), 10.0) < 3.01 * loss
    assert nt_xent(thrice, thrice, torch.arange(12), 10.0) > math.log(3) - 0.01  # what counting them would cost


class Linear:
    """Images whose features are a linear map of the EEG, each seen several times."""

    def __init__(self, items: int, seed: int):
        rng = np.random.default_rng(seed)
        self.eeg = rng.standard_normal((items, 4, 10)).astype(np.float32)
        mixing = np.random.default_rng(9).standard_normal((40, 6)).astype(np.float32) / 6
        self.features = self.eeg.reshape(items, -1) @ mixing
        self.identity = np.arange(items) // 2
        self.features[1::2] = self.features[::2]
        self.eeg[1::2] = self.eeg[::2] + 0.3 * rng.standard_normal(self.eeg[::2].shape).astype(np.float32)

    def __len__(self):
        return len(self.eeg)

    def __getitems__(self, indices):
        found = {name: getattr(self, name)[indices] for name in ("eeg", "features", "identity")}
        return found | {"subject": np.zeros(len(indices), np.int64)}


def test_alignment_learns_the_features_and_a_temperature(tmp_path):
    errors = {}
    for mse_weight in (0.0, 0.5):
        torch.manual_seed(0)
        model = build_encoder("ridge", n_chans=4, n_times=10, n_outputs=6, n_subjects=1)
        settings = optimisation(batch_size=32, max_epochs=25, patience=25)
        module = Alignment(model, settings, 3, 0.07, mse_weight)
        data, work = (Linear(512, 0), Linear(64, 1)), tmp_path / str(mse_weight)
        fitted = fit(module, *data, monitor="validation_rank", mode="min", hardware=HARDWARE, work=work)
        assert fitted.best_score < 0.05 < fitted.curves[0]["validation_rank"] < 0.6
        assert fitted.curves[-1]["temperature"] != pytest.approx(0.07, abs=1e-4)
        test = Linear(64, 2)
        found = embed_epochs(module.ema_model.encoder, test, 16, torch.device("cpu")).numpy()
        assert ranks(found, test.features, test.identity).mean() < 2
        errors[mse_weight] = np.mean((found - test.features) ** 2) / test.features.var()
    assert errors[0.5] < 0.3
    assert errors[0.5] < 0.8 * errors[0.0], "only the squared error makes them alike in size"


def test_ranks_count_what_is_as_similar():
    similarity = np.array([[0.1, 0.5, 0.3], [0.2, 0.2, 0.2], [0.9, 0.1, 0.0]])
    assert ranks_among(similarity, np.array([1, 0, 2])).tolist() == [0, 2, 2]
    rng = np.random.default_rng(0)
    features = rng.standard_normal((5, 8))
    identity = np.array([3, 3, 1, 0, 2])
    features[1] = features[0]
    found = features + 0.01 * rng.standard_normal((5, 8))
    assert ranks(found, features, identity).tolist() == [0] * 5
    assert ranks(np.ones((5, 8)) * 0, features, identity).tolist() == [3] * 5
    assert np.allclose(np.diag(similarities(features, 7 * features)), 1)


@pytest.mark.parametrize(("ways", "k"), [(2, 1), (4, 1), (10, 5), (50, 1), (60, 5)])
def test_fewer_candidates_are_as_if_they_were_drawn(ways, k):
    images, draw = 60, np.random.default_rng(0)
    rank = np.array([0, 1, 5, 20, 59])
    exact = top_k(rank, images, ways, k)
    for value, probability in zip(rank, exact, strict=True):
        others = np.arange(1, images)  # the first `value` of them are better than the right one
        hits = [(draw.permutation(others)[: ways - 1] <= value).sum() < k for _ in range(3000)]
        assert abs(np.mean(hits) - probability) < 0.03
    everyone = top_k(np.arange(images), images, ways, k).mean()
    assert everyone == pytest.approx(min(1, k / ways)), "chance, over all ranks"


def test_the_interval_draws_images():
    images = np.repeat(np.arange(40), 25)
    values = np.repeat(np.arange(40) % 2, 25).astype(float)
    score = bootstrap(values, images)
    assert score.mean == 0.5
    assert 0.3 < score.low < 0.38
    assert 0.62 < score.high < 0.7
