"""Arms of a reconstruction: what is kept, taken away or replaced, and which differences are asked for."""

from collections.abc import Collection
from dataclasses import dataclass

MEANING = {
    "full": "semantics and structure from EEG",
    "semantics_only": "semantics from EEG, no structure",
    "structure_only": "structure from EEG, no semantics",
    "zeroed_eeg": "the same with EEG of zeros",
    "shuffled_eeg": "the same with the EEG of another test image",
    "oracle_structure": "semantics from EEG, structure of the picture seen",
    "ridge": "semantics by ridge regression from EEG, no structure",
    "condiffusion": "EEG-ConDiffusion",
    "condiffusion_zeroed": "EEG-ConDiffusion with EEG of zeros",
    "condiffusion_shuffled": "EEG-ConDiffusion with the EEG of another test image",
}
"""Meaning of each arm, in the order in which they are shown."""


@dataclass(frozen=True)
class System:
    """A model and its arms.

    Attributes:
        name: name of the model.
        full: name of the arm that uses all of the EEG.
        controls: names of the arms in which the EEG says nothing about the image.
        others: names of further arms that the full one is compared with.
    """

    name: str
    full: str
    controls: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of all arms, the full one first."""
        return (self.full, *self.others, *self.controls)

    def of(self, arms: Collection[str]) -> "System":
        """Return the system with those of its controls and other arms that are among ``arms``."""
        controls, others = (tuple(arm for arm in part if arm in arms) for part in (self.controls, self.others))
        return System(self.name, self.full, controls, others)


SYSTEMS = (
    System(
        name="SGDM",
        full="full",
        controls=("zeroed_eeg", "shuffled_eeg"),
        others=("semantics_only", "structure_only", "oracle_structure", "ridge"),
    ),
    System(
        name="EEG-ConDiffusion",
        full="condiffusion",
        controls=("condiffusion_zeroed", "condiffusion_shuffled"),
        others=("ridge",),
    ),
)
