"""Whether signals have the amplitude of scalp EEG in their unit, each electrode beside the others."""

from collections.abc import Callable, Sequence

import numpy as np

from eegdiffusion.core.runtime.errors import InputError

PLAUSIBLE_UV = (0.5, 2000.0)
"""Least and largest median standard deviation of unfiltered scalp EEG over electrodes in microvolts, drift included."""

SCALES = 100.0
"""Factor to the others' amplitude, or from it, at which an electrode is of another scale; units differ by 1000."""

FLAT_UV = 1e-6
"""An electrode that varies less is flat; it is reported where it is used."""

SEGMENTS, SEGMENT_S = 3, 10
"""Amplitude is measured on so many segments of so many seconds, spread over a recording."""

_MISTAKES = {1e-6: "uV read as V", 1e-3: "uV read as mV, or nV as uV", 1e3: "mV read as uV", 1e6: "V read as uV"}
"""What makes signals too large or too small, by the factor that mends it."""

_USUAL_UV = 20.0


def read_segments(read: Callable[[int, int], np.ndarray], samples: int, sfreq: float) -> np.ndarray:
    """Read the segments on which amplitude is measured: (segments, channels, samples) in the unit that ``read`` gives.

    Args:
        read: (start, stop) -> (channels, samples).
        samples: length of the recording.
        sfreq: sampling rate in Hz.
    """
    length = min(samples, max(2, round(SEGMENT_S * sfreq)))
    starts = np.unique(np.linspace(0, samples - length, SEGMENTS).astype(int)).tolist()
    return np.stack([read(start, start + length) for start in starts])


def likely_mistake(typical_uv: float) -> str | None:
    """Name the mistake about units that brings a median standard deviation nearest to that of EEG; None for none."""
    if not 0 < typical_uv < np.inf:
        return None
    factor = min(_MISTAKES, key=lambda factor: abs(np.log(typical_uv * factor / _USUAL_UV)))
    low, high = PLAUSIBLE_UV
    return _MISTAKES[factor] if low <= typical_uv * factor <= high else None


def amplitude_fault(microvolts: np.ndarray) -> str | None:
    """Say why signals are not those of scalp EEG in microvolts as a whole; None where they are.

    Args:
        microvolts: (segments, electrodes, samples).
    """
    typical = float(np.median(np.nan_to_num(microvolts.std(axis=-1))))
    low, high = PLAUSIBLE_UV
    if low <= typical <= high:
        return None
    mistake = likely_mistake(typical)
    return (
        f"the electrodes' median standard deviation must lie in {low:g} to {high:g} uV "
        f"(found {typical:.3g}{f', as with {mistake}' if mistake else ''})"
    )


def other_scale(microvolts: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Find the electrodes whose signals are of another scale than those of the others.

    Both the amplitude and the steps from sample to sample must be: drift makes the first alone large, line noise the
    second. Flat electrodes do not count.

    Args:
        microvolts: (segments, electrodes, samples).
        names: names of the electrodes.

    Returns:
        how many times the others' median each of them has, by name.
    """
    outliers: dict[str, float] = {}
    levels = np.array([np.median(part.std(axis=-1), axis=0) for part in (microvolts, np.diff(microvolts))])
    used = (levels > FLAT_UV).all(axis=0)
    if used.sum() < 3:
        return outliers
    ratios = levels / np.median(levels[:, used], axis=1, keepdims=True)
    for name, ratio, counts in zip(names, ratios.T, used, strict=True):
        if counts and ((ratio > SCALES).all() or (ratio < 1 / SCALES).all()):
            outliers[name] = float(ratio[0])
    return outliers


def require_eeg_amplitude(microvolts: np.ndarray, names: Sequence[str], where: str) -> None:
    """Refuse signals that are no scalp EEG in microvolts, as a whole or an electrode of them.

    Args:
        microvolts: (segments, electrodes, samples).
        names: names of the electrodes.
        where: file and field, for the error.

    Raises:
        InputError: the median amplitude is not that of EEG, or an electrode is of another scale than the others.
    """
    if outliers := other_scale(microvolts, names):
        listed = ", ".join(f"{name} {ratio:.3g}" for name, ratio in outliers.items())
        raise InputError(
            f"{where}: every electrode must be of the others' scale, within {SCALES:g} times (found {listed} times "
            "their median; correct its unit, or mark it as bad)"
        )
    if fault := amplitude_fault(microvolts):
        raise InputError(f"{where}: {fault}")
