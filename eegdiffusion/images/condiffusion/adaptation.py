"""How EEG-ConDiffusion adapted a generator, and which generator and classifier its trained parts belong to."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from eegdiffusion.core.runtime.errors import InputError

AdaptationKind = Literal["full", "lora"]

FILE = "condiffusion.json"


@dataclass(frozen=True)
class Adaptation:
    """How a generator was adapted, as ``condiffusion.json`` says.

    Attributes:
        kind: ``full``: the layers themselves were trained; ``lora``: low-rank adapters of them (Hu et al. 2021,
            arXiv:2106.09685).
        rank: rank of the adapters.
        generator: folder of the generator, the rest of which stayed frozen.
        classifier: folder of the EEG classifier, which stayed frozen.
    """

    kind: AdaptationKind
    rank: int
    generator: str
    classifier: str

    def write(self, folder: Path) -> None:
        """Write ``condiffusion.json`` to a folder that exists."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2))


def read_adaptation(folder: Path) -> Adaptation:
    """Read ``condiffusion.json``.

    Raises:
        InputError: there is no such file.
    """
    if not (folder / FILE).is_file():
        raise InputError(f"{folder / FILE}: no such file; train_condiffusion writes it")
    return Adaptation(**json.loads((folder / FILE).read_text()))
