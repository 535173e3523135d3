"""Scores of reconstructed images against the images seen: see :mod:`.reconstruction_scores`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas
import torch
from scipy.special import softmax

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.images.metrics.concept_judge import ConceptJudge
from eegdiffusion.images.metrics.frechet import frechet_distance
from eegdiffusion.images.metrics.identification import correlation_distance, two_way
from eegdiffusion.images.metrics.image_arrays import ImageRows, Images, check_images, resize_images
from eegdiffusion.images.metrics.inception_score import inception_score
from eegdiffusion.images.metrics.low_level import SIDE, low_level
from eegdiffusion.images.metrics.metric_networks import LOGITS, FeatureNetwork
from eegdiffusion.images.metrics.reconstruction_scores import SUBJECT_SETS_COLUMNS, Context, Metric, Scores
from eegdiffusion.images.metrics.semantic_accuracy import n_way_top_k

CONCEPT = "concept"
"""Key of the metric of concepts that a judge names."""

PIXELS = 16
"""Side in pixels of the images whose pixels are the baseline of every number of a network."""

MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "two_way": two_way,
    "correlation_distance": correlation_distance,
}

_PIXEL_METRICS = {
    "two_way": Metric("pixels_two_way", "two-way identification", "two_way", True, 0.5, PIXELS),
    "correlation_distance": Metric(
        "pixels_correlation_distance", "correlation distance", "correlation_distance", False, None, PIXELS
    ),
}
"""Metric of pixels by the name of its measure; of features it is the same but for network, layer and weights."""


def describe_metrics(
    networks: Sequence[FeatureNetwork], ways: int, top: int, judge: ConceptJudge | None = None
) -> list[Metric]:
    """Describe what is measured.

    Args:
        networks: networks whose features compare images.
        ways: number of classes of N-way accuracy.
        top: number of first ranks that count in it.
        judge: classifier of true pictures; None: concepts are not named.

    Returns:
        the metrics, those of pixels first.
    """
    metrics = [
        Metric("pixcorr", "PixCorr", "pixcorr", True, None, SIDE),
        Metric("ssim", "SSIM", "ssim", True, None, SIDE),
        *_PIXEL_METRICS.values(),
    ]
    for network in networks:
        metrics += [
            replace(metric, network=network.name, weights=network.weights, side=network.side)
            for metric in _network_metrics(network, ways, top)
        ]
        if judge and judge.network == network.key:
            title = f"concept named by a classifier of true pictures, of {judge.classes}"
            metric = Metric(CONCEPT, title, "concept", True, 1 / judge.classes, network.side, layer=judge.output)
            metrics.append(replace(metric, network=network.name, weights=network.weights))
    return metrics


def _network_metrics(network: FeatureNetwork, ways: int, top: int) -> Iterator[Metric]:
    """Yield what is measured with a network, by layer; network, weights and side are yet to be set."""
    side = network.side
    for layer in network.layers:
        of_pixels = _PIXEL_METRICS[layer.measure]
        yield replace(of_pixels, key=layer.metric, layer=layer.name, baseline=of_pixels.key)
    if network.classifies:
        key, title, chance = f"n_way_{network.key}", f"{ways}-way top-{top}", top / ways
        yield Metric(key, title, "n_way", True, chance, side, layer=LOGITS, baseline="pixels_two_way")
        key = f"inception_score_{network.key}"
        yield Metric(key, "Inception Score", "inception_score", True, None, side, layer=LOGITS)
    if network.pooled:
        yield Metric(f"frechet_{network.key}", "Fréchet distance", "frechet", False, None, side, layer=network.pooled)


def score_reconstructions(
    seen: np.ndarray,
    arms: Mapping[str, np.ndarray],
    items: pandas.DataFrame,
    networks: Sequence[FeatureNetwork],
    context: Context,
    ways: int = 50,
    top: int = 1,
    device: torch.device | str = "cpu",
    judge: ConceptJudge | None = None,
    by_subject: bool = False,
) -> Scores:
    """Score reconstructions.

    Every sample is scored by itself, in rounds that hold one sample of each item, and an item's score is the mean over
    its samples, as ATM's evaluation does. A subject's images are compared among themselves in two-way identification,
    so that N is the number of test images. Inception Score and Fréchet distance take all images of an arm at once;
    the Fréchet distance is to the images seen, each once.

    Args:
        seen: (items, height, width, 3) uint8, the image that each item shows. These and those of the arms may be
            memory-mapped: they are read a few at a time.
        arms: (items, samples, height, width, 3) uint8 by name of the arm; numbers of samples may differ.
        items: table of ``subject`` and ``image``, and ``concept`` where there is a judge; a row for each item.
        networks: networks of ``eegdiffusion.images.metrics.metric_networks.load_networks``.
        context: how the images were made.
        ways: number of classes of N-way accuracy.
        top: number of first ranks that count in it.
        device: device on which pixels are compared.
        judge: classifier of true pictures, of the features of one of the networks; None: concepts are not named.
        by_subject: whether the Inception Score is also taken of each subject's images by themselves, as papers have it
            of models that were trained on other subjects.

    Raises:
        InputError: shapes that do not fit, an item that is there twice, or a subject with fewer than two test images.
    """
    concepts = items["concept"].to_numpy(str) if judge else np.empty(0, str)
    items = items[["subject", "image"]].reset_index(drop=True)
    _check(seen, arms, items)
    rounds = [
        (arm, sample, rows)
        for arm, images in arms.items()
        for sample in range(images.shape[1])
        for rows in items.groupby("subject").indices.values()
    ]
    subject_of_round = [(arm, str(items["subject"].iloc[rows[0]])) for arm, _, rows in rounds]
    tables: list[pandas.DataFrame] = []
    sets: list[dict] = []
    of_subjects: list[dict] = []

    def images_of(arm: str, sample: int, rows: np.ndarray) -> ImageRows:
        return ImageRows(arms[arm][:, sample], rows)

    def take(arm: str, sample: int, rows: np.ndarray, metric: str, values: np.ndarray) -> None:
        tables.append(items.iloc[rows].assign(arm=arm, metric=metric, sample=sample, value=values))

    with progress(total=len(rounds) * (1 + len(networks)), desc="scores", unit="round") as bar:
        for arm, sample, rows in rounds:
            for metric, values in _pixels(ImageRows(seen, rows), images_of(arm, sample, rows), device):
                take(arm, sample, rows, metric, values)
            bar.update()
        _, first, position = np.unique(items["image"], return_index=True, return_inverse=True)
        for network in networks:
            gallery = network.outputs(ImageRows(seen, first))
            by_arm: dict[str, list[dict[str, np.ndarray]]] = {arm: [] for arm in arms}
            for arm, sample, rows in rounds:
                outputs = network.outputs(images_of(arm, sample, rows))
                for layer in network.layers:
                    pair = gallery[layer.output][position[rows]], outputs[layer.output]
                    take(arm, sample, rows, layer.metric, MEASURES[layer.measure](*pair))
                if network.classifies:
                    values = n_way_top_k(gallery[LOGITS][position[rows]], outputs[LOGITS], ways, top)
                    take(arm, sample, rows, f"n_way_{network.key}", values)
                if judge and judge.network == network.key:
                    take(arm, sample, rows, CONCEPT, judge.names(outputs, concepts[rows]))
                kept = (name for name in (LOGITS, network.pooled) if name in outputs)
                by_arm[arm].append({name: outputs[name] for name in kept})
                bar.update()
            sets += [row for arm, parts in by_arm.items() for row in _sets(network, arm, parts, gallery)]
            of_subjects += _inception_of_subjects(network, subject_of_round, by_arm)
    columns = ["arm", "metric", "subject", "image", "sample", "value"]
    return Scores(
        context=context,
        metrics={metric.key: metric for metric in describe_metrics(networks, ways, top, judge)},
        values=pandas.concat(tables, ignore_index=True)[columns],
        sets=pandas.DataFrame(sets, columns=["arm", "metric", "pictures", "value"]),
        picture=seen.shape[1:3],
        subject_sets=pandas.DataFrame(of_subjects if by_subject else [], columns=SUBJECT_SETS_COLUMNS),
    )


def _pixels(seen: Images, reconstructed: Images, device: torch.device | str):
    """Yield metrics of pixels and their values."""
    yield from low_level(seen, reconstructed, device).items()
    small = [resize_images(images, PIXELS).flatten(1).numpy() for images in (seen, reconstructed)]
    for kind, measure in MEASURES.items():
        yield f"pixels_{kind}", measure(*small)


def _sets(network: FeatureNetwork, arm: str, parts: list[dict[str, np.ndarray]], gallery: dict[str, np.ndarray]):
    """Yield metrics of all images of an arm."""
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if LOGITS in outputs:
        value = inception_score(softmax(outputs[LOGITS].astype(np.float64), axis=1))
        yield {"arm": arm, "metric": f"inception_score_{network.key}", "pictures": len(outputs[LOGITS]), "value": value}
    if network.pooled:
        features = outputs[network.pooled]
        value = frechet_distance(gallery[network.pooled], features)
        yield {"arm": arm, "metric": f"frechet_{network.key}", "pictures": len(features), "value": value}


def _inception_of_subjects(
    network: FeatureNetwork,
    subject_of_round: Sequence[tuple[str, str]],
    by_arm: Mapping[str, Sequence[Mapping[str, np.ndarray]]],
) -> Iterator[dict]:
    """Yield the Inception Score of each arm and subject, over all samples of the subject's images.

    Args:
        network: network that may classify.
        subject_of_round: arm and subject of each round.
        by_arm: outputs of the network for the images of each round of an arm, in their order.
    """
    for arm, parts in by_arm.items() if network.classifies else ():
        subjects = np.array([subject for name, subject in subject_of_round if name == arm])
        for subject in np.unique(subjects):
            chosen = [part[LOGITS] for part, known in zip(parts, subjects, strict=True) if known == subject]
            logits = np.concatenate(chosen).astype(np.float64)
            key, value = f"inception_score_{network.key}", inception_score(softmax(logits, axis=1))
            yield {"arm": arm, "metric": key, "subject": str(subject), "pictures": len(logits), "value": value}


def _check(seen: np.ndarray, arms: Mapping[str, np.ndarray], items: pandas.DataFrame) -> None:
    check_images("seen", seen)
    if len(items) != len(seen):
        raise InputError(f"items: must be a row for each of {len(seen)} pictures seen (found {len(items)})")
    if items.duplicated().any():
        subject, image = items[items.duplicated()].iloc[0]
        raise InputError(f"items: each must be there once (found image {image} of {subject} twice)")
    few = items.groupby("subject").size()
    if (few < 2).any():
        raise InputError(f"items: must be two test images or more of each subject (found {few.idxmin()} with 1)")
    if not arms:
        raise InputError("arms: must be one or more (found none)")
    for arm, images in arms.items():
        fits = images.dtype == np.uint8 and images.ndim == 5 and images.shape[1] > 0
        if not fits or (len(images), *images.shape[2:]) != seen.shape:
            count, *shape = seen.shape
            wanted = f"({count}, samples, {', '.join(map(str, shape))})"
            raise InputError(f"arms: {arm}: must be uint8 {wanted} (found {images.dtype} {images.shape})")
