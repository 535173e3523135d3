"""Settings of one row of an ablation."""

from eegdiffusion.core.runtime.settings import settings


@settings
class Row:
    """An entry of the section ``ablations``: what differs from the LFT of ``finetune_lft``."""

    family: str
    """Table of the report that the row stands in."""
    name: str
    """Its name there."""
    latents: str
    """Entry of the section latents that the LFT is trained on."""
    test_latents: str
    """The one that it is tested on."""
    model: dict
    """Fields of ``finetune_lft.model`` that differ."""
