"""How the channels of a montage follow from what a recording has.

A recorded channel is the difference of two potentials: of an electrode and its reference, or of two electrodes. Any
difference of two electrodes is a sum of recorded channels along a path between them, so that bipolar recordings are
taken as they are, referential ones are subtracted, and a reference that is itself an electrode (Cz, an ear) serves too.
Electrodes with references that nothing connects are never subtracted.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eegdiffusion.core.recordings.electrode_labels import MASTOIDS, RecordedChannel, read_channels, read_label
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal.derivations import canonical, electrodes_of
from eegdiffusion.core.signal.montages import Montage, read_montage


class Term(NamedTuple):
    """A recorded channel in a sum.

    Attributes:
        row: its position among the rows that are read.
        sign: 1 or -1.
    """

    row: int
    sign: int


@dataclass(frozen=True)
class DerivedChannels:
    """The channels of a montage as sums of recorded ones.

    Attributes:
        names: names of the montage's channels.
        rows: positions in the recording of the channels that are read, each once.
        recorded: what each of them is: an electrode, or a derivation.
        sums: the terms of each channel of the montage.
    """

    names: list[str]
    rows: list[int]
    recorded: list[str]
    sums: list[list[Term]]

    def derive(self, signals: np.ndarray) -> np.ndarray:
        """Compute the montage's channels: (rows, samples) in any unit -> (channels, samples)."""
        derived = np.zeros((len(self.sums), *signals.shape[1:]), signals.dtype)
        for row, signal in enumerate(signals):
            self.add(row, signal, derived)
        return derived

    def add(self, row: int, signal: np.ndarray, derived: np.ndarray) -> None:
        """Add what follows from one of the rows, (samples,), to the montage's channels (channels, samples)."""
        for out, terms in zip(derived, self.sums, strict=True):
            for other, sign in terms:
                if other == row:
                    (np.add if sign > 0 else np.subtract)(out, signal, out=out)


@dataclass(frozen=True)
class ChannelRecipe:
    """How the channels of a corpus's recordings become those of its montage.

    Attributes:
        montage: the montage.
        rename: labels or electrodes that are called otherwise, and what they are.
        references: electrodes whose signal is against another reference than their label says, and that one.
    """

    montage: Montage
    rename: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict:
        """Return the recipe as plain data, which :func:`read_recipe` reads."""
        return {
            "montage": self.montage.document(),
            "rename": dict(self.rename),
            "references": dict(self.references),
        }

    def derive(
        self, path: Path, labels: Sequence[str | None], same: Callable[[Sequence[int]], bool] | None = None
    ) -> DerivedChannels:
        """Find out how the montage's channels follow from those of a recording; see :func:`derive_channels`."""
        names = self.montage.names
        return derive_channels(path, labels, names, rename=self.rename, references=self.references, same=same)


def read_recipe(document: Mapping) -> ChannelRecipe:
    """Return the recipe that :meth:`ChannelRecipe.document` wrote."""
    return ChannelRecipe(read_montage(document["montage"]), document["rename"], document["references"])


def derive_channels(
    path: Path,
    labels: Sequence[str | None],
    names: Sequence[str],
    *,
    rename: Mapping[str, str] | None = None,
    references: Mapping[str, str] | None = None,
    same: Callable[[Sequence[int]], bool] | None = None,
) -> DerivedChannels:
    """Find out how the channels of a montage follow from those of a recording.

    Args:
        path: file of the recording, for errors.
        labels: labels of its channels; None for one that must not be used.
        names: channels of the montage: derivations, electrodes, or labels as the recording has them.
        rename: labels or electrodes of the recording that are called otherwise, and what they are: ``{"X1": "A1"}``.
        references: electrodes whose signal is against another reference than their label says, and that one.
        same: (positions) -> whether channels of one label hold the same samples; the first is taken then.

    Returns:
        the rows to read, sorted by what they are, and the sums.

    Raises:
        InputError: the recording lacks an electrode, has one twice, or its electrodes have references that do not
            cancel; the message names file, derivations and electrodes.
    """
    recording = _Recording(path, read_channels(labels, rename or {}, references or {}), labels, same)
    return _derived(recording, names, recording.connect(names))


