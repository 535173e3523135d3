"""The branch of images: reading epochs, cutting and whitening them, training their encoder."""

from pathlib import Path

import numpy as np
import pandas
import torch
from sklearn.discriminant_analysis import _cov

from benchmarks.data import folder
from benchmarks.measure import Row, compare
from eegdiffusion.core.signal.epoching import Epoching
from eegdiffusion.core.signal.whitening import noise_covariance
from eegdiffusion.images.corpora import things_eeg2
from eegdiffusion.images.corpora.subject_epochs import EpochCutting, RepetitionLimits, write_subject
from eegdiffusion.images.encoders.alignment import nt_xent
from eegdiffusion.images.encoders.spatiotemporal import SpatioTemporal
from eegdiffusion.images.epochs import epoch_store
from tests.oracles import naive_spatiotemporal
from tests.things_fixture import epochs_of, write_raw

NICE = Epoching(
    channels=None, tmin_s=-0.2, tmax_s=1.0, baseline=True, rate_hz=250.0, keep_from_s=0.0,
    whitening="training", covariance="epochs",
)  # fmt: skip

SHAPE = (63, 250)


def _store(path: Path, epochs: np.ndarray, repetitions: int) -> epoch_store.EpochStore:
    """A store of one subject."""
    (path / "epochs").mkdir(parents=True)
    epoch_store.write_epochs(path / "epochs/sub-01.arrow", iter([epochs]), SHAPE)
    image, repetition = np.divmod(np.arange(len(epochs)), repetitions)
    columns = {"subject": "sub-01", "session": 1, "image": image, "repetition": repetition, "concept": "c"}
    index = pandas.DataFrame(columns | {"split": "train", "row": np.arange(len(epochs))})
    times = (np.arange(SHAPE[1]) / 250).tolist()
    described = epoch_store.EpochStoreDescription("noise", "", things_eeg2.CHANNELS, times, 250.0, "whitened", "", [])
    epoch_store.write_epoch_index(path, index, pandas.DataFrame({"name": [], "split": []}), described)
    return epoch_store.EpochStore(path)


def reading(average: int, items: int = 2000, batch: int = 64) -> Row:
    """Shuffled training input in batches, averages of repetitions; the page cache is warm for both."""
    rng = np.random.default_rng(0)
    with folder() as path:
        epochs = rng.standard_normal((items * average, *SHAPE)).astype(np.float32)
        found = _store(path / "store", epochs, average).epochs("train", average=average)
        (path / "trials").mkdir()
        for k, epoch in enumerate(epochs):
            np.save(path / f"trials/{k}.npy", epoch)
        order = rng.permutation(items).tolist()
        batches = [order[first : first + batch] for first in range(0, items, batch)]

        def trials(item: int) -> np.ndarray:
            first = item * average
            return np.mean([np.load(path / f"trials/{k}.npy") for k in range(first, first + average)], axis=0)

        def ours() -> None:
            for members in batches:
                found.__getitems__(members)

        def plain() -> None:
            for members in batches:
                np.stack([trials(k) for k in members])

        assert np.allclose(found.__getitems__(batches[0])["eeg"], [trials(k) for k in batches[0]], atol=2e-4)
        averaged = f", each the average of {average} trials" if average > 1 else ""
        sizes = f"{items} epochs of 63 x 250{averaged}, batches of {batch}"
        return compare("reading shuffled epochs", sizes, ours, plain, "a .npy file a trial", rounds=7)


def _covariance_by_loops(epochs: np.ndarray, image: np.ndarray) -> np.ndarray:
    """What THINGS-EEG2's preprocessing does: scikit-learn's estimate of every epoch, averaged."""
    images = np.unique(image)
    total = sum(np.mean([_cov(e.T, shrinkage="auto") for e in epochs[image == k]], axis=0) for k in images)
    return total / len(images)


