"""The layout ``tuev``: the TUH EEG Events corpus behind the contract of all layouts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.recordings import edf_header
from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.events.corpora import recording_checks, tuev, tuev_files
from eegdiffusion.events.corpora.corpus_reader import CheckedRecording, SampledSignals, SubjectPlace

_SPLIT_OF = {"train": "", "eval": "test"}


@dataclass(frozen=True)
class TuevCorpus:
    """Reader of TUEV; see :class:`.corpus_reader.CorpusReader`."""

    root: Path
    filtering: Filtering
    recipe: ChannelRecipe = tuev.TCP22
    name: str = "TUEV"
    window_s: float = tuev.WINDOW_S
    warnings: list[str] = field(default_factory=list)

    def find_recordings(self) -> tuple[list[Path], list[Problem]]:
        """List the EDF files."""
        return tuev_files.find_recordings(self.root)

    def files_of(self, path: Path) -> list[Path]:
        """List an EDF file and its ``.rec`` file."""
        return [path, tuev.rec_file(self.root / path).relative_to(self.root)]

    def check_file(self, path: Path) -> tuple[list[CheckedRecording], list[Problem]]:
        """Check an EDF file and its ``.rec`` file."""
        recording, problems = recording_checks.check_recording(self.root, path, self.filtering, self.recipe)
        return [recording] if recording else [], problems

    def check_corpus(self, recordings: Sequence[CheckedRecording]) -> list[Problem]:
        """Check recordings against each other."""
        return recording_checks.check_corpus(list(recordings))

    def subjects(self, paths: Sequence[Path], recordings: Sequence[CheckedRecording]) -> list[SubjectPlace]:
        """Return the subjects by their folders; those of ``eval/`` are the test split."""
        places = [tuev_files.subject_of(path) for path in paths]
        return [SubjectPlace(_SPLIT_OF[partition], subject) for partition, subject in places]

    def class_names(self, recordings: Sequence[CheckedRecording]) -> list[str]:
        """Return TUEV's six classes."""
        return tuev.CLASSES

    def events(self, recordings: Sequence[CheckedRecording]) -> pandas.DataFrame:
        """Return the rows of the ``.rec`` files that have a window."""
        rows = [
            {"recording": recording.recording, "row": row, **asdict(event)}
            for recording in recordings
            for row, event in recording_checks.read_usable_events(
                tuev.rec_file(self.root / recording.path), recording, self.filtering
            ).items()
        ]
        return pandas.DataFrame(rows).astype({"channel": "int8", "label": "int8"})

    def sample(self, recording: CheckedRecording) -> SampledSignals:
        """Read segments of the electrodes that the montage needs."""
        header = edf_header.read_header(self.root / recording.path)
        used = tuev.derived_channels(header, self.recipe)
        segments = recording_checks.sample_segments(header, used.rows)
        channels = [tuev.electrode(label) or label for label in header.labels]
        return SampledSignals(segments, header.rates[used.rows[0]], used.recorded, channels)

    def derive(self, path: Path, recording: str, filtering: Filtering) -> np.ndarray:
        """Derive the montage's channels of an EDF file."""
        return tuev.derive(path, filtering, self.recipe)
