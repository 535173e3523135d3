"""Filters, resamples and derives each recording of a corpus once, and indexes its windows."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import dask
import mne
import numpy as np
import pandas
from dask.distributed import Client, Future, KilledWorker, LocalCluster, Security, as_completed
from tqdm import tqdm

from components.preprocess_events.settings import PreprocessEvents
from eegdiffusion.core.recordings.channel_derivation import ChannelRecipe, read_recipe
from eegdiffusion.core.runtime.allotment import available_cores, available_memory
from eegdiffusion.core.runtime.closure import code_hash
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.splits import SPLITS
from eegdiffusion.events.corpora.corpus_reader import CorpusReader
from eegdiffusion.events.corpora.event_corpus import EventCorpus, corpus_filtering
from eegdiffusion.events.corpora.layouts import open_corpus
from eegdiffusion.events.corpora.preprocess_recording import preprocess, window_tables
from eegdiffusion.events.store import window_store

LEAST_MEMORY = 1 << 30
"""Bytes of memory for each worker below which fewer are started: libraries take a quarter of it, an hour the rest."""

ONLY_THE_LIMIT = {f"distributed.worker.memory.{threshold}": False for threshold in ("target", "spill", "pause")}
"""Dask's settings: a worker that nears its limit works on; paused, it would wait for memory that nobody gives back."""

NO_WORKER_S = 30.0
"""Seconds without a finished recording after which it is asked whether a process is left."""

NO_PAGES = {f"distributed.{role}.http.routes": [] for role in ("scheduler", "worker")}
"""Dask's settings: its HTTP servers, which cannot be turned off, have nothing to show."""


@dataclass(frozen=True)
class PreprocessedCorpus:
    """A window store in numbers.

    Attributes:
        recordings: number of recordings.
        hours: their length.
        windows: number of event windows.
    """

    recordings: int
    hours: float
    windows: int


def hash_split(recordings: pandas.DataFrame, windows: pandas.DataFrame, split: str, processing: str) -> str:
    """Hash the windows of a split, the recordings that they lie in, and the preprocessing.

    Args:
        recordings: table of the recordings of all splits.
        windows: table of the windows of all splits.
        split: one of ``SPLITS``.
        processing: fingerprint of the preprocessing.

    Returns:
        the SHA-256 in hexadecimal digits.
    """
    sources = recordings.loc[recordings["split"] == split, ["recording", "sha256"]].sort_values("recording")
    members = windows[windows["split"] == split].drop(columns="split")
    return text_hash(processing, sources.to_csv(index=False), members.to_csv(index=False))


def connect(settings: PreprocessEvents, alone: bool = False) -> Client:
    """Connect to the cluster that the settings name, or start local processes of one thread each.

    They share the cores and the memory that this process may use. One that takes more than its share of the memory is
    ended, before the container is.

    Args:
        settings: number of processes, or address of the cluster.
        alone: start one process, which has all the memory.
    """
    if settings.scheduler:
        return Client(settings.scheduler)
    memory = available_memory()
    workers = 1 if alone else settings.workers or max(1, min(available_cores(), memory // LEAST_MEMORY))
    with dask.config.set(ONLY_THE_LIMIT | NO_PAGES):
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),  # a key of this run: no other account of the machine is let in
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            memory_limit=memory // workers,
        )
    return Client(cluster)


@dataclass(frozen=True)
class Job:
    """A recording to preprocess.

    Attributes:
        path: its file.
        target: Arrow file to write.
        derive: (path, filtering) -> its signals.
    """

    path: Path
    target: Path
    derive: Callable[[Path, Filtering], np.ndarray]


def preprocess_recordings(
    jobs: list[Job], settings: PreprocessEvents, filtering: Filtering, channels: list[str], processing: str
) -> None:
    """Preprocess the recordings whose files are not there yet, in processes side by side.

    Args:
        jobs: the recordings.
        settings: number of processes, or address of the cluster.
        filtering: filters and rate.
        channels: names of the montage's channels.
        processing: fingerprint of filter and montage, kept in the files.
    """
    missing = [job for job in jobs if not job.target.exists()]
    initial = len(jobs) - len(missing)
    with progress(total=len(jobs), initial=initial, desc="preprocessing", unit="recording") as bar:
        if not missing:
            return
        too_large = _preprocess(connect(settings), missing, settings, filtering, channels, processing, bar)
        if too_large and not settings.scheduler:
            bar.write(f"{len(too_large)} recordings need more memory than a worker's share; now one after another")
            too_large = _preprocess(
                connect(settings, alone=True), too_large, settings, filtering, channels, processing, bar
            )
        for job in too_large:
            raise InputError(
                f"{job.path}: size: its preprocessing needs more memory than a worker may have "
                f"({available_memory() / 2**30:.1f} GiB for all of this process)"
            )


