"""What ingestion finds wrong with a corpus."""

from dataclasses import asdict, dataclass

from eegdiffusion.core.runtime.printable import printable


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes:
        path: file, relative to the corpus.
        check: name of the check.
        field: what is wrong.
        message: the rule, and what was found.
        severity: ``error`` (what it is about is left out) or ``warning``.
    """

    path: str
    check: str
    field: str
    message: str
    severity: str = "error"


def table(problems: list[Problem]) -> list[dict]:
    """Return the rows for a data frame, of text that any table takes: names of files may hold bytes that are none."""
    return [{name: printable(value) for name, value in asdict(problem).items()} for problem in problems]
