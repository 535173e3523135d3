"""What a stage takes, before it runs: the contract between the rules of the stages and the plan.

A rule takes what the plan knows and the item of a stage, and returns a :class:`StageCost`. Seconds are not its
business: networks are operations that were counted, other work is the seconds that it took on the reference machine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import PARAMS, section, validate
from eegdiffusion.operations.configuration.sections import section_type
from eegdiffusion.operations.planning.corpus_size import CorpusSizes, EventCorpusSize, ImageCorpusSize
from eegdiffusion.operations.planning.counted_operations import Operations

NOTHING = Operations()


@dataclass(frozen=True)
class Phase:
    """A part of a stage that is done again and again.

    Attributes:
        what: what is done, in a few words.
        count: how often, at most.
        operations: what networks compute each time.
        reference_s: seconds that all else takes a core of the reference machine each time.
        cores: cores that share all else; 0: all.
        on_gpu: whether the operations run on a GPU where there is one.
        stops_early: whether it is of a training, which may stop early, and which devices share.
    """

    what: str
    count: float
    operations: Operations = NOTHING
    reference_s: float = 0.0
    cores: int = 1
    on_gpu: bool = True
    stops_early: bool = False


@dataclass(frozen=True)
class StageCost:
    """What a stage takes.

    Attributes:
        phases: its parts.
        steps: steps of training, at most.
        state_bytes: weights, gradients, averages and frozen networks where networks run.
        activation_bytes: what a step holds beside them at most; devices share it.
        host_bytes: memory of the process beside its libraries and, without a GPU, beside the two before.
        output_bytes: bytes of its outputs.
        work_bytes: bytes of unfinished work that lie beside them while it runs.
        notes: what is assumed.
    """

    phases: Sequence[Phase] = ()
    steps: int = 0
    state_bytes: int = 0
    activation_bytes: int = 0
    host_bytes: int = 0
    output_bytes: int = 0
    work_bytes: int = 0
    notes: Sequence[str] = ()


@dataclass
class Planned:
    """What rules know: settings and sizes, and what they have counted, so that equal networks are counted once.

    Attributes:
        document: the parsed ``params.yaml``.
        sizes: sizes of the corpora.
        counted: operations that were counted, by what they depend on.
    """

    document: Mapping[str, Any]
    sizes: CorpusSizes
    counted: dict[tuple, Any] = field(default_factory=dict)

    def settings(self, name: str) -> Any:
        """Return a section, or an entry of one (``latents.base``), as its class.

        Raises:
            InputError: it is missing or breaks a rule.
        """
        head, _, entry = name.partition(".")
        kind = section_type(head)
        values = section(dict(self.document), name)
        if entry:
            kind = kind.__args__[1]
        return validate(values, kind, f"{PARAMS}: {name}")

    def event_corpus(self, name: str) -> EventCorpusSize:
        """Return the size of an entry of ``event_corpora``."""
        return self._size(name, self.sizes.events, "event_corpora")

    def image_corpus(self, name: str) -> ImageCorpusSize:
        """Return the size of an entry of ``image_corpora``."""
        return self._size(name, self.sizes.images, "image_corpora")

    def once(self, key: tuple, count: Callable[[], Any]) -> Any:
        """Return what was counted under a key, or count it."""
        if key not in self.counted:
            self.counted[key] = count()
        return self.counted[key]

    def _size[Size](self, name: str, sizes: Mapping[str, Size], where: str) -> Size:
        if name in self.sizes.unknown:
            raise InputError(self.sizes.unknown[name])
        if name not in sizes:
            raise InputError(f"{PARAMS}: {where}: there is no entry {name}")
        return sizes[name]


Rule = Callable[[Planned, Mapping[str, Any]], StageCost]
"""Takes what the plan knows and the values of the stage's arguments; returns what the stage takes."""
