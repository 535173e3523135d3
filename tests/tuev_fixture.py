"""Small EDF files of TUEV's layout, written for a test."""

from pathlib import Path

import edfio
import numpy as np

from eegdiffusion.core.signal.montage import ELECTRODES

REFERENTIAL = [*ELECTRODES, "FZ", "PZ", "T1", "T2"]


def signals(names: list[str], seconds: float, rate: float, seed: int = 0, amplitude_uv: float = 20.0) -> np.ndarray:
    """Noise of EEG's amplitude, smooth enough to survive the filters: (channels, samples) in uV."""
    draw = np.random.default_rng(seed).standard_normal((len(names), round(seconds * rate)))
    return amplitude_uv * (draw + np.roll(draw, 1, 1) + np.roll(draw, 2, 1)) / np.sqrt(3)


def write_edf(
    path: Path,
    *,
    names: list[str] = REFERENTIAL,
    seconds: int = 14,
    rate: float = 250,
    unit: str = "uV",
    data: np.ndarray | None = None,
    extra: tuple[str, ...] = (),
    seed: int = 0,
) -> None:
    """Write a recording whose electrodes are called ``EEG <NAME>-REF``; ``extra`` labels are added as they are."""
    labels = [f"EEG {name}-REF" for name in names] + list(extra)
    data = signals(labels, seconds, rate, seed) if data is None else data
    path.parent.mkdir(parents=True, exist_ok=True)
    bound = float(np.abs(data).max()) * 1.01 or 1.0
    edf = edfio.Edf(
        [
            edfio.EdfSignal(row, rate, label=label, physical_dimension=unit, physical_range=(-bound, bound))
            for label, row in zip(labels, data, strict=True)
        ]
    )
    edf.write(path)


def write_rec(path: Path, rows: list[tuple]) -> None:
    """Write a ``.rec`` file."""
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


EVENTS = [(0, 0.0, 1.0, 6), (3, 4.1, 5.1, 1), (7, 4.1, 5.1, 2), (21, 13.0, 14.0, 5)]
"""At the very start, one interval on two channels, and one that stops where a recording of 14 s does."""


def write_corpus(root: Path, train: int = 5, test: int = 2) -> Path:
    """Write a valid corpus: some training subjects, the first with two recordings, and eval directories."""
    for k in range(train):
        for part in range(1 + (k == 0)):
            path = root / "train" / f"aaaaaaa{chr(97 + k)}" / f"aaaaaaa{chr(97 + k)}_{part:08d}.edf"
            write_edf(path, seed=10 * k + part)
            write_rec(path.with_suffix(".rec"), EVENTS)
    for k in range(test):
        path = root / "eval" / f"{k:03d}" / f"bckg_{k:03d}_a_.edf"
        write_edf(path, seed=100 + k, extra=("EEG EKG1-REF",), names=REFERENTIAL[:-2])
        write_rec(path.with_suffix(".rec"), [(5, 7.3, 8.3, k % 6 + 1)])
        path.with_name(f"bckg_{k:03d}_a__ch000.lab").write_text("117100000 117200000 eyem\n")
    return root
