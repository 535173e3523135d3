"""Preprocess a corpus of EEG events into a window store: ``python -m components.preprocess_events --corpus tuev``."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import mne
import pandas
from dask.distributed import Client, LocalCluster, as_completed
from tqdm import tqdm

from components.preprocess_events.settings import PreprocessEvents
from eegdiffusion.core.runtime.closure import code_hash
from eegdiffusion.core.runtime.hashing import text_hash
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.signal.montage import derivations
from eegdiffusion.core.storage.splits import SPLITS
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.corpora.preprocess_recording import preprocess, window_tables
from eegdiffusion.events.store import window_store


def _split_hash(recordings: pandas.DataFrame, windows: pandas.DataFrame, split: str, processing: str) -> str:
    """Hash the windows of a split, the recordings that they lie in, and the preprocessing."""
    sources = recordings.loc[recordings["split"] == split, ["recording", "sha256"]].sort_values("recording")
    members = windows[windows["split"] == split].drop(columns="split")
    return text_hash(processing, sources.to_csv(index=False), members.to_csv(index=False))


def _cluster(settings: PreprocessEvents) -> Client:
    """Connect to the cluster that the settings name, or start local processes of one thread each."""
    if settings.scheduler:
        return Client(settings.scheduler)
    workers = settings.workers or len(os.sched_getaffinity(0))
    return Client(LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0))


@stage("preprocess_events")
def main(run: Stage) -> None:
    settings = run.settings(PreprocessEvents)
    root, index, out = run.input("corpus"), run.input("index"), run.output("store")
    recordings = pandas.read_parquet(index / "recordings.parquet")
    events = pandas.read_parquet(index / "events.parquet")
    corpus = json.loads((index / "corpus.json").read_text())["corpus"]
    split = json.loads((index / "split.json").read_text())["hash"]
    processing = text_hash(asdict(settings.filtering), settings.montage_sign)

    # A finished recording is kept under what it was made from and by, so that a killed run goes on where it was.
    code = text_hash(mne.__version__, code_hash(preprocess.__module__))
    work = run.shared_work.resolve() / text_hash(processing, code)[:16]
    work.mkdir(exist_ok=True)
    targets = {row.path: work / f"{row.sha256}.arrow" for row in recordings.itertuples()}
    todo = [path for path, target in targets.items() if not target.exists()]
    done = len(recordings) - len(todo)
    with tqdm(total=len(recordings), initial=done, desc="preprocessing", unit="recording") as bar:
        if todo:
            with _cluster(settings) as client:
                arguments = [(Path(root).resolve() / path, targets[path]) for path in todo]
                futures = client.map(
                    preprocess,
                    *zip(*arguments, strict=True),
                    filtering=settings.filtering,
                    sign=settings.montage_sign,
                    processing=processing,
                    pure=False,
                )
                for future in as_completed(futures):
                    future.result()
                    bar.update()

    # The tables first: an event that they refuse must not cost the recordings, which the next run would make again.
    samples = {
        row.recording: window_store.MappedRecording(targets[row.path]).samples for row in recordings.itertuples()
    }
    windows, pretraining = window_tables(recordings, events, samples, settings.filtering.rate_hz)
    (out / "recordings").mkdir(parents=True)
    for row in recordings.itertuples():
        shutil.move(
            targets[row.path], out / "recordings" / window_store.file_name(row.recording)
        )  # data/ may be a mount
    description = window_store.Description(
        corpus=corpus,
        sfreq=settings.filtering.rate_hz,
        window=round(tuev.WINDOW_S * settings.filtering.rate_hz),
        channels=derivations(settings.montage_sign),
        classes=tuev.CLASSES,
        fingerprint=text_hash(split, processing, windows.to_csv()),
        splits={name: _split_hash(recordings, windows, name, processing) for name in SPLITS},
        filtering=asdict(settings.filtering),
        montage_sign=settings.montage_sign,
    )
    window_store.write_index(out, windows, pretraining, description)
    megabytes = sum(file.stat().st_size for file in out.rglob("*") if file.is_file()) / 1e6
    hours = recordings["duration_s"].sum() / 3600
    print(f"{len(recordings)} recordings, {hours:.2f} h, {len(windows)} event windows, {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
