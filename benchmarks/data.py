"""Window store, preprocessing and latent cache, against a pickle a sample and filtering whatever is recorded."""

import pickle
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import mne
import numpy as np
import pandas
from threadpoolctl import threadpool_limits

from benchmarks.corpus_scale import EXTRA
from benchmarks.measure import Row, compare
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.core.signal.units import UNITS_PER_VOLT
from eegdiffusion.events.corpora import tuev
from eegdiffusion.events.corpora.preprocess_recording import preprocess
from eegdiffusion.events.store import latent_cache, window_store
from tests.tuev_fixture import write_edf

HOUR = ["a", "b", "c", "d"]
MINUTES = 15


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder."""
    path = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _store(path: Path, rng: np.random.Generator, windows: int) -> window_store.EventWindows:
    """An hour of noise, and the event windows of a split."""
    (path / "recordings").mkdir(parents=True)
    samples = MINUTES * 60 * 200
    for name in HOUR:
        signals = rng.standard_normal((22, samples))
        window_store.write_recording(path / "recordings" / window_store.file_name(name), signals, BIPOLAR, {})
    table = pandas.DataFrame(
        {
            "recording": rng.choice(HOUR, windows),
            "split": "train",
            "start_sample": rng.integers(0, samples - 1000, windows),
            "channel": 0,
            "label": np.arange(windows) % 6,
            "row": np.arange(windows),
        }
    )
    pretraining = table[["recording", "split", "start_sample"]].assign(labels=[np.full(22, -1, np.int8)] * windows)
    described = window_store.StoreDescription(
        "noise", 200.0, 1000, tuev.TCP22.montage.document(), tuev.CLASSES, "", {}, asdict(EEGDM)
    )
    window_store.write_index(path, table, pretraining, described)
    return window_store.Store(path).event_windows("train")


def reading(windows: int = 2000, batch: int = 32) -> Row:
    """Shuffled event windows in batches; the page cache is warm for both."""
    rng = np.random.default_rng(0)
    with folder() as path:
        store = _store(path / "store", rng, windows)
        (path / "pickles").mkdir()
        for k in range(windows):
            sample = store[k]
            (path / "pickles" / f"{k}.pkl").write_bytes(pickle.dumps(sample, protocol=pickle.HIGHEST_PROTOCOL))
        order = rng.permutation(windows).tolist()
        batches = [order[first : first + batch] for first in range(0, windows, batch)]

        def ours():
            for members in batches:
                store.__getitems__(members)

        def plain():
            for members in batches:
                samples = [pickle.loads((path / "pickles" / f"{k}.pkl").read_bytes()) for k in members]
                np.stack([sample["signal"] for sample in samples])
                np.array([sample["label"] for sample in samples])

        sizes = f"{windows} windows of 22 channels, batches of {batch}"
        return compare("reading shuffled windows", sizes, ours, plain, "a pickle a window", rounds=7)


def _record(path: Path) -> list[Path]:
    """An hour of 33 channels at 250 Hz."""
    for k, name in enumerate(HOUR):
        write_edf(path / f"{name}.edf", seconds=60 * MINUTES, extra=EXTRA, seed=k)
    return [path / f"{name}.edf" for name in HOUR]


def _filter_everything(path: Path) -> np.ndarray:
    """What the public implementation does: every channel through the filters, then the montage from those it needs."""
    raw = mne.io.read_raw_edf(path, preload=True, verbose="error")
    with mne.utils.use_log_level("error"):
        raw.filter(0.1, 75.0, picks="all")
        raw.notch_filter(50.0, picks="all")
        raw.resample(200)
    rows = {tuev.electrode(name): k for k, name in enumerate(raw.ch_names)}
    data = raw.get_data() * UNITS_PER_VOLT
    return np.stack([data[rows[a]] - data[rows[b]] for a, b in (name.split("-") for name in BIPOLAR)])


def _ours(path: Path) -> None:
    preprocess(path, path.with_suffix(".arrow"), filtering=EEGDM, processing="")


def preprocessing(workers: int) -> Row:
    """An hour of EEG, from EDF to the store's files (the plain way writes nothing)."""
    with folder() as path, ProcessPoolExecutor(workers) as pool:
        files = _record(path)
        list(pool.map(abs, range(workers)))  # processes are started

        def ours():
            if workers == 1:
                for file in files:
                    _ours(file)
            else:
                list(pool.map(_ours, files))

        def plain():
            with threadpool_limits(1):
                for file in files:
                    _filter_everything(file)

        what = f"preprocessing, {workers} process{'es' if workers > 1 else ''}"
        sizes = f"{len(HOUR)} recordings of {MINUTES} min, 33 channels, 250 Hz"
        return compare(what, sizes, ours, plain, "filter everything, then drop, in one process", rounds=1)


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def stored_bytes(windows: int, channels: int) -> Row:
    """Bytes of an hour.

    Args:
        windows: distinct windows in it.
        channels: that show the event of each, on average; each is a row, and a pickle of the window in the plain way.
    """
    with folder() as path:
        store = _store(path / "store", np.random.default_rng(0), windows)
        (path / "pickles").mkdir()
        for k in range(windows):
            sample = store[k]
            for row in range(channels):
                (path / "pickles" / f"{k}-row-{row}.pkl").write_bytes(pickle.dumps(sample))
            for channel, signal in enumerate(sample["signal"]):
                single = {"data": signal[None], "ch_idx": channel, "label": 0}
                (path / "pickles" / f"{k}-{channel}.pkl").write_bytes(pickle.dumps(single))
        ours, plain = _bytes(path / "store") / 1e6, _bytes(path / "pickles") / 1e6
    sizes = f"{windows} distinct windows, {windows * channels} rows"
    against = "a pickle a window and a pickle a single-channel sample"
    return Row("bytes of a recorded hour", sizes, ours, plain, against, unit="MB")


def cached_bytes(windows: int = 256) -> Row:
    """Bytes of a window's tokens at the paper's size."""
    rng = np.random.default_rng(0)
    with folder() as path:
        (path / "pickles").mkdir()
        tokens = rng.random((windows, 20, 5, 22, 128), dtype=np.float32) ** 2
        latent_cache.write_shard(path / "shard.arrow", latent_cache.encode(tokens, "uint8"))
        for k, window_tokens in enumerate(tokens):
            (path / "pickles" / f"{k}.pkl").write_bytes(pickle.dumps({"data": window_tokens, "label": 0}))
        ours = (path / "shard.arrow").stat().st_size / windows / 1e6
        plain = _bytes(path / "pickles") / windows / 1e6
    sizes = f"{windows} windows, 20 layers, 5 pools, 22 channels, 128 wide, one event a window"
    return Row("latent cache, bytes of a window", sizes, ours, plain, "a float32 pickle a window", unit="MB")


ROWS = {
    "reading": reading,
    "preprocessing-1": lambda: preprocessing(1),
    "preprocessing-2": lambda: preprocessing(2),
    "stored-bytes-dense": lambda: stored_bytes(2950, 2),  # about the demo corpus
    "stored-bytes-sparse": lambda: stored_bytes(720, 1),
    "cached-bytes": cached_bytes,
}
