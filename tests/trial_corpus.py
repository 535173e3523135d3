"""Trials of two classes as somebody cut them, from their file to a window store, and a tiny backbone for them."""

import numpy as np
import pandas
import torch

from components.ingest_events import compute as ingest_events
from components.ingest_events.settings import IngestEvents
from components.preprocess_events import compute as preprocess_events
from components.preprocess_events.settings import PreprocessEvents
from eegdiffusion import SSMDP
from eegdiffusion.core.signal.filtering import EEGDM
from eegdiffusion.core.signal.montage import BIPOLAR
from eegdiffusion.events.corpora.event_corpus import EventCorpus, channel_recipe
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.signal_transform import SignalTransform
from eegdiffusion.events.store.window_store import Store

MONTAGES = {"muse": ["TP9", "AF7", "AF8", "TP10"]}


def write_backbone(path, channels=BIPOLAR, seed: int = 5):
    """Write a tiny backbone that is not trained."""
    torch.manual_seed(seed)
    network = SSMDP(d_model=4, d_state=4, n_layer=2, d_cond=8, d_cond_embed=8, n_class=len(channels))
    signal_transform.save(path, network, SignalTransform(True, 200.0, "100 uV", list(channels)))
    return path


def _write_trials(path, split: str, per_recording: int, recordings: int, seed: int, known: bool) -> None:
    """Trials with a slow wave whose sign is the class, on noise; recordings of one class each."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(recordings) % 2, per_recording)
    wave = 40 * np.sin(np.pi * np.arange(510) / 510) * np.where(label, 1, -1)[:, None]
    signals = 15 * rng.standard_normal((len(label), 4, 510)) + wave[:, None]
    names = [f"{split} recording {k}" if known else "" for k in np.arange(len(label)) // per_recording]
    np.savez(
        path / f"{split}.npz", X=signals.astype(np.float32), y=np.array(["down", "up"])[label], split=split,
        ch_names=np.array(MONTAGES["muse"]), sfreq=255.0, subject=np.array(names), unit="uV",
    )  # fmt: skip


def trial_store(tmp_path, known: bool, validation_fraction: float = 0.2) -> tuple[Store, dict[str, str]]:
    """Ingest and preprocess trials; return their store and the subject of each recording."""
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "corpus.json").write_text('{"corpus": "waves"}')
    _write_trials(root, "train", 6, 8, 0, known)
    _write_trials(root, "test", 5, 6, 1, known)
    entry = EventCorpus(root=str(root), layout="epochs", montage="muse", window_s=2.0)
    recipe = channel_recipe(entry, MONTAGES)
    ingest_events.compute(
        entry, IngestEvents(validation_fraction=validation_fraction), EEGDM, recipe, tmp_path / "index", tmp_path
    )
    (tmp_path / "work").mkdir()
    settings = PreprocessEvents(filtering=EEGDM, workers=1)
    preprocess_events.compute(root, tmp_path / "index", settings, tmp_path / "store", tmp_path / "work")
    recordings = pandas.read_parquet(tmp_path / "index/recordings.parquet")
    return Store(tmp_path / "store"), recordings.set_index("recording")["subject"].to_dict()
