"""The recordings behind a result, with the SHA-256 of each: what ingestion wrote down, or the files themselves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.operations.lineage.cached_outputs import CachedOutputs
from eegdiffusion.operations.lineage.locked_graph import LockedGraph, LockedPath, LockedStage

INGESTION = ("ingest_events", "ingest_images")
"""Stages that read a corpus first."""


@dataclass(frozen=True)
class HashedRecording:
    """A recording of a corpus.

    Attributes:
        recording: its name in the corpus; of EEG of seen images, the path of its file.
        path: path of its file, relative to the corpus.
        sha256: of the file, or of the part of a file that holds several recordings.
        split: ``train``, ``validation`` or ``test``; None where splits are not of recordings, but of images.
        duration_s: seconds; None where the index does not say it.
    """

    recording: str
    path: str
    sha256: str
    split: str | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class LockedCorpus:
    """A corpus as it was when it was ingested.

    Attributes:
        entry: its entry of ``event_corpora`` or ``image_corpora``.
        root: where it lay, with DVC's hash.
        stage: the stage that ingested it.
        recordings: its usable recordings, in the order of the index; None where they were not asked for.
    """

    entry: str
    root: LockedPath
    stage: str
    recordings: list[HashedRecording] | None


def locked_corpora(
    graph: LockedGraph, cache: CachedOutputs, hash_now: Callable[[Path], str], recordings: bool = True
) -> Iterator[LockedCorpus]:
    """Yield the corpora that a graph begins with.

    Args:
        graph: graph of the stages behind a result.
        cache: DVC's cache.
        hash_now: function that returns DVC's hash of a folder as it is now.
        recordings: whether the recordings are wanted.

    Raises:
        InputError: the index that was made then cannot be had, or, of EEG of seen images, the corpus was changed since.
    """
    for stage in graph.stages.values():
        if stage.component not in INGESTION:
            continue
        root = _root(stage)
        read = _event_recordings if stage.component == "ingest_events" else _image_recordings
        listed = read(stage, root, cache, hash_now) if recordings else None
        yield LockedCorpus(stage.name.partition("@")[2], root, stage.name, listed)


def _root(stage: LockedStage) -> LockedPath:
    if len(stage.data) != 1:
        listed = ", ".join(data.path for data in stage.data) or "none"
        raise InputError(f"dvc.lock: {stage.name}: deps: must hold one corpus besides code (found {listed})")
    return stage.data[0]


def _event_recordings(
    stage: LockedStage, root: LockedPath, cache: CachedOutputs, hash_now: Callable[[Path], str]
) -> list[HashedRecording]:
    """Read the recordings from the index that the stage wrote, as the cache has it."""
    (index,) = stage.outputs
    columns = ["recording", "path", "sha256", "split", "duration_s"]
    table = read_parquet(cache.file_in(index, "recordings.parquet"), columns=columns)
    return [HashedRecording(**row) for row in table.to_dict("records")]


def _image_recordings(
    stage: LockedStage, root: LockedPath, cache: CachedOutputs, hash_now: Callable[[Path], str]
) -> list[HashedRecording]:
    """Hash the EEG files of a corpus of seen images, whose index does not have their hashes, if it is the same."""
    from eegdiffusion.images.corpora.corpus_layouts import ImageCorpus, open_corpus

    folder, key = Path(root.path), f"image_corpora.{stage.name.partition('@')[2]}"
    if not folder.is_dir():
        raise InputError(f"{folder}: is not here, so that its EEG files cannot be hashed; {WITHOUT} leaves them out")
    if (now := hash_now(folder)) != root.md5:
        raise InputError(
            f"{folder}: was changed since {stage.name} read it (DVC's hash is {now}, by dvc.lock {root.md5}); "
            f"{WITHOUT} leaves its recordings out"
        )
    entry = validate(stage.params["params.yaml"][key], ImageCorpus, f"dvc.lock: {stage.name}: {key}")
    files = sorted({path for paths in open_corpus(entry).files.values() for path in paths})
    with progress(files, desc=f"hashing {folder}", unit="files") as bar:
        names = [path.relative_to(folder).as_posix() for path in files]
        return [HashedRecording(name, name, content_hash(path)) for name, path in zip(names, bar, strict=True)]


WITHOUT = "--without-recordings"
"""Option of the command that leaves recordings out."""
