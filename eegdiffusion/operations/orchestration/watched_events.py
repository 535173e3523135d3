"""Corpora of EEG events as the watch sees them: checked by the reader of their layout, as ingestion does."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.events.corpora.checked_corpus import check_corpus
from eegdiffusion.events.corpora.corpus_reader import CheckedRecording, CorpusReader
from eegdiffusion.events.corpora.event_corpus import EventCorpus, Ingestion
from eegdiffusion.events.corpora.layouts import open_corpus
from eegdiffusion.operations.orchestration.permutation_drift import Profile, profile
from eegdiffusion.operations.orchestration.watched_corpus import CheckedContent, OpenedCorpus, Share


@dataclass(frozen=True)
class WatchedEvents:
    """See :class:`.watched_corpus.WatchedCorpus`.

    Attributes:
        name: name of the entry.
        entry: the entry of ``event_corpora``.
        recipe: how the channels of its montage follow from those of its recordings.
        filtering: how its recordings will be filtered.
        rules: by which they are accepted.
    """

    name: str
    entry: EventCorpus
    recipe: ChannelRecipe
    filtering: Filtering
    rules: Ingestion
    section: str = "event_corpora"

    @property
    def root(self) -> Path:
        """Folder of the corpus."""
        return Path(self.entry.root)

    @property
    def layout(self) -> str:
        """Layout of its files."""
        return self.entry.layout

    def open(self) -> OpenedCorpus:
        """Find the recordings, and the files that decide each."""
        reader = open_corpus(self.entry, self.filtering, self.recipe)
        paths, unread = reader.find_recordings()
        files = {path.as_posix(): [file.as_posix() for file in reader.files_of(path)] for path in paths}
        return OpenedCorpus(files, [], unread, partial(self._check, reader, paths, unread))

    def _check(self, reader: CorpusReader, paths: list[Path], unread: list[Problem]) -> CheckedContent:
        checked = check_corpus(reader, paths, unread)
        share = Share("recordings", checked.bad, checked.total, self.rules.max_bad_fraction)
        parts: dict[str, list[CheckedRecording]] = {}
        for recording in checked.recordings:
            parts.setdefault(recording.path, []).append(recording)
        profiles = {path: partial(_profiles, reader, recordings) for path, recordings in parts.items()}
        return CheckedContent(checked.problems, [share], profiles)


def _profiles(reader: CorpusReader, recordings: list[CheckedRecording]) -> list[Profile]:
    samples = map(reader.sample, recordings)
    return [
        profile(sample.segments, sample.sfreq, recording.subject, sample.electrodes, sample.channels)
        for recording, sample in zip(recordings, samples, strict=True)
    ]
