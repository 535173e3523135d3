"""Settings of a test of the trained LFTs: an entry of the section ``lft_tests``."""

from eegdiffusion.events.training.ablation_row import LFTTest

__all__ = ["LFTTest"]
