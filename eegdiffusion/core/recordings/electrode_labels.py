"""Electrodes of the 10-20 system by the labels that recorders give them."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from eegdiffusion.core.signal.derivations import SAME_PLACE, canonical

MASTOIDS = {"M1": "A1", "M2": "A2"}
"""Electrodes behind the ears, which stand for those on the ears where there are none."""

# A common reference cancels in a derivation: the ears, the mastoids, an average, or a place that the montage lacks. An
# electrode of the montage behind the hyphen makes a bipolar derivation.
_REFERENCE = (
    r"REF1?|LE|LER|AR|AVG|AVE|AV|AVERAGE|CAR|AA|ORG|COM|COMMON|LINKED|A1A2|A2A1|A1\+A2|M1M2|M2M1|M1\+M2|\(?\(A1\+A2\)/2\)?"
    r"|\(?\(M1\+M2\)/2\)?|CPZ|FCZ|AFZ|NOSE|NZ|G1|G2|TP9|TP10|CMS"
)
# MNE, and some recorders, number labels that occur twice; PhysioNet pads names with dots.
_PREFIX, _NUMBERED = r"(?:(?:EEG|POL|E)[ _:-]+|EEG)?", r"(?:[:-]\d|[-_])?"
_ELECTRODE = r"[A-Z]{1,2}(?:\d{1,2}|Z)"
_LABEL = re.compile(
    rf"{_PREFIX}(?P<electrode>{_ELECTRODE})\.*(?:[ _]*[-:/ _.][ _]*\(?(?P<reference>{_REFERENCE})\)?)?{_NUMBERED}"
)
_BIPOLAR_LABEL = re.compile(
    rf"{_PREFIX}(?P<anode>{_ELECTRODE})[ _]*[-\u2013:/_][ _]*(?P<cathode>{_ELECTRODE}){_NUMBERED}"
)
# Caps of 64 to 256 sites that are numbered by rows A, B, C, ...: their A1 is at the vertex, and their C3 is not C3.
_NUMBERED_CAP = {"A": range(3, 33), "C": range(7, 33)}


class ElectrodeLabel(NamedTuple):
    """What a label says.

    Attributes:
        electrode: name of the electrode, upper-case, as the 10-20 system calls it.
        reference: what its signal is against, upper-case; empty where the label does not say.
        renamed: whether the user said so.
    """

    electrode: str
    reference: str = ""
    renamed: bool = False


def read_label(label: str, rename: Mapping[str, str]) -> ElectrodeLabel | None:
    """Read a label such as ``EEG FP1-REF``, ``Fp1.``, ``POL Fp1``, ``EEG Fp1-A1A2``, ``Fp1-Ref:1`` or ``T7``.

    Args:
        label: label of a channel.
        rename: names that stand for electrodes, upper-case.

    Returns:
        electrode and reference; None where it names none, or a derivation of two electrodes.
    """
    text = unicodedata.normalize("NFKC", label).strip().upper()
    match = _LABEL.fullmatch(text)
    reference = (match["reference"] or "").strip("()").removesuffix(")/2").replace("+", "") if match else ""
    if text in rename:
        return ElectrodeLabel(rename[text], reference, True)
    if match is None:
        return None
    name = match["electrode"]
    if name in rename:
        return ElectrodeLabel(rename[name], reference, True)
    return ElectrodeLabel(SAME_PLACE.get(name, name), reference)


@dataclass(frozen=True)
class RecordedChannel:
    """What a channel of a recording is the difference of.

    Attributes:
        electrode: name of the electrode, upper-case, as the 10-20 system calls it.
        against: the other electrode or the reference, upper-case; empty where the label does not say.
        bipolar: whether the label names two electrodes.
        renamed: whether the user said so.
    """

    electrode: str
    against: str
    bipolar: bool = False
    renamed: bool = False


def read_channels(
    labels: Sequence[str | None], rename: Mapping[str, str], references: Mapping[str, str]
) -> list[RecordedChannel | None]:
    """Read what each channel of a recording is the difference of.

    Args:
        labels: labels of the channels; None for one that must not be used.
        rename: further names of electrodes, or labels of derivations, in any case: ``{"X1": "A1"}``.
        references: electrodes whose signal is against another reference than their label says, and that one.

    Returns:
        None for a channel that is of no electrode.
    """
    names = {canonical(other): canonical(name) for other, name in rename.items()}
    stated = {canonical(electrode): canonical(reference) for electrode, reference in references.items()}
    read = _leave_out_numbered_sites([label if label is None else read_label(label, names) for label in labels])
    channels: list[RecordedChannel | None] = []
    for label, electrode in zip(labels, read, strict=True):
        if electrode and "-" not in electrode.electrode:
            against = stated.get(electrode.electrode, electrode.reference)
            channels.append(RecordedChannel(electrode.electrode, against, renamed=electrode.renamed))
        else:
            channels.append(label if label is None else _read_bipolar(label, names))
    return _with_common_reference(channels)


def _read_bipolar(label: str, rename: Mapping[str, str]) -> RecordedChannel | None:
    """Read a label of a derivation such as ``FP1-F7``, ``EEG T7-P7`` or ``T8-P8-1``."""
    text = unicodedata.normalize("NFKC", label).strip().upper()
    match = _BIPOLAR_LABEL.fullmatch(rename.get(canonical(text), text))
    if match is None:
        return None
    anode, cathode = (rename.get(name, SAME_PLACE.get(name, name)) for name in match.groups())
    return RecordedChannel(anode, cathode, bipolar=True)


def _with_common_reference(channels: Sequence[RecordedChannel | None]) -> list[RecordedChannel | None]:
    """Let electrodes that the user named have the reference of the others, unless both say one and it is another."""
    others = {channel.against for channel in channels if channel and not channel.bipolar and not channel.renamed}
    if len(others) != 1:
        return list(channels)
    (common,) = others
    return [
        replace(channel, against=common)
        if channel and channel.renamed and not (channel.against and common)
        else channel
        for channel in channels
    ]


def _leave_out_numbered_sites(read: Sequence[ElectrodeLabel | None]) -> list[ElectrodeLabel | None]:
    """Take no site of a numbered cap for an electrode of the 10-20 system."""
    names = {label.electrode for label in read if label and not label.renamed}
    rows = {row for row, beyond in _NUMBERED_CAP.items() if any(f"{row}{number}" in names for number in beyond)}
    numbered = {f"{row}{number}" for row in rows for number in range(1, 33)}
    return [None if label and not label.renamed and label.electrode in numbered else label for label in read]
