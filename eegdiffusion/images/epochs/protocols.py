"""Which subjects an encoder is trained on and which it is tested on."""

from dataclasses import dataclass
from typing import Literal

from eegdiffusion.core.runtime.errors import InputError

Protocol = Literal["within", "joint", "leave_one_out", "anchor"]

JOINT_FOLD = "all"
"""Name of the only fold of the protocol ``joint``."""

MEANING = {
    "within": "trained and tested on one subject",
    "joint": "trained on all subjects, tested on each of them",
    "leave_one_out": "trained on all other subjects, tested on the one left out",
    "anchor": "trained on one subject, tested on each of the others",
}


@dataclass(frozen=True)
class Fold:
    """One training of a protocol.

    Attributes:
        name: name of its folder.
        train: training subjects.
        test: test subjects.
    """

    name: str
    train: list[str]
    test: list[str]


def folds(protocol: Protocol, subjects: list[str], chosen: list[str] | None = None) -> list[Fold]:
    """List the trainings of a protocol.

    Args:
        protocol: within, joint, leave_one_out or anchor.
        subjects: names of all subjects of the corpus.
        chosen: names of those that are tested (``within``, ``leave_one_out``), that anchor (``anchor``), or that take
            part (``joint``); None: all, of which the first one anchors.

    Raises:
        InputError: one is not in the corpus, or there are too few.
    """
    if missing := sorted(set(chosen or ()) - set(subjects)):
        raise InputError(f"subjects: must be among {', '.join(subjects)} (found {', '.join(missing)})")
    if protocol in ("leave_one_out", "anchor") and len(subjects) < 2:
        raise InputError(f"protocol {protocol}: needs two or more subjects (found {len(subjects)})")
    used = chosen or subjects
    match protocol:
        case "joint":
            return [Fold(JOINT_FOLD, used, used)]
        case "within":
            return [Fold(name, [name], [name]) for name in used]
        case "leave_one_out":
            return [Fold(name, [other for other in subjects if other != name], [name]) for name in used]
        case "anchor":
            anchors = chosen or subjects[:1]
            return [Fold(name, [name], [other for other in subjects if other != name]) for name in anchors]
    raise InputError(f"protocol: must be one of {', '.join(MEANING)} (found {protocol!r})")
