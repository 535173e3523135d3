"""What pretraining left behind: a backbone's metrics and curves, and the EEG that it generated beside real EEG."""

import json
from dataclasses import dataclass
from pathlib import Path

import mne
import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file


@dataclass(frozen=True)
class Backbone:
    """A pretrained backbone, the EEG it generated and real EEG of the same channels.

    Attributes:
        facts: ``metrics.json``.
        curves: a row for each round of training.
        channels: names.
        rate_hz: sampling rate.
        real, generated: (channels, signals, samples), uV.
    """

    facts: dict
    curves: pandas.DataFrame
    channels: list[str]
    rate_hz: float
    real: np.ndarray
    generated: np.ndarray


def _signals(raw: "mne.io.BaseRaw") -> np.ndarray:
    """Cut a recording at its annotations, one for each signal; (channels, signals, samples) in uV."""
    return raw.get_data(units="uV").reshape(len(raw.ch_names), len(raw.annotations), -1)


def read_backbone(folder: Path) -> Backbone:
    """Read ``metrics.json``, ``curves.csv`` and ``generated/`` of one variant.

    Raises:
        InputError: the EEG has no annotations to cut it into signals.
    """
    raws = {}
    for kind in ("real", "generated"):
        path = folder / "generated" / f"{kind}_raw.fif"
        raws[kind] = mne.io.read_raw_fif(require_file(path), verbose="error")
        if not len(raws[kind].annotations):
            raise InputError(f"{path}: annotations: must be one for each signal (found none)")
    return Backbone(
        facts=json.loads(require_file(folder / "metrics.json").read_text()),
        curves=pandas.read_csv(folder / "curves.csv"),
        channels=raws["real"].ch_names,
        rate_hz=raws["real"].info["sfreq"],
        real=_signals(raws["real"]),
        generated=_signals(raws["generated"]),
    )


def read_backbones(folder: Path, names: list[str]) -> dict[str, Backbone]:
    """Read variants of the backbone, by name."""
    return {name: read_backbone(folder / name) for name in names}
