"""The layout ``annotations``: a folder of recordings that carry their own annotations, those of EDF+ or MNE's.

The subject is the first folder of a recording, or the beginning of its name up to ``_``; folders called train, dev or
eval above that give the split.
"""

from dataclasses import dataclass, field
from pathlib import Path

from eegdiffusion.core.recordings.recording_copies import files_of, first_parts, is_not_continuous
from eegdiffusion.core.recordings.recording_files import OTHER_FORMATS, ending_of, find_files
from eegdiffusion.core.recordings.scalp_recording import open_scalp_recording
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.events.corpora.corpus_reader import SubjectPlace
from eegdiffusion.events.corpora.given_splits import split_of_folder
from eegdiffusion.events.corpora.labelled_corpus import AnnotatedRecording
from eegdiffusion.events.corpora.recorded_signals import annotated_recording, annotations_of

ENDINGS = (".edf", ".bdf", ".vhdr", ".set", ".fif", ".fif.gz")
"""Endings of the files that are read."""


@dataclass(frozen=True)
class AnnotationsLayout:
    """See :class:`.labelled_corpus.AnnotatedLayout`."""

    name: str = "annotated recordings"
    warnings: list[str] = field(default_factory=list)

    def find(self, root: Path) -> tuple[list[Path], list[Problem]]:
        """List the recordings of any format that is read, and warn of the others."""
        others = tuple(ending for ending in OTHER_FORMATS if ending not in ENDINGS)
        files, problems = find_files(root, lambda name: ending_of(name, (*ENDINGS, *others)) is not None)
        paths = [path for path in files if ending_of(path.name, ENDINGS)]
        rule = f"is of a format that is not read: {', '.join(ENDINGS)} are"
        unread = [path for path in files if path not in set(paths)]
        paths, headless = first_parts(root, paths)
        averaged = [path for path in paths if is_not_continuous(root / path)]
        what = "is no continuous recording, such as MNE's epochs and averages"
        problems += [Problem(path.as_posix(), "files", "path", what, "warning") for path in averaged]
        paths = [path for path in paths if path not in set(averaged)]
        return paths, problems + headless + [
            Problem(path.as_posix(), "files", "path", rule, "warning") for path in unread
        ]

    def files_of(self, root: Path, path: Path) -> list[Path]:
        """List the files that a recording consists of."""
        return [file.relative_to(root) for file in files_of(root / path)]

    def place(self, path: Path) -> SubjectPlace:
        """Return the subject and the split by folder and name."""
        split, below = split_of_folder(path)
        name = below.parts[0] if len(below.parts) > 1 else below.stem.partition("_")[0]
        return SubjectPlace(split, name)

    def open(self, root: Path, path: Path) -> list[AnnotatedRecording]:
        """Open a recording with its annotations."""
        recording = open_scalp_recording(root / path, None)
        return [annotated_recording(recording, self.place(path), annotations_of(root / path))]
