"""Running commands, and being one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError, Unavailable
from eegdiffusion.core.runtime.stage import EXIT_BAD_INPUT, EXIT_UNAVAILABLE

NOTHING_TO_DO = 99
"""Exit status of a command that found nothing to do: Airflow skips its task, and what waits for its event stays."""


AUTHOR = ("-c", "user.name=eeg-retrain", "-c", "user.email=eeg-retrain@localhost")
"""Options of git: the orchestrator's name stands for a person's."""


def output(*words: str, cwd: Path, given: str | None = None) -> str:
    """Run a command, with ``given`` as its standard input, and return what it printed.

    Raises:
        RuntimeError: it failed; the message holds what it wrote to stderr.
    """
    done = subprocess.run(words, cwd=cwd, input=given, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit status {done.returncode}\n{done.stderr.strip()}")
    return done.stdout.strip()


def commit(workspace: Path, message: str, *paths: str) -> None:
    """Commit these files if they have changed."""
    output("git", "add", "--", *paths, cwd=workspace)
    if output("git", "diff", "--cached", "--name-only", cwd=workspace):
        output("git", *AUTHOR, "commit", "--quiet", "--message", message, cwd=workspace)


def run(name: str, main: Callable[[], int | None]) -> None:
    """Run the body of a command; bad input ends it with exit status 65, a service that is away with 75."""
    try:
        raise SystemExit(main() or 0)
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(EXIT_BAD_INPUT) from error
    except Unavailable as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(EXIT_UNAVAILABLE) from error