def derive_some_channels(
    path: Path,
    labels: Sequence[str | None],
    names: Sequence[str],
    *,
    rename: Mapping[str, str] | None = None,
    references: Mapping[str, str] | None = None,
) -> tuple[DerivedChannels, dict[str, str]]:
    """Find out which channels of a montage follow from those of a recording, and how; see :func:`derive_channels`.

    Args:
        path: file of the recording.
        labels: labels of its channels; None for one that must not be used.
        names: channels of the montage.
        rename: labels or electrodes of the recording that are called otherwise, and what they are.
        references: electrodes whose signal is against another reference than their label says, and that one.

    Returns:
        the rows to read and the sums of the channels that follow, in the montage's order; of the others, why not.
    """
    recording = _Recording(path, read_channels(labels, rename or {}, references or {}), labels, None)
    paths: dict[str, list[tuple[int, int]]] = {}
    lacking: dict[str, str] = {}
    for name in names:
        if absent := recording.absent(name):
            lacking[name] = ", ".join(f"{electrode}: is not recorded" for electrode in absent)
            continue
        try:
            paths[name] = recording.connect([name])[0]
        except InputError as error:
            lacking[name] = str(error).removeprefix(f"{path}: channels: ")
    return _derived(recording, list(paths), list(paths.values())), lacking


def _derived(recording: "_Recording", names: Sequence[str], paths: Sequence[list[tuple[int, int]]]) -> DerivedChannels:
    used = sorted({k for steps in paths for k, _ in steps}, key=lambda k: (recording.name_of(k), k))
    row = {k: number for number, k in enumerate(used)}
    sums = [[Term(row[k], sign) for k, sign in steps] for steps in paths]
    return DerivedChannels(list(names), used, [recording.name_of(k) for k in used], sums)


