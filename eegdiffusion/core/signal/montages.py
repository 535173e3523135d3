"""Montages as data: lists of derivations or electrodes, each with the number by which a backbone knows it.

``montages.yaml`` beside this file holds those of the package; the section ``montages`` of ``params.yaml`` adds others.
A backbone is conditioned on the number of a channel: one of TUEV's 22 derivations, or, of a backbone that was
pretrained on a corpus with numbers of its own, the position in that corpus's montage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings, validate
from eegdiffusion.core.runtime.yaml_text import parse_yaml
from eegdiffusion.core.signal.derivations import canonical, distances_mm, electrodes_of, tcp_index
from eegdiffusion.core.signal.montage import BIPOLAR


@settings
class MontageChannel:
    """A channel of a montage."""

    channel: Annotated[str, MinLen(1)]
    """Derivation such as `FP1-F7`, electrode such as `TP9`, or the channel's label in the recordings."""
    id: Annotated[int, Ge(0)] | None = None
    """Number of one of TUEV's 22 derivations, whose place the channel takes; null: its own, or the nearest one's."""


Montages = dict[Name, Annotated[list[str | MontageChannel], MinLen(1)]]
"""The section ``montages``: channels of each montage, by its name; a text stands for a channel without ``id``."""

ChannelIds = Literal["tcp22", "own"]
"""What the numbers of channels count: TUEV's 22 derivations, or the channels of the corpus's own montage."""

Basis = Literal["same", "reversed", "stated", "nearest", "own"]
"""Why a channel has its number: it is that derivation, or it with the other sign; by the user's word; by place; own."""


@dataclass(frozen=True)
class NumberedChannel:
    """A channel of a montage with its number.

    Attributes:
        name: derivation or electrode.
        id: its number, which conditions the backbone.
        basis: why it is this one.
        distance_mm: how far the channel lies from the derivation of that number; None where places are not known.
    """

    name: str
    id: int
    basis: Basis
    distance_mm: float | None = None


@dataclass(frozen=True)
class Montage:
    """Channels of a corpus, in order.

    Attributes:
        name: of the montage.
        channels: the channels.
        id_names: the derivations that the numbers count.
    """

    name: str
    channels: list[NumberedChannel]
    id_names: list[str]

    @property
    def names(self) -> list[str]:
        """Names of the channels."""
        return [channel.name for channel in self.channels]

    @property
    def ids(self) -> list[int]:
        """Number of each channel."""
        return [channel.id for channel in self.channels]

    def document(self) -> dict:
        """Return the montage as plain data; :func:`read_montage` reads it."""
        return asdict(self)


def read_montage(document: dict) -> Montage:
    """Return the montage that :meth:`Montage.document` wrote."""
    return Montage(document["name"], [NumberedChannel(**row) for row in document["channels"]], document["id_names"])


@cache
def packaged() -> dict[str, list[str | MontageChannel]]:
    """Return the montages of the package, by name."""
    path = files("eegdiffusion.core.signal").joinpath("montages.yaml")
    return validate(parse_yaml(path.read_text("utf-8"), str(path)), Montages, str(path))


def choose_montage(
    name: str, own: Mapping[str, Sequence[str | MontageChannel]] | None = None, ids: ChannelIds = "tcp22"
) -> Montage:
    """Return a montage with a number for each channel.

    Args:
        name: of a montage of the package, or of the user.
        own: the user's montages, the section ``montages``.
        ids: what the numbers count.

    Raises:
        InputError: there is no such montage, the user's is called as one of the package, a channel occurs twice, or has
            neither number nor place.
    """
    own = own or {}
    if taken := sorted(own.keys() & packaged().keys()):
        rule = "must have another name, as the package has a montage of this one"
        raise InputError(*(f"params.yaml: montages.{other}: {rule}" for other in taken))
    montages = {**packaged(), **own}
    if name not in montages:
        listed = ", ".join(montages)
        raise InputError(f"params.yaml: montages: must have {name!r} (found {listed}){nearest(name, montages)}")
    channels = [MontageChannel(channel=entry) if isinstance(entry, str) else entry for entry in montages[name]]
    where = f"params.yaml: montages.{name}"
    if not channels:
        raise InputError(f"{where}: must have a channel")
    names = [canonical(channel.channel) for channel in channels]
    if twice := sorted({known for known in names if names.count(known) > 1}):
        raise InputError(f"{where}: {', '.join(twice)} must occur once")
    if ids == "own":
        numbered = [NumberedChannel(channel.channel, k, "own") for k, channel in enumerate(channels)]
        return Montage(name, numbered, [channel.channel for channel in channels])
    return Montage(name, [number(channel, where) for channel in channels], list(BIPOLAR))


def number(channel: MontageChannel, where: str) -> NumberedChannel:
    """Give a channel the number of one of TUEV's 22 derivations.

    Args:
        channel: the channel, as a montage has it.
        where: file and field, for the error.

    Raises:
        InputError: the number is none of a derivation, or is not said and cannot be found by place.
    """
    if channel.id is not None and channel.id >= len(BIPOLAR):
        raise InputError(
            f"{where}: {channel.channel}: id: must be from 0 to {len(BIPOLAR) - 1}, a derivation of TUEV (found "
            f"{channel.id})"
        )
    known = tcp_index(channel.channel)
    if known is not None and channel.id in (None, known):
        same = electrodes_of(channel.channel) == electrodes_of(BIPOLAR[known])
        return NumberedChannel(channel.channel, known, "same" if same else "reversed", 0.0)
    distances = distances_mm(electrodes_of(channel.channel))
    if channel.id is not None:
        apart = None if distances is None else round(float(distances[channel.id]), 1)
        return NumberedChannel(channel.channel, channel.id, "stated", apart)
    if distances is None:
        raise InputError(
            f"{where}: {channel.channel}: id: must be stated, as MNE's standard_1005 has no place for it; or let the "
            "corpus have `channel_ids: own`, for a backbone that is pretrained on it"
        )
    best = int(distances.argmin())
    return NumberedChannel(channel.channel, best, "nearest", round(float(distances[best]), 1))


def ids_sentence(montage: Montage) -> str:
    """Say in a sentence how the channels of a montage came by their numbers."""
    count = len(montage.channels)
    if all(channel.basis == "own" for channel in montage.channels):
        return (
            f"The {count} channels have numbers of their own, which backbones learn that are pretrained on this corpus."
        )
    parts = []
    exact = [channel for channel in montage.channels if channel.basis in ("same", "reversed")]
    if exact:
        which = "all of them" if len(exact) == count else f"{len(exact)} of the {count} channels"
        parts.append(f"{which} are derivations of the backbone's 22")
    for basis, words in (("nearest", "the nearest derivation"), ("stated", "the derivation that the montage states")):
        chosen = [channel for channel in montage.channels if channel.basis == basis]
        listed = ", ".join(f"{channel.name} as {_stands_for(montage, channel)}" for channel in chosen)
        if chosen:
            parts.append(f"{len(chosen)} {'has' if len(chosen) == 1 else 'have'} the number of {words}: {listed}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _stands_for(montage: Montage, channel: NumberedChannel) -> str:
    distance = "" if channel.distance_mm is None else f" ({channel.distance_mm:.0f} mm away)"
    return f"{montage.id_names[channel.id]}{distance}"