def covariance(images: int = 1000) -> Row:
    """Noise covariance of a session."""
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(images), 2)
    epochs = rng.standard_normal((len(image), *SHAPE)) * np.linspace(1, 9, 63)[:, None]
    rows = np.arange(len(image))
    found = noise_covariance(epochs, rows, image, "epochs")
    assert np.allclose(found, _covariance_by_loops(epochs, image), rtol=1e-6, atol=1e-9)
    return compare(
        "MVNN: noise covariance of a session",
        f"{images} images shown twice, 63 x 250",
        lambda: noise_covariance(epochs, rows, image, "epochs"),
        lambda: _covariance_by_loops(epochs, image),
        "scikit-learn's estimate, an epoch at a time",
        rounds=2,
    )


def subject(images: int = 800) -> Row:
    """A raw session to whitened epochs on disk."""
    with folder() as path:
        file = path / "corpus/sub-01/ses-01/raw_eeg_training.npy"
        write_raw(file, images, 2, seed=0)
        table = pandas.DataFrame({"partition": ["training"] * images})
        test, cut = (
            np.zeros(images, bool),
            EpochCutting(NICE, RepetitionLimits(training=2, test=20), 0, None, things_eeg2.CHANNELS),
        )

        def ours():
            block = things_eeg2.read_raw(file, path / "corpus", "training", table)
            return write_subject([block], test, cut, path / "scratch", path / "sub-01.arrow")

        def plain() -> np.ndarray:
            cut = epochs_of(file, things_eeg2.CHANNELS, 1.0, 250.0)
            epochs = 1e6 * cut.reorder_channels(things_eeg2.CHANNELS).get_data()[:, :, 50:300]
            values, vectors = np.linalg.eigh(_covariance_by_loops(epochs, cut.events[:, 2]))
            whitened = (vectors / np.sqrt(values)) @ vectors.T @ epochs
            for k, epoch in enumerate(whitened):
                np.save(path / f"{k}.npy", epoch)
            return whitened

        written, expected = ours(), plain()
        mapped, row = epoch_store.MappedEpochs(path / "sub-01.arrow"), np.empty(SHAPE, np.float32)
        assert written.channels == things_eeg2.CHANNELS
        assert len(written.index) == len(expected)
        for k in (0, len(expected) - 1):
            mapped.read(k, row)
            assert np.allclose(row, expected[k], atol=0.01)
        return compare(
            "epoching and MVNN of a raw session, to files",
            f"{2 * images} trials, 63 electrodes, 1000 to 250 Hz",
            ours,
            plain,
            "MNE's Epochs and resample, scikit-learn's covariances, a .npy file a trial",
            rounds=1,
        )


def encoder_step(batch: int = 64) -> Row:
    """Forward, NT-Xent, backward, AdamW of the spatiotemporal encoder at full width."""
    torch.manual_seed(0)
    options = {"hidden": 256, "layers": 2, "step": 2, "filters": 64, "kernels": (7, 25), "parts": 8}
    model = SpatioTemporal(63, 250, 1024, dropout=0.0, **options).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-6)
    weights, eeg, image = dict(model.named_parameters()), torch.randn(batch, *SHAPE), torch.randn(batch, 1024)

    def plainly(x: torch.Tensor) -> torch.Tensor:
        return naive_spatiotemporal(weights, x, step=2, layers=2, fields=2, parts=8)

    def run(forward) -> None:
        optimiser.zero_grad()
        nt_xent(forward(eeg), image, torch.arange(batch), 14.0).backward()
        optimiser.step()

    with torch.no_grad():
        assert torch.allclose(model(eeg), plainly(eeg), atol=1e-4)
    return compare(
        "spatiotemporal encoder, training step",
        f"batch {batch}, 63 x 250, BiLSTM of 2 x 256 over 125 steps, kernels 7 and 25",
        lambda: run(model),
        lambda: run(plainly),
        "LSTM a step at a time, convolutions a lag at a time",
        rounds=3,
    )


ROWS = {
    "epochs-1": lambda: reading(1),
    "epochs-4": lambda: reading(4),
    "mvnn": covariance,
    "epoching": subject,
    "encoder": encoder_step,
}
