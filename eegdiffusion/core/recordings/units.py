"""Units of voltage as recorders spell them, in every format that is read."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eegdiffusion.core.recordings import brainvision_header
from eegdiffusion.core.runtime.errors import InputError

if TYPE_CHECKING:
    import mne

# Each of these was a micro sign before it was written in one encoding and read in another. No other prefix of volts is
# outside ASCII, so that what an encoder put in its place is told as well.
_MICRO = (
    "\u00b5",  # micro sign: Latin-1, Windows, Mac
    "\u03bc",  # Greek letter mu
    "\u00c2\u00b5",  # micro sign in UTF-8, read as Latin-1
    "\u00ce\u00bc",  # mu in UTF-8, read as Latin-1
    "\u00e6",  # micro sign in code pages 437 and 850
    "\u00ec",  # mu in ISO 8859-7 and Windows-1253
    "\u0083\u00ca",  # mu in Shift-JIS
    "\u00a6\u00cc",  # mu in EUC-JP and GBK
    "\ufffd",  # what decoders put in the place of what they cannot read
    "\u00ef\u00bf\u00bd",  # the same, written in UTF-8 and read as Latin-1
    "?",  # what encoders put in the place of what they cannot write
)
_MICRO_SIGN = re.compile("|".join(re.escape(text) for text in sorted(_MICRO, key=len, reverse=True)))

# The case of a prefix counts where both exist: mV are millivolts, MV are megavolts.
_PREFIXES = {"p": 1e-6, "n": 1e-3, "u": 1.0, "m": 1e3, "": 1e6, "k": 1e9, "M": 1e12}
_PREFIX_WORDS = {"pico": "p", "nano": "n", "micro": "u", "mikro": "u", "milli": "m", "kilo": "k", "mega": "M"}
_SYMBOL = re.compile(r"(?P<prefix>[pPnNuUmkK]?)[vV](?:olts?)?\.?|(?P<mega>M)V")
_WORD = re.compile(rf"(?P<word>{'|'.join(_PREFIX_WORDS)})?[ _-]?v(?:olts?)?\.?", re.IGNORECASE)
_POWER = re.compile(r"(?:1[xX*]?)?(?:10(?:\^|\*\*)?|1[eE])(?P<power>[+-]?\d{1,2})[ *]*[vV](?:olts?)?")

_POWERS = {-12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M"}


def microvolts_per_unit(unit: str) -> float | None:
    """Return the microvolts in a unit of voltage, however it is spelled; None where it is none.

    Args:
        unit: text of the unit as a header has it, decoded by any one-byte or by the right encoding: ``uV``, ``µV`` with
            either character or its usual garblings, ``microvolts``, ``10^-6 V``, ``mV``, ``V``, ``nV`` and so on.
    """
    text = _MICRO_SIGN.sub("u", unit.replace("\0", " ").strip().strip("[]()")).strip()
    if match := _SYMBOL.fullmatch(text):
        return _PREFIXES[match["mega"] or match["prefix"].lower()]
    if match := _WORD.fullmatch(text):
        return _PREFIXES[_PREFIX_WORDS[match["word"].lower()] if match["word"] else ""]
    match = _POWER.fullmatch(text)
    prefix = _POWERS.get(int(match["power"])) if match else None
    return None if prefix is None else _PREFIXES[prefix]


def require_microvolts(path: Path, channel: str, unit: str) -> float:
    """Return the microvolts in a channel's unit.

    Args:
        path: file of the recording, for the error.
        channel: label of the channel, for the error.
        unit: text of its unit.

    Raises:
        InputError: the unit is missing or none of voltage; the message names file, channel and unit.
    """
    factor = microvolts_per_unit(unit)
    if factor is None:
        raise InputError(f"{path}: {channel}: unit: must be one of voltage, such as uV, mV or V (found {unit!r})")
    return factor


# Volts in each unit of which MNE knows the spelling; of others it returns the numbers as they are in the file.
_MNE_BRAINVISION = {"V": 1.0, "mV": 1e-3, "\u00b5V": 1e-6, "uV": 1e-6, "nV": 1e-9}


def microvolts_per_value(raw: "mne.io.BaseRaw", path: Path, channels: Sequence[str]) -> np.ndarray:
    """Return the factors by which values that MNE reads become microvolts: 1e6 where it gives volts.

    MNE gives volts where it knows the spelling of a unit, and the numbers of the file where it does not.

    Args:
        raw: a BrainVision, FIF or EEGLAB recording that MNE opened.
        path: its file.
        channels: labels of the channels in question, as MNE has them.

    Returns:
        (channels,) float64 factors.

    Raises:
        InputError: a channel's unit is none of voltage; the message names file, channel and unit.
    """
    name = path.name.lower()
    if not name.endswith(".vhdr"):  # FIF has volts, and EEGLAB microvolts, which MNE makes volts
        return np.full(len(channels), 1e6)
    units = brainvision_header.channel_units(path)
    unit_of = dict(zip(raw.ch_names, units, strict=False))
    factors = [
        require_microvolts(path, channel, unit_of[channel]) / _MNE_BRAINVISION.get(_as_mne_reads(unit_of[channel]), 1.0)
        for channel in channels
    ]
    return np.array(factors)


def _as_mne_reads(unit: str) -> str:
    """Return a unit of a header that was read as Latin-1 as MNE decodes it."""
    return unit.replace("\u00c2\u00b5", "\u00b5")
