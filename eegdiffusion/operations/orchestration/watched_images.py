"""Corpora of images and EEG as the watch sees them: checked by the reader of their layout, as ingestion does."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.epoching import Epoching
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.images.corpora import image_checks, things_eeg2
from eegdiffusion.images.corpora.corpus_layouts import ImageCorpus, open_corpus
from eegdiffusion.images.corpora.image_corpus import Block, Corpus
from eegdiffusion.images.corpora.image_ingestion import Ingestion
from eegdiffusion.images.corpora.subject_epochs import EpochCutting, usable_blocks
from eegdiffusion.operations.orchestration.permutation_drift import Profile, profile
from eegdiffusion.operations.orchestration.watched_corpus import CheckedContent, OpenedCorpus, Share, name_in

SAMPLED_TRIALS = 15
"""Trials of a recording whose signals are compared, spread over it."""

SAMPLED_S = (2.0, 1.0, 0.5, 0.4, 0.2)
"""Seconds from the onset that are compared: the first that trials have."""


@dataclass(frozen=True)
class WatchedImages:
    """See :class:`.watched_corpus.WatchedCorpus`.

    Attributes:
        name: name of the entry.
        entry: the entry of ``image_corpora``.
        cutting: how its epochs will be cut.
        rules: by which images and subjects are accepted.
    """

    name: str
    entry: ImageCorpus
    cutting: Epoching
    rules: Ingestion
    section: str = "image_corpora"

    @property
    def root(self) -> Path:
        """Folder of the corpus."""
        return Path(self.entry.root)

    @property
    def layout(self) -> str:
        """Layout of its files."""
        return self.entry.layout

    def open(self) -> OpenedCorpus:
        """Find the files of each subject, and those of the images."""
        corpus = open_corpus(self.entry)
        files = {subject: [name_in(self.root, path) for path in paths] for subject, paths in corpus.files.items()}
        images = [name_in(self.root, Path(file)) for file in corpus.images["file"].dropna()]
        listings = [name_in(self.root, path) for path in corpus.listings]
        return OpenedCorpus(files, images + listings, corpus.problems, partial(self._check, corpus))

    def _check(self, corpus: Corpus) -> CheckedContent:
        files = corpus.images["file"]
        known = [file is not None and Path(file).is_file() for file in files]
        absent = image_checks.check_files(corpus.images.assign(sha256=np.where(known, files, None)))
        problems = [*corpus.problems, *absent]
        profiles: dict[str, Callable[[], list[Profile]]] = {}
        blocks: dict[str, list[Block]] = {}
        cutting = EpochCutting(self.cutting, self.rules.repetitions, self.rules.seed, None, things_eeg2.CHANNELS)
        for subject in corpus.files:
            try:
                read = corpus.read(subject)
                problems += [problem for block in read for problem in block.problems]
                blocks[subject], channels, left_out = usable_blocks(read, cutting)
            except InputError as error:
                problems.append(Problem(subject, "subject", "epochs", str(error)))
                continue
            problems += left_out
            cutting = EpochCutting(
                self.cutting, self.rules.repetitions, self.rules.seed, channels, things_eeg2.CHANNELS
            )
        for subject, usable in blocks.items():
            profiles |= {block.source: partial(_profiles, subject, block) for block in usable}
        missing = sum(problem.severity == "error" for problem in absent)
        allowed = self.rules.max_bad_fraction
        total = len(corpus.files)
        shares = [
            Share("subjects", total - len(blocks), total, allowed),
            Share("images", missing, len(files), allowed),
        ]
        return CheckedContent(problems, shares, profiles)


def _profiles(subject: str, block: Block) -> list[Profile]:
    """Describe a block by the signals from the onset of some of its trials on.

    Raises:
        InputError: a sample is no number.
    """
    if block.times is not None:
        length = len(block.times)
        whole = np.arange(len(block.image))
    else:
        lengths = [round(seconds * block.sfreq) for seconds in SAMPLED_S]
        inside = {samples: np.flatnonzero(block.trials.inside(0, samples)) for samples in lengths}
        length = next((samples for samples in lengths if len(inside[samples])), lengths[-1])
        whole = inside[length]
    if not len(whole):
        return []
    chosen = whole[np.unique(np.linspace(0, len(whole) - 1, SAMPLED_TRIALS).astype(int))]
    signals = np.asarray(block.trials.read(chosen, 0, length), np.float64)
    if not np.isfinite(signals).all():
        raise InputError(f"{block.source}: signals: must be finite (found NaN or infinity)")
    return [profile(signals, block.sfreq, subject, block.channels, block.channels)]
