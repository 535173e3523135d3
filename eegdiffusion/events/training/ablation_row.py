"""One row of an ablation of the LFT, trained anew or tested only."""

from dataclasses import field

from eegdiffusion.core.runtime.names import Name
from eegdiffusion.core.runtime.settings import settings


@settings
class AblationRow:
    """An entry of the section ``ablations``: what differs from the LFT of ``finetune_lft``."""

    family: Name
    """Table of the report that the row stands in."""
    name: str
    """Name of the row in that table."""
    latents: Name
    """Entry of the section ``latents`` that the LFT is trained and tested on."""
    model: dict
    """Fields of ``finetune_lft.model`` that differ."""
    training: dict = field(default_factory=dict)
    """Other fields of ``finetune_lft`` that differ, such as ``channel_dropout``."""


@settings
class LFTTest:
    """An entry of the section ``lft_tests``: other latents that the trained LFTs are tested on."""

    family: Name
    """Table of the report that the row stands in."""
    name: str
    """Name of the row in that table."""
    latents: Name
    """Entry of the section ``latents`` that the LFTs are tested on, made by the backbone that they were trained on."""
