"""The recordings of a corpus of EEG events, checked by the reader of its layout."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.runtime.allotment import available_cores
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.events.corpora.corpus_reader import CheckedRecording, CorpusReader


@dataclass(frozen=True)
class CheckedCorpus:
    """A corpus after its checks.

    Attributes:
        recordings: the usable recordings.
        problems: all findings, those of what is not read first.
        total, bad: number of files with recordings, and of those that cannot be used or opened.
    """

    recordings: list[CheckedRecording]
    problems: list[Problem]
    total: int
    bad: int


def check_corpus(reader: CorpusReader, paths: Sequence[Path], unread: Sequence[Problem]) -> CheckedCorpus:
    """Check every recording by itself, and those without an error against each other.

    Args:
        reader: the corpus.
        paths: files of its recordings, relative to the root.
        unread: findings on what is not read, which :meth:`.CorpusReader.find_recordings` gives beside them.
    """
    with ThreadPoolExecutor(min(8, 2 * available_cores())) as pool:
        checked = list(progress(pool.map(reader.check_file, paths), total=len(paths), desc="checking", unit="file"))
    recordings = [recording for recordings_of, _ in checked for recording in recordings_of]
    across = reader.check_corpus(recordings)
    problems = [*unread, *(problem for _, problems_of in checked for problem in problems_of), *across]
    unusable = {problem.path for problem in across}
    usable = [recording for recording in recordings if recording.path not in unusable]
    total = len(paths) + sum(problem.severity == "error" for problem in unread)
    return CheckedCorpus(usable, problems, total, total - len({recording.path for recording in usable}))
