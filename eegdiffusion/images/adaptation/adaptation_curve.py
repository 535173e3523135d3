"""Retrieval of a new subject's test images against the minutes of EEG that a model was adapted to."""

from dataclasses import asdict, dataclass

import numpy as np
import pandas

from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.statistics.retrieval import bootstrap, ranks_among, similarities, top_k
from eegdiffusion.images.adaptation.adaptation_methods import Candidate, candidates, choose, embed
from eegdiffusion.images.adaptation.adapted_encoder import AdaptedEncoder
from eegdiffusion.images.adaptation.subject_blocks import SubjectBlocks
from eegdiffusion.images.encoders.eeg_encoder import EEGEncoder
from eegdiffusion.images.encoders.encoder_results import TOP_K
from eegdiffusion.images.encoders.image_retrieval import Gallery

SCORES = [f"top{k}" for k in TOP_K]


@dataclass(frozen=True)
class CurvePoint:
    """A method fitted to the first blocks of a subject, and its test.

    Attributes:
        minutes: minutes of EEG, those of the validation blocks among them.
        epochs: number of epochs in them.
        method: see :data:`eegdiffusion.images.adaptation.adaptation_methods.MEANING`.
        setting: setting of the method, which the validation blocks chose.
        validation_rank: mean rank of the image seen in the validation blocks, as a share.
        chosen: whether the validation blocks chose this method among all.
    """

    minutes: float
    epochs: int
    method: str
    setting: str
    validation_rank: float
    chosen: bool


@dataclass(frozen=True)
class AdaptationCurve:
    """Outcome of an adaptation.

    Attributes:
        table: a row for each method and number of minutes: the fields of :class:`CurvePoint`, and of each score mean
            and interval over test images, ``top1``, ``top1_low``, ``top1_high`` ...
        model: the model that the validation blocks chose, fitted to all blocks.
        chosen: its candidate.
        images: number of test images.
        repetitions: number of repetitions that a test epoch averages.
    """

    table: pandas.DataFrame
    model: AdaptedEncoder
    chosen: Candidate
    images: int
    repetitions: int

    @property
    def row(self) -> pandas.Series:
        """Row of the table that is the model's."""
        return self.table[self.table["chosen"]].iloc[-1]

    @property
    def chance(self) -> dict[str, float]:
        """Each score by chance."""
        return {f"top{k}": min(1.0, k / self.images) for k in TOP_K}


def points(blocks: int) -> list[int]:
    """Return the numbers of blocks of a curve: doubled from two on, and all of them."""
    counts = []
    count = 2
    while count < blocks:
        counts.append(count)
        count *= 2
    return [*counts, blocks]


def adapt(encoder: EEGEncoder, subject: SubjectBlocks, blocks: int) -> AdaptationCurve:
    """Adapt an encoder to growing numbers of a subject's first blocks, and test it on the corpus's test images.

    Methods and their settings are chosen by the last of the blocks; each is then fitted to all of them. The test images
    choose nothing.

    Args:
        encoder: aligned encoder, in evaluation mode.
        subject: blocks of the subject.
        blocks: number of blocks that are used at most.
    """
    gallery, rows = Gallery(subject.pairs), []
    for count in progress(points(blocks), desc=f"adapting to {subject.subject}", unit="point"):
        split = subject.first(count)
        listed = candidates(encoder, split)
        chosen = choose(listed)
        for candidate in listed:
            fitted = candidate.fit(split.all)
            point = CurvePoint(
                minutes=subject.minutes(count),
                epochs=len(split.all),
                method=candidate.method,
                setting=candidate.setting,
                validation_rank=candidate.validation_rank,
                chosen=candidate is chosen,
            )
            rows.append(asdict(point) | score(fitted, subject, gallery))
            if candidate is chosen:
                model = fitted
    repetitions = subject.pairs.repetitions(subject.subject)
    return AdaptationCurve(pandas.DataFrame(rows), model, chosen, len(gallery.images), repetitions)


def score(model: AdaptedEncoder, subject: SubjectBlocks, gallery: Gallery) -> dict[str, float]:
    """Retrieve the test images: mean and 95 % interval over images of each score."""
    image = subject.test.table["image"].to_numpy()
    similarity = similarities(embed(model, subject.test), gallery.features)
    rank, count = ranks_among(similarity, gallery.positions(image)), len(gallery.images)
    scores: dict[str, float] = {}
    for k in TOP_K:
        mean = bootstrap(np.asarray(top_k(rank, count, count, k)), image)
        scores |= {f"top{k}": mean.mean, f"top{k}_low": mean.low, f"top{k}_high": mean.high}
    return scores
