"""Which of a model's channels a recording gave, which windows used them, what was left out, and what that is worth."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eegdiffusion.core.recordings.electrode_recording import ElectrodeRecording, channel_name, reasons_text
from eegdiffusion.events.prediction.derived_signals import DerivedSignals
from eegdiffusion.events.results.tested_subsets import TestedSubset, TestedSubsets


@dataclass(frozen=True)
class ChannelUse:
    """The channels behind a recording's events.

    Attributes:
        montage: the model's channels.
        sources: channel that was used -> what it is the difference of, such as ``FP1 - F7``.
        shares: channel that was used -> share of the windows with a prediction that used it.
        lacking: channel that was not used -> why.
        left_out: what else the recording has of electrodes that was not used, and why.
        tested: what the model was tested on; None where it carries no such scores.
    """

    montage: list[str]
    sources: dict[str, str]
    shares: dict[str, float]
    lacking: dict[str, str]
    left_out: dict[str, str]
    tested: TestedSubsets | None

    @property
    def nearest(self) -> TestedSubset | None:
        """The tested subset whose score says most of the channels that were used."""
        return self.tested.nearest(list(self.sources)) if self.tested else None

    def sentences(self) -> list[str]:
        """Say what was not used, and how the model did on as few channels; nothing where all were used throughout."""
        said = []
        if self.lacking:
            listed = reasons_text(self.lacking)
            said.append(f"{len(self.sources)} of the model's {len(self.montage)} channels are used, without {listed}")
        if fewer := {name: share for name, share in self.shares.items() if share < 1}:
            listed = ", ".join(f"{name} in {share:.0%}" for name, share in fewer.items())
            said.append(
                f"some channels are used in part of the windows alone, as they are constant or clipped: {listed}"
            )
        if said and self.tested and self.nearest:
            said.append(f"in the test of the model: {self.nearest.sentence()}")
            if self.tested.channel_dropout is None:
                said.append("WARNING: it was trained on all channels alone, not on subsets")
        return said

    def document(self) -> dict[str, Any]:
        """Return it as plain data for the file beside the events."""
        return {
            "channels": {
                name: {"recorded_as": source, "share_of_windows": round(self.shares[name], 6)}
                for name, source in self.sources.items()
            },
            "lacking": self.lacking,
            "left_out": self.left_out,
            "trained_on_subsets": bool(self.tested and self.tested.channel_dropout),
            "tested": asdict(self.nearest) if self.nearest else None,
        }


def channel_use(
    recording: ElectrodeRecording,
    signals: DerivedSignals,
    good: np.ndarray,
    montage: Sequence[str],
    tested: TestedSubsets | None,
) -> ChannelUse:
    """Collect which channels were used.

    Args:
        recording: the recording.
        signals: its derivations.
        good: (windows, channels) of bool, which of them each window used.
        montage: the model's channels.
        tested: what the model was tested on.
    """
    asked = good[good.any(axis=1)]
    shares = dict(zip(signals.channels, asked.mean(axis=0).tolist(), strict=True))
    lacking = {name: signals.lacking[name] for name in montage if name in signals.lacking}
    lacking |= {name: "is constant or clipped in all windows" for name, share in shares.items() if share == 0}
    sources = {
        name: " ".join(f"{'+' if sign > 0 else '-'} {signals.recorded[row]}" for row, sign in terms).removeprefix("+ ")
        for name, terms in zip(signals.channels, signals.derived.sums, strict=True)
        if name not in lacking
    }
    used = {name: share for name, share in shares.items() if name in sources}
    left_out = {channel_name(channel): reason for channel, reason in recording.left_out.items()}
    return ChannelUse(list(montage), sources, used, lacking, left_out, tested)
