"""Tiny corpora of EEG and images in the layouts as they are published."""

import pickle
from pathlib import Path

import mne
import numpy as np
import pandas
import torch
from PIL import Image

from eegdiffusion.images.corpora.things_eeg2 import CHANNELS, TARGET

CONCEPTS = [f"{k + 1:05d}_{name}" for k, name in enumerate(["aardvark", "boat", "cup", "drum", "eel", "fig"])]
TEST_CONCEPTS = [f"{k + 1:05d}_{name}" for k, name in enumerate(["gate", "hat", "ink", "jar"])]
RAW_ORDER = CHANNELS[40:] + CHANNELS[:40]
"""The raw files do not have the electrodes in NICE's order."""


def write_picture(path: Path, seed: int) -> None:
    """Write a small picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(path)


def write_image_set(root: Path) -> None:
    """Write 6 training concepts of 2 images, 4 test concepts of 1, and ``image_metadata.npy``."""
    document = {}
    for part, folder, concepts, count in (
        ("train", "training", CONCEPTS, 2),
        ("test", "test", TEST_CONCEPTS, 1),
    ):
        places, things, files = [], [], []
        for k, concept in enumerate(concepts):
            name = concept.partition("_")[2]
            for n in range(count):
                files.append(f"{name}_{n + 1:02d}b.jpg")
                places.append(concept)
                things.append(f"{100 * (part == 'test') + 2 * k + 1:05d}_{name}")
                write_picture(
                    root / f"{folder}_images" / concept / files[-1], seed=1000 * (part == "test") + 10 * k + n
                )
        document |= {
            f"{part}_img_concepts": places,
            f"{part}_img_concepts_THINGS": things,
            f"{part}_img_files": files,
        }
    np.save(root / "image_metadata.npy", document)


def write_raw(path: Path, images: int, repetitions: int, seed: int, sfreq: float = 1000.0) -> None:
    """Write a raw session: 63 electrodes and stim, onsets at 5 Hz in random order, two catch trials."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.append(np.tile(np.arange(images) + 1, repetitions), [TARGET, TARGET]))
    step = round(0.2 * sfreq)
    onset = round(0.5 * sfreq) + step * np.arange(len(order))
    samples = onset[-1] + round(1.5 * sfreq)
    mixing = np.eye(63) + 0.3 * rng.standard_normal((63, 63))
    noise = np.apply_along_axis(np.convolve, 1, rng.standard_normal((63, samples)), np.ones(5) / 2, "same")
    signals = np.zeros((64, samples))
    signals[:63] = 5e-6 * mixing @ noise
    signals[63, onset] = order
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "raw_eeg_data": signals,
        "ch_names": [*RAW_ORDER, "stim"],
        "ch_types": ["eeg"] * 63 + ["stim"],
        "sfreq": sfreq,
        "highpass": 0.01,
        "lowpass": 100.0,
    }
    np.save(path, document)


def write_things_eeg2(root: Path) -> Path:
    """Write two subjects of raw sessions, the second of which lacks its fourth."""
    write_image_set(root / "image_set")
    for subject, sessions in ((1, 4), (2, 3)):
        for session in range(1, sessions + 1):
            folder = root / f"eeg_dataset/raw_data/sub-{subject:02d}/ses-{session:02d}"
            write_raw(folder / "raw_eeg_training.npy", 12, 2, 10 * subject + session)
            write_raw(folder / "raw_eeg_test.npy", 4, 5, 100 + 10 * subject + session)
    return root


def write_preprocessed(root: Path, bare: bool) -> Path:
    """Write a subject's containers: NICE's bare pickles of 63 x 250 with 300 times, or the official 17 x 100."""
    write_image_set(root / "image_set")
    folder = root / "Preprocessed_data_250Hz/sub-01"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, images, repetitions in (("training", 12, 4), ("test", 4, 8)):
        shape = (images, repetitions, 63, 250) if bare else (images, repetitions, 17, 100)
        document = {
            "preprocessed_eeg_data": rng.standard_normal(shape),
            "ch_names": list(CHANNELS) if bare else [name for name in RAW_ORDER if name[0] in "OP"],
            "times": np.linspace(-0.2, 0.996, 300) if bare else np.linspace(-0.2, 0.79, 100),
        }
        if bare:
            with (folder / f"preprocessed_eeg_{part}.npy").open("wb") as file:
                pickle.dump(document, file, protocol=4)
        else:
            np.save(folder / f"preprocessed_eeg_{part}.npy", document)
    return root


