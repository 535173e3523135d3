"""Numbers of the papers, quoted in ``published.yaml`` beside this module; nothing of them is computed here."""

from pathlib import Path

import yaml

PUBLISHED = Path(__file__).with_name("published.yaml")


def read_published_results() -> dict:
    """Read the papers' numbers: ``models``, ``chbmit``, ``ablations``, ``retrieval``, ``classification``, ..."""
    return yaml.safe_load(PUBLISHED.read_text())
