"""What retrieval scores owe to their protocol: layer, electrodes, repetitions, inference and selection, by ridge."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from eegdiffusion.core.statistics.retrieval import csls, ranks, ranks_among, similarities
from eegdiffusion.images.encoders.protocol_choices import INDUCTIVE, TRANSDUCTIVE
from eegdiffusion.images.encoders.ridge import RidgeEpochs, by_image
from eegdiffusion.images.epochs.image_pairs import ALL, Pairs
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs

REPETITIONS = (1, 4, 20, 80)
"""Numbers of repetitions of a test image that are averaged; what exceeds a subject's stands for all of them."""

POSTERIOR = re.compile(r"(P|PO|O)(z|\d+)", re.IGNORECASE)
"""Names of the parietal and occipital electrodes, 17 in THINGS-EEG2, that many papers use alone."""

FEWEST = 4
"""Least number of posterior electrodes that are tested apart."""


@dataclass(frozen=True)
class _Epochs:
    """Epochs of a subject that ridge regressions are fitted to and tested on, by number of averaged repetitions."""

    train: PairedEpochs
    validation: PairedEpochs
    test: dict[int, PairedEpochs]


def _read(pairs: Pairs, subject: str) -> _Epochs:
    available = pairs.repetitions(subject)
    counts = sorted({min(count, available) for count in REPETITIONS})
    test = {count: pairs.part("test", count, [subject], draws=1) for count in counts}
    return _Epochs(pairs.part("train", ALL), pairs.part("validation", ALL), test)


def electrode_groups(channels: Sequence[str]) -> dict[int, np.ndarray]:
    """Return the indices of the posterior electrodes and of all, by their number; of all alone where these are few."""
    posterior = np.flatnonzero([POSTERIOR.fullmatch(name) is not None for name in channels])
    groups = {len(channels): np.arange(len(channels))}
    return ({len(posterior): posterior} if len(posterior) >= FEWEST else {}) | groups


def sheet_of_subject(
    pairs: Pairs, subject: str, layers: Mapping[str, np.ndarray], alphas: Sequence[float]
) -> pandas.DataFrame:
    """Test ridge regressions of one subject under all combinations of the protocol's choices.

    Args:
        pairs: epochs whose training subject is this one, and ``identity`` of each image.
        subject: name of the subject.
        layers: (images, width) activations of each layer, of which the training images' mean is taken.
        alphas: penalties.

    Returns:
        a row for each combination and test image: ``subject``, ``electrodes`` (number), ``layer``, ``alpha``,
        ``repetitions``, ``inference``, ``image``, ``hit`` (whether it is the most similar), and ``validation_rank``
        (mean rank on the validation split, less is better), which is the combination's of the first four.
    """
    epochs, rows = _read(pairs, subject), []
    for count, chosen in electrode_groups(pairs.store.description.channels).items():
        ridge = RidgeEpochs(epochs.train, chosen)
        for layer, features in layers.items():
            centred = features - features[np.unique(epochs.train.table["image"])].mean(0)
            projection = ridge.project(by_image(centred))
            for alpha in alphas:
                fit = ridge.fit(projection, alpha)
                rank = _validation_rank(ridge.predict(fit, epochs.validation), centred, epochs.validation)
                for repetitions, test in epochs.test.items():
                    for inference, hit in _hits(ridge.predict(fit, test), centred, test).items():
                        rows.append(
                            pandas.DataFrame(
                                {
                                    "subject": subject,
                                    "electrodes": count,
                                    "layer": layer,
                                    "alpha": alpha,
                                    "repetitions": repetitions,
                                    "inference": inference,
                                    "image": test.table["image"].to_numpy(),
                                    "hit": hit,
                                    "validation_rank": rank,
                                }
                            )
                        )
    return pandas.concat(rows, ignore_index=True)


def _validation_rank(predicted: np.ndarray, features: np.ndarray, validation: PairedEpochs) -> float:
    identity = validation.values("identity")
    rank = ranks(predicted, features[validation.table["image"]], identity)
    return float(rank.mean()) / max(1, len(np.unique(identity)) - 1)


def _hits(predicted: np.ndarray, features: np.ndarray, test: PairedEpochs) -> dict[str, np.ndarray]:
    """Tell of each test image whether it is the most similar, by inference: inductive or with CSLS."""
    _, first, column = np.unique(test.values("identity"), return_index=True, return_inverse=True)
    similarity = similarities(predicted, features[test.table["image"].to_numpy()[first]])
    scores = {INDUCTIVE: similarity, TRANSDUCTIVE: csls(similarity)}
    return {inference: ranks_among(score, column) == 0 for inference, score in scores.items()}