def write_brainvision(path: Path, signals: np.ndarray, channels: list[str], sfreq: float) -> None:
    """Write a BrainVision recording of float32 microvolts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    signals.T.astype("<f4").tofile(path.with_suffix(".eeg"))
    names = "\n".join(f"Ch{k + 1}={name},,1,µV" for k, name in enumerate(channels))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(channels)}\nSamplingInterval={1e6 / sfreq:g}\n\n"
        f"[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n\n[Channel Infos]\n{names}\n"
    )
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\n\n[Marker Infos]\nMk1=New Segment,,1,1,0,20000101000000000000\n"
    )


def write_things_eeg1(root: Path, milliseconds: bool) -> Path:
    """Write one subject: 12 main images once, 2 validation images three times, a target; backslashes in ``stim``."""
    rng = np.random.default_rng(5)
    shown = [f"stimuli\\{concept[6:]}\\{concept[6:]}_{n:02d}s.jpg" for concept in CONCEPTS for n in (1, 2)]
    test = [f"stimuli\\{concept[6:]}\\{concept[6:]}_09s.jpg" for concept in CONCEPTS[:2]] * 3
    rows = [(stim, 0, 0) for stim in shown] + [(stim, 1, 0) for stim in test] + [("stimuli\\eel\\eel_01s.jpg", 0, 1)]
    onset = 0.5 + 0.1 * np.arange(len(rows))
    events = pandas.DataFrame(rows, columns=["stim", "isteststim", "istarget"])
    events.insert(0, "onset", 1000 * onset if milliseconds else onset)
    events.insert(1, "duration", 0.05)
    folder = root / "sub-01/eeg"
    channels = CHANNELS[:10]
    signals = 5 * rng.standard_normal((10, 5000))
    write_brainvision(folder / "sub-01_task-rsvp_eeg.vhdr", signals, channels, 1000.0)
    events.to_csv(folder / "sub-01_task-rsvp_events.tsv", sep="\t", index=False)
    for k, stim in enumerate({*shown, *test}):
        write_picture(root / stim.replace("\\", "/"), k)
    return root


SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{polygons}</svg>',
    '<polygon id="{id}" points="{points}" fill="lightgray" stroke="white" strokewidth="1"{transform}/>',
)


def write_tangram(path: Path, box: str = "0 0 80.0 40.0", transform: str = "") -> None:
    """Write a drawing of seven pieces: a row of 10 x 20 rectangles that begins at (5, 10)."""
    polygons = []
    for k in range(7):
        left, right = 5 + 10 * k, 15 + 10 * k
        points = f"{left},10 {right},10 {right},30 {left},30"
        polygons.append(
            SVG[1].format(id=k + 1, points=points, transform=f' transform="{transform}"' if transform else "")
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SVG[0].format(box=box, polygons="".join(polygons)))


def write_kilogram(root: Path) -> Path:
    """Write one subject of this project's layout: 4 training and 2 test tangrams, and an event that is none."""
    names = ["page1-0", "page1-1", "page2-7", "page-A", "page5-207", "page9-3"]
    for k, name in enumerate(names):
        write_tangram(root / f"tangrams-svg/{name}.svg", box=f"0 0 {80 + k} {40 + k}.0")
    split = ["training"] * 4 + ["test"] * 2
    pandas.DataFrame({"tangram": names, "split": split}).to_csv(root / "stimuli.tsv", sep="\t", index=False)
    shown = names * 3 + ["n/a"]
    events = pandas.DataFrame({"onset": 0.5 + 0.4 * np.arange(len(shown)), "duration": 0.2, "tangram": shown})
    folder = root / "sub-01/ses-01/eeg"
    signals = 5 * np.random.default_rng(6).standard_normal((8, 10_000))
    write_brainvision(folder / "sub-01_ses-01_task-tangram_eeg.vhdr", signals, CHANNELS[:8], 1000.0)
    events.to_csv(folder / "sub-01_ses-01_task-tangram_events.tsv", sep="\t", index=False)
    return root


def write_eegcvpr40(root: Path, legacy: bool, raw: bool = False) -> Path:
    """Write 3 subjects x 40 classes x 2 images, trials of odd lengths, and both split files."""
    generator = torch.Generator().manual_seed(3)
    wnids = [f"n{2000000 + k:08d}" for k in range(40)]
    images = [f"{wnid}_{n}" for wnid in wnids for n in (11, 12)]
    lengths = [499, 511, 499, 601, 449, 499]
    dataset = []
    for subject in range(1, 4):
        for k in range(len(images)):
            samples = 1527 if subject == 3 and k == 0 else lengths[(subject + k) % len(lengths)]
            eeg = torch.randn(128, samples, generator=generator) * (1000 if raw else 1)
            dataset.append({"eeg": eeg, "image": k, "label": k // 2, "subject": subject})
    extra = {"means": torch.full((128,), 5.0), "stddevs": torch.full((128,), 1000.0)} if raw else {}
    root.mkdir(parents=True, exist_ok=True)
    options = {"_use_new_zipfile_serialization": not legacy}
    signals = "eeg_signals_raw_with_mean_std.pth" if raw else "eeg_5_95_std.pth"
    torch.save({"dataset": dataset, "labels": wnids, "images": images} | extra, root / signals, **options)
    parts = {"train": [], "val": [], "test": []}
    for k in range(len(images)):
        parts["test" if k % 8 == 1 else "val" if k % 8 == 3 else "train"].append(k)
    whole = {name: [s * len(images) + k for s in range(3) for k in index] for name, index in parts.items()}
    other = {"train": [0], "val": [1], "test": [2]}
    torch.save({"splits": [whole, other]}, root / "block_splits_by_image_all.pth", **options)
    torch.save({"splits": [other, parts]}, root / "block_splits_by_image_single.pth", **options)
    return root


def epochs_of(path: Path, names: list[str], tmax: float, rate: float) -> mne.Epochs:
    """Cut a raw session with MNE, as THINGS-EEG2's authors do."""
    document = np.load(path, allow_pickle=True).item()
    info = mne.create_info(document["ch_names"], document["sfreq"], document["ch_types"])
    raw = mne.io.RawArray(document["raw_eeg_data"], info, verbose="ERROR")
    stim = document["raw_eeg_data"][-1]
    onset = np.flatnonzero(stim)
    events = np.c_[onset, 0 * onset, stim[onset].astype(int)]
    events = events[events[:, 2] != TARGET]
    raw.pick(names)
    epochs = mne.Epochs(raw, events, tmin=-0.2, tmax=tmax, baseline=(None, 0), preload=True, verbose="ERROR")
    return epochs.resample(rate, verbose="ERROR")