class _Recording:
    """Recorded channels as edges between electrodes and references."""

    def __init__(
        self,
        path: Path,
        channels: Sequence[RecordedChannel | None],
        labels: Sequence[str | None],
        same: Callable[[Sequence[int]], bool] | None,
    ):
        self._path, self._labels, self._same = path, [label for label in labels if label is not None], same
        self._channels = {k: channel for k, channel in enumerate(channels) if channel}
        # Other labels; a numbered site that is called like an electrode is none of these, nor an electrode.
        self._others: dict[str, list[int]] = {}
        for k, label in enumerate(labels):
            if label is not None and k not in self._channels and read_label(label, {}) is None:
                self._others.setdefault(canonical(label), []).append(k)
        self._of_ends: dict[tuple[str, str], list[int]] = {}
        for k, channel in self._channels.items():
            self._of_ends.setdefault((channel.electrode, channel.against), []).append(k)
        self.nodes = {channel.electrode for channel in self._channels.values()}
        self.nodes |= {channel.against for channel in self._channels.values() if channel.against}

    def name_of(self, k: int) -> str:
        """Return what a recorded channel is: an electrode, a derivation, or its label."""
        if k not in self._channels:
            return next(label for label, positions in self._others.items() if k in positions)
        channel = self._channels[k]
        return f"{channel.electrode}-{channel.against}" if channel.bipolar else channel.electrode

    def connect(self, names: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return the recorded channels and signs that each channel of a montage is the sum of."""
        paths: list[list[tuple[int, int]]] = []
        missing: dict[str, list[str]] = {}
        apart: dict[str, None] = {}
        for name in names:
            if positions := self._others.get(canonical(name)):
                paths.append([(self._only(positions, name), 1)])
                continue
            electrodes = electrodes_of(name)
            ends = [node for electrode in electrodes if (node := self._known(electrode))]
            if len(ends) < len(electrodes):
                for electrode in electrodes:
                    if self._known(electrode) is None:
                        missing.setdefault(electrode, []).append(name)
            elif len(ends) == 1:
                paths.append(self._recorded_electrode(ends[0], name))
            elif steps := self._way(*ends):
                paths.append(steps)
            else:
                apart |= dict.fromkeys(ends)
        self._refuse(missing, list(apart))
        return paths

    def absent(self, name: str) -> list[str]:
        """Return the electrodes that a channel of a montage needs and the recording has not."""
        if canonical(name) in self._others:
            return []
        return [electrode for electrode in electrodes_of(name) if self._known(electrode) is None]

    def _refuse(self, missing: Mapping[str, Sequence[str]], apart: Sequence[str]) -> None:
        if missing:
            wanted = dict.fromkeys(name for names in missing.values() for name in names)
            rule = f"the montage needs {', '.join(sorted(missing))}, for {', '.join(wanted)}"
            raise InputError(f"{self._path}: channels: {rule} (found {', '.join(self._labels) or 'none'})")
        if apart:
            listed = ", ".join(self._described(electrode) for electrode in apart)
            raise InputError(
                f"{self._path}: channels: must have one reference, which cancels in a derivation (found {listed})"
            )

    def _described(self, electrode: str) -> str:
        against = [end for (node, end) in self._of_ends if node == electrode]
        against += [node for (node, end) in self._of_ends if end == electrode]
        return f"{electrode} against {' and '.join(end or 'none that is named' for end in against)}"

    def _known(self, electrode: str) -> str | None:
        """Return the node of an electrode: itself, or the mastoid that stands for an ear that is not there."""
        if electrode in self.nodes:
            return electrode
        mastoid = next((mastoid for mastoid, ear in MASTOIDS.items() if ear == electrode), "")
        return mastoid if mastoid in self.nodes else None

    def _only(self, positions: Sequence[int], name: str) -> int:
        """Return the one channel, or the first of several that hold the same samples."""
        if len(positions) > 1 and not (self._same and self._same(positions)):
            raise InputError(
                f"{self._path}: channels: {name} must occur once (found {len(positions)} times"
                f"{', with other samples' if self._same else ''})"
            )
        return positions[0]

    def _recorded_electrode(self, electrode: str, name: str) -> list[tuple[int, int]]:
        """Return the one channel that an electrode is recorded in, whatever its reference."""
        ends = [(node, end) for (node, end) in self._of_ends if node == electrode]
        plain = [pair for pair in ends if not self._channels[self._of_ends[pair][0]].bipolar]
        several = plain or ends
        if len(several) != 1:
            rule = "must be recorded once, against one reference"
            listed = ", ".join(f"{node}-{end or '?'}" for node, end in several) or "derivations of it alone"
            raise InputError(f"{self._path}: channels: {name}: {rule} (found {listed})")
        return [(self._only(self._of_ends[several[0]], name), 1)]

    def _way(self, start: str, end: str) -> list[tuple[int, int]] | None:
        """Return the shortest way from one electrode to another: channel and sign of each step; None for no way."""
        came: dict[str, tuple[str, tuple[str, str], int]] = {}
        queue = deque([start])
        while queue and end not in came:
            node = queue.popleft()
            for pair in self._of_ends:
                for near, far, sign in ((*pair, 1), (*pair[::-1], -1)):
                    if near == node and far not in came and far != start:
                        came[far] = (node, pair, sign)
                        queue.append(far)
        if end not in came:
            return None
        steps: list[tuple[int, int]] = []
        while end != start:
            end, pair, sign = came[end]
            steps.append((self._only(self._of_ends[pair], self._pair_name(pair)), sign))
        return steps[::-1]

    def _pair_name(self, pair: tuple[str, str]) -> str:
        bipolar = self._channels[self._of_ends[pair][0]].bipolar
        return "-".join(pair) if bipolar else pair[0]