def _completed(client: Client, futures: Sequence[Future], bar: tqdm) -> Iterator[Future]:
    """Yield each future once it is done; Dask by itself would wait for ever where no process is left.

    A cluster of the user's may get its processes later: there, that none is left is said.

    Raises:
        RuntimeError: the processes that :func:`connect` started have ended, and none comes back.
    """
    waiting, asked = as_completed(futures), time.monotonic()
    had_one = True
    while not waiting.is_empty():
        if waiting.has_ready():
            yield next(waiting)
            asked, had_one = time.monotonic(), True
            continue
        time.sleep(0.05)
        if time.monotonic() - asked < NO_WORKER_S:
            continue
        has_one = bool(client.scheduler_info()["workers"])
        if client.cluster and not has_one and not had_one:  # one that was ended for its memory is soon replaced
            raise RuntimeError(
                f"the processes that preprocess recordings have ended, and none came back in {NO_WORKER_S:g} s; why is "
                "in their messages above"
            )
        if not client.cluster and not has_one:
            bar.write(f"{client.scheduler.address} has no worker; waiting for one")
        asked, had_one = time.monotonic(), has_one


def _preprocess(
    client: Client, jobs: list[Job], settings: PreprocessEvents, filtering: Filtering, channels: list[str],
    processing: str, bar: tqdm,
) -> list[Job]:  # fmt: skip
    """Preprocess recordings on a cluster, and return those that took a worker's memory."""
    too_large = []
    with client:
        futures = client.map(
            preprocess,
            [job.path for job in jobs],
            [job.target for job in jobs],
            [job.derive for job in jobs],
            filtering=filtering,
            channels=channels,
            processing=processing,
            pure=False,
        )
        job_of = dict(zip(futures, jobs, strict=True))
        for future in _completed(client, futures, bar):
            try:
                future.result()
                bar.update()
            except KilledWorker:
                too_large.append(job_of[future])
    if client.cluster and not settings.scheduler:
        client.cluster.close()
    return too_large


def _open_indexed(index: Path, root: Path, common: Filtering) -> tuple[dict, CorpusReader, Filtering, ChannelRecipe]:
    """Return what ingestion wrote of a corpus, the corpus, and how it is filtered and its channels are derived."""
    path = index / "corpus.json"
    corpus = json.loads(path.read_text())
    entry = validate(corpus["entry"] | {"root": str(root.resolve())}, EventCorpus, f"{path}: entry")
    recipe, filtering = read_recipe(corpus["channels"]), corpus_filtering(entry, common)
    return corpus, open_corpus(entry, filtering, recipe), filtering, recipe


def _derive(reader: CorpusReader, recording: str, path: Path, filtering: Filtering) -> np.ndarray:
    return reader.derive(path, recording, filtering)


def compute(root: Path, index: Path, settings: PreprocessEvents, out: Path, work: Path) -> PreprocessedCorpus:
    """Write the window store of a corpus.

    Args:
        root: the corpus.
        index: folder that ingestion wrote.
        settings: filter and processes.
        out: folder of the store.
        work: folder of finished recordings, from which an interrupted run goes on; they are kept under what they were
            made from and by.

    Returns:
        the store in numbers.

    Raises:
        InputError: an event has no window in the preprocessed recording; the finished recordings are kept.
    """
    recordings = read_parquet(index / "recordings.parquet")
    events = read_parquet(index / "events.parquet")
    corpus, reader, filtering, recipe = _open_indexed(index, root, settings.filtering)
    montage = recipe.montage
    split_hash = json.loads((index / "split.json").read_text())["hash"]
    rate_hz = filtering.rate_hz
    processing = text_hash(asdict(filtering), recipe.document() | {"montage": montage.names})
    code = text_hash(mne.__version__, code_hash(preprocess.__module__, open_corpus.__module__))
    parts = work.resolve() / text_hash(processing, code)[:16]
    parts.mkdir(exist_ok=True)
    targets = {row.recording: parts / f"{row.sha256}.arrow" for row in recordings.itertuples()}
    jobs = [
        Job(root.resolve() / row.path, targets[row.recording], partial(_derive, reader, row.recording))
        for row in recordings.itertuples()
    ]
    preprocess_recordings(jobs, settings, filtering, montage.names, processing)

    # The tables first: an event that they refuse must not cost the recordings, which the next run would make again.
    lengths = {
        row.recording: window_store.MappedRecording(targets[row.recording]).samples for row in recordings.itertuples()
    }
    windows, pretraining = window_tables(recordings, events, lengths, rate_hz, corpus["window_s"], montage)
    (out / "recordings").mkdir(parents=True)
    for row in recordings.itertuples():
        # A move across file systems copies: data/ may be a mount.
        shutil.move(targets[row.recording], out / "recordings" / window_store.file_name(row.recording))
    description = window_store.StoreDescription(
        corpus=corpus["corpus"],
        sfreq=rate_hz,
        window=round(corpus["window_s"] * rate_hz),
        montage=montage.document(),
        classes=corpus["classes"],
        fingerprint=text_hash(split_hash, processing, montage.ids, montage.id_names, windows.to_csv()),
        splits={split: hash_split(recordings, windows, split, processing) for split in SPLITS},
        filtering=asdict(filtering),
        layout=corpus["layout"],
        warnings=corpus["warnings"],
    )
    window_store.write_index(out, windows, pretraining, description)
    return PreprocessedCorpus(len(recordings), recordings["duration_s"].sum() / 3600, len(windows))
