"""Results of the probes of cached latents."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas

from eegdiffusion.core.runtime.files import require_file


@dataclass(frozen=True)
class ProbeResults:
    """What probes found in the latents of a backbone.

    Attributes:
        table: a row for each probe: features, probe, fraction, channels, draws, metrics, low, high.
        worth: fraction, against, and the difference of the pretrained backbone's balanced accuracy: mean, low, high.
    """

    table: pandas.DataFrame
    worth: pandas.DataFrame


def read_probes(folder: Path) -> ProbeResults:
    """Read ``probes.csv`` and ``worth.json`` of one entry of ``latents``."""
    worth = json.loads(require_file(folder / "worth.json").read_text())
    return ProbeResults(pandas.read_csv(require_file(folder / "probes.csv")), pandas.DataFrame(worth))
