"""What the watch asks of a corpus, whatever its branch and its layout."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from eegdiffusion.core.storage.problems import Problem
from eegdiffusion.operations.orchestration.permutation_drift import Profile


class Share(NamedTuple):
    """How much of a corpus is unusable.

    Attributes:
        what: recordings, subjects or images.
        bad, total: their number.
        allowed: share that ingestion leaves out without stopping.
    """

    what: str
    bad: int
    total: int
    allowed: float

    @property
    def too_large(self) -> bool:
        """Whether ingestion would stop."""
        return self.bad > self.allowed * self.total


@dataclass(frozen=True)
class CheckedContent:
    """A corpus's content after the checks of ingestion.

    Attributes:
        problems: all findings.
        shares: what is unusable; the first is of the recordings.
        profiles: file of a usable recording -> what is compared of it, which is read when it is called.
    """

    problems: list[Problem]
    shares: list[Share]
    profiles: Mapping[str, Callable[[], list[Profile]]]

    @property
    def errors(self) -> list[Problem]:
        """The findings that cost what they are about."""
        return [problem for problem in self.problems if problem.severity == "error"]


@dataclass(frozen=True)
class OpenedCorpus:
    """A corpus whose files are known, and not yet checked.

    Attributes:
        files: recording -> names of the files that decide it, its own first.
        listings: names of further files that are read, such as lists of images.
        unread: findings on what is not read.
        check: makes the checks of ingestion.
    """

    files: Mapping[str, list[str]]
    listings: list[str]
    unread: list[Problem]
    check: Callable[[], CheckedContent]
    read: frozenset[str] = field(init=False)
    """Names of all files that are read, whether or not they are there."""

    def __post_init__(self) -> None:
        names = {name for files in self.files.values() for name in files} | {*self.listings}
        errors = {problem.path for problem in self.unread if problem.severity == "error"}
        object.__setattr__(self, "read", frozenset(names | errors))


class WatchedCorpus(Protocol):
    """A corpus of either branch."""

    @property
    def section(self) -> str:
        """Section of ``params.yaml`` that its entry stands in."""

    @property
    def name(self) -> str:
        """Name of its entry."""

    @property
    def root(self) -> Path:
        """Its folder."""

    @property
    def layout(self) -> str:
        """Layout of its files."""

    def open(self) -> OpenedCorpus:
        """Find its files by the reader of its layout.

        Raises:
            InputError: the folder does not hold a corpus of this layout.
        """


def name_in(root: Path, path: Path) -> str:
    """Return a file's path from a corpus's root, or its whole path where it lies elsewhere."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.absolute().as_posix()
