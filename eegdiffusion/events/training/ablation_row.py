"""One row of an ablation of the LFT."""

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
    """Entry of the section ``latents`` that the LFT is trained on."""
    test_latents: Name
    """Entry of the section ``latents`` that the LFT is tested on."""
    model: dict
    """Fields of ``finetune_lft.model`` that differ."""
