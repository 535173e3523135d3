"""Ways to adapt an aligned encoder to a new subject, each chosen by the subject's validation blocks.

The encoder as it stands and a ridge regression of this subject's samples alone are among them: an adaptation that is no
better than the first is of no use, and one that is no better than the second owes nothing to the model.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eegdiffusion.core.statistics.retrieval import ranks
from eegdiffusion.core.storage.batched_dataset import BatchedDataset
from eegdiffusion.core.training.inference import ArrayDataset, batched
from eegdiffusion.images.adaptation.adapted_encoder import AdaptedEncoder
from eegdiffusion.images.adaptation.method_names import ALONE, RIDGE, SUBJECT_LAYER, UNSEEN
from eegdiffusion.images.adaptation.subject_blocks import BlockSplit, Rows
from eegdiffusion.images.encoders.alignment import nt_xent
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.ridge import RidgeEpochs, select_ridge

ALPHAS = [0.01, 0.1, 1.0, 10.0, 100.0]
"""Penalties that ridge regressions choose from; see :meth:`eegdiffusion.images.encoders.ridge.RidgeEpochs.fit`."""

RATES, STEPS, EVERY, PATIENCE, BATCH = (1e-3, 1e-2), 600, 20, 5, 128
"""Learning rates that a subject's layer chooses from; most steps of its training, steps from a validation to the next,
validations without gain that end it, and epochs of a step."""

SCALE = 1 / 0.07
"""Inverse temperature of the contrastive loss."""


@dataclass(frozen=True)
class Candidate:
    """A method with the setting that is best on the validation blocks.

    Attributes:
        method: one of :data:`MEANING`.
        setting: what was chosen, in words.
        validation_rank: mean rank of the image seen among those of the validation blocks, as a share; by chance 0.5.
        fit: fits the method with this setting to other epochs: to those of all blocks, once it is chosen.
    """

    method: str
    setting: str
    validation_rank: float
    fit: Callable[[Rows], AdaptedEncoder]


def embed(encoder: torch.nn.Module, data: BatchedDataset) -> np.ndarray:
    """Embed epochs, (epochs, width) float32."""
    return batched(lambda batch: encoder(batch["eeg"]).float(), data, BATCH).numpy()


def mean_rank(predicted: np.ndarray, data: Rows) -> float:
    """Return the mean rank of the image seen among the images of a dataset, as a share of the other images."""
    identity = data.values("identity")
    rank = ranks(predicted, data.values("features"), identity)
    return float(rank.mean()) / max(1, len(np.unique(identity)) - 1)


def candidates(encoder: EEGEncoder, split: BlockSplit, seed: int = 0) -> list[Candidate]:
    """Choose the setting of each method by the validation blocks.

    Args:
        encoder: aligned encoder, in evaluation mode.
        split: epochs of the subject.
        seed: seed of the order of epochs in training.

    Returns:
        a candidate of each method, in the order of :data:`MEANING`.
    """
    own, parameter = own_input_layer(encoder)
    layered = [_unseen(encoder, split)]
    if parameter is not None:
        layered.append(_subject_layer(own, split, seed))
    return [*layered, _ridge(encoder, split), _alone(split)]


def choose(listed: list[Candidate]) -> Candidate:
    """Return the candidate with the least rank on the validation blocks; of equal ones the first."""
    return min(listed, key=lambda candidate: candidate.validation_rank)


def _unseen(encoder: EEGEncoder, split: BlockSplit) -> Candidate:
    model = AdaptedEncoder(encoder)
    return Candidate(UNSEEN, "", mean_rank(embed(model, split.validation), split.validation), lambda _: model)


def own_input_layer(encoder: EEGEncoder) -> tuple[EEGEncoder, torch.nn.Parameter | None]:
    """Return a copy of an encoder whose input layer is a subject's own, and that layer's parameter.

    It begins as that of a subject whom training has not seen. The copy knows one subject, and so takes whoever is given
    for this one. An encoder with subjects' tokens (ATM) has one token in place of a matrix.
    """
    sizes = dict(encoder.config)
    # What is not an argument of the class is of the library that wrote the configuration.
    arguments = {name: value for name, value in sizes.items() if not name.startswith("_")}
    own = type(encoder)(**arguments | {"n_subjects": 1, "unseen": "mean", "routed_subjects": 0})
    known, fresh = encoder.state_dict(), own.state_dict()
    own.load_state_dict(
        {
            name: known[name] if name in known and known[name].shape == fresh[name].shape else fresh[name]
            for name in fresh
        }
    )
    with torch.no_grad():
        if own.subject_layer is not None:
            parameter: torch.nn.Parameter | None = own.subject_layer.mixing
            if encoder.subject_layer is not None:
                size = len(encoder.subject_layer.mixing[0])
                own.subject_layer.mixing[0] = encoder.subject_layer(torch.eye(size), None)
        elif isinstance(tokens := getattr(own, "subject_tokens", None), torch.nn.Parameter):
            parameter = tokens
            tokens[0] = encoder._token(torch.zeros(1), None)[0]  # type: ignore[operator]
        else:
            parameter = None
    own.requires_grad_(False)
    return own.eval(), parameter


def _train(own: EEGEncoder, parameter: torch.nn.Parameter, data: Rows, rate: float, seed: int) -> Iterator[None]:
    """Train a subject's layer without end; yield after each step."""
    draw, count = np.random.default_rng(seed), len(data)
    parameter.requires_grad_(True)
    optimiser = torch.optim.Adam([parameter], rate)
    while True:
        order = draw.permutation(count)
        for k in range(0, max(1, count - 1), BATCH):  # one epoch alone has nothing to be told from
            rows = order[k : k + BATCH].tolist()
            batch = {name: torch.from_numpy(values) for name, values in data.__getitems__(rows).items()}
            loss: Tensor = nt_xent(own(batch["eeg"], None), batch["features"], batch["identity"], SCALE)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield


def _own_layer(own: EEGEncoder) -> tuple[EEGEncoder, torch.nn.Parameter]:
    copy = deepcopy(own)
    parameter = copy.subject_layer.mixing if copy.subject_layer is not None else copy.subject_tokens
    assert isinstance(parameter, torch.nn.Parameter)
    return copy, parameter


def _subject_layer(own: EEGEncoder, split: BlockSplit, seed: int) -> Candidate:
    best = (mean_rank(embed(AdaptedEncoder(own), split.validation), split.validation), RATES[0], 0)
    for rate in RATES:
        trained, parameter = _own_layer(own)
        training, without_gain, least = _train(trained, parameter, split.train, rate, seed), 0, np.inf
        for done in range(EVERY, STEPS + 1, EVERY):
            for _ in range(EVERY):
                next(training)
            reached = mean_rank(embed(AdaptedEncoder(trained), split.validation), split.validation)
            without_gain = 0 if reached < least else without_gain + 1
            least = min(least, reached)
            if reached < best[0]:
                best = reached, rate, done
            if without_gain == PATIENCE:
                break
    reached, rate, steps = best

    def fit(data: Rows) -> AdaptedEncoder:
        trained, parameter = _own_layer(own)
        training = _train(trained, parameter, data, rate, seed)
        for _ in range(steps):
            next(training)
        return AdaptedEncoder(trained.requires_grad_(False)).eval()

    return Candidate(SUBJECT_LAYER, f"{steps} steps at rate {rate:g}", reached, fit)


def _ridge(encoder: EEGEncoder, split: BlockSplit) -> Candidate:
    """Map embeddings of length 1 to features; what is fitted is the difference from the embeddings themselves."""

    def embedded(data: Rows) -> tuple[ArrayDataset, float]:
        embedding = embed(encoder, data)
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True).clip(1e-12)
        features = data.values("features")
        return ArrayDataset(eeg=embedding[:, None], features=features), float(np.linalg.norm(features, axis=1).mean())

    def shrunk_fit(train: ArrayDataset, radius: float, alpha: float, ridge: RidgeEpochs | None = None):
        ridge = ridge or RidgeEpochs(train)
        projection = ridge.project(lambda items: items["features"] - radius * items["eeg"][:, 0])
        head = ridge.encoder(ridge.fit(projection, alpha))
        with torch.no_grad():
            head.map.weight += radius * torch.eye(len(head.map.weight))
        return head

    train, radius = embedded(split.train)
    validation, _ = embedded(split.validation)
    ridge = RidgeEpochs(train)
    reached = {
        alpha: mean_rank(embed(shrunk_fit(train, radius, alpha, ridge), validation), split.validation)
        for alpha in ALPHAS
    }
    alpha = min(reached, key=lambda key: reached[key])

    def fit(data: Rows) -> AdaptedEncoder:
        return AdaptedEncoder(encoder, shrunk_fit(*embedded(data), alpha)).eval()

    return Candidate(RIDGE, f"penalty {alpha:g}", reached[alpha], fit)


def _alone(split: BlockSplit) -> Candidate:
    def loss(predicted: np.ndarray) -> float:
        return mean_rank(predicted, split.validation)

    selected = select_ridge(split.train, lambda items: items["features"], split.validation, ALPHAS, loss)

    def fit(data: Rows) -> AdaptedEncoder:
        ridge = RidgeEpochs(data)
        fitted = ridge.fit(ridge.project(lambda items: items["features"]), selected.alpha)
        return AdaptedEncoder(ridge.encoder(fitted)).eval()

    return Candidate(ALONE, f"penalty {selected.alpha:g}", selected.loss, fit)
