"""Errors that a user mends, errors that time mends, and the exit statuses that tell a scheduler which it was."""

import difflib
from collections.abc import Iterable

from eegdiffusion.core.runtime.printable import printable

EXIT_BAD_INPUT = 65
"""Exit status (EX_DATAERR) of a command that met bad input: a retry cannot help."""

EXIT_UNAVAILABLE = 75
"""Exit status (EX_TEMPFAIL) of a command that a service kept waiting for too long: a later try goes on."""

EXIT_INTERRUPTED = 130
"""Exit status of a command that was interrupted, as by Ctrl-C: the same command goes on where it stopped."""

EXIT_NOTHING_TO_DO = 99
"""Exit status of a command that has nothing to do: Airflow skips its task, and what waits for its event stays."""


class _LinesError(Exception):
    """An error whose arguments are the lines of its message; what stands in one, as a file's name, ends none."""

    def __init__(self, *lines: object):
        super().__init__(*map(printable, lines))

    def __str__(self) -> str:
        return "\n".join(self.args)


class InputError(_LinesError, ValueError):
    """Bad input: the message names the file or argument, the field and the rule that it breaks.

    A stage that meets one stops with exit status 65 and prints the message alone; a scheduler need not try again.

    Args:
        *lines: the message, line by line.
    """


class UnavailableError(_LinesError, RuntimeError):
    """A service did not answer for as long as was agreed: the message names it, and what is kept until it does.

    A stage that meets one stops with exit status 75 and prints the message alone; a later try goes on from there.

    Args:
        *lines: the message, line by line.
    """


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the end of an error message about an unknown name: the known name that is most like it, if any is.

    Args:
        name: the unknown name.
        names: the known ones.

    Returns:
        ``"; did you mean 'precision'?"``, or an empty string where no known name is similar.
    """
    matches = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
