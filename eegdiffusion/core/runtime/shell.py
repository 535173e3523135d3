"""Running commands, and being one."""

import errno
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eegdiffusion.core.runtime.errors import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    EXIT_UNAVAILABLE,
    InputError,
    UnavailableError,
)
from eegdiffusion.core.runtime.printable import printable, say

AUTHOR = ("-c", "user.name=eeg-retrain", "-c", "user.email=eeg-retrain@localhost")
"""Options of git: the orchestrator's name stands for a person's."""

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk, or of one's share of it, that is full."""

FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of a file or a folder that this user may not read or write."""

ADVICE = (
    (UserWarning, "mlflow/pyfunc/utils/data_validation.py", "Add type hints to the `predict` method"),
    (UserWarning, "mlflow/server/fastapi_app.py", "starlette.middleware.wsgi is deprecated"),
    (FutureWarning, "lightning/pytorch/utilities/_pytree.py", ""),
    (UserWarning, "lightning/pytorch/callbacks/model_checkpoint.py", "exists and is not empty"),
    (UserWarning, "lightning/pytorch/loops/fit_loop.py", "is smaller than the logging interval"),
    (UserWarning, "torch/nn/modules/conv.py", "Using padding='same'"),
    (SyntaxWarning, "pyhealth/metrics/calibration.py", "invalid escape sequence"),
)
"""Kinds of warnings that advise developers, where they are raised, and words of theirs."""


def output(*words: str, cwd: Path, stdin: str | None = None) -> str:
    """Run a command and return what it printed, stripped.

    Args:
        words: the command and its arguments.
        cwd: the folder that it runs in.
        stdin: the text of its standard input.

    Raises:
        RuntimeError: it failed; the message holds what it wrote to stderr.
    """
    process = subprocess.run(words, cwd=cwd, input=stdin, capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit status {process.returncode}\n{process.stderr.strip()}")
    return process.stdout.strip()


def commit(workspace: Path, message: str, *paths: str) -> None:
    """Commit these files if they have changed."""
    output("git", "add", "--", *paths, cwd=workspace)
    if output("git", "diff", "--cached", "--name-only", cwd=workspace):
        output("git", *AUTHOR, "commit", "--quiet", "--message", message, cwd=workspace)


def hide_advice_to_developers() -> None:
    """Do not print what libraries tell those who write against them, and no user of this project.

    Filters of warnings would not do: MLflow logs models under filters of its own.
    """
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # each step of a database's set-up, else
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # of files that are loaded in a moment
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    show = warnings.showwarning
    if getattr(show, "hides_advice", False):
        return

    def show_but_advice(message, category, filename, lineno, file=None, line=None):
        if not any(
            issubclass(category, kind) and filename.endswith(source) and words in str(message)
            for kind, source, words in ADVICE
        ):
            # Libraries name files and labels in their warnings.
            show(printable(message), category, filename, lineno, file, line)

    show_but_advice.hides_advice = True  # type: ignore[attr-defined]
    warnings.showwarning = show_but_advice


def _message(name: str, error: InputError | UnavailableError) -> list[str]:
    """Return the lines of an error, of which the first begins with the command that met it."""
    first, *others = error.args or ("",)
    return [f"{name}: {first}", *others]


@contextmanager
def errors_as_exit_status(name: str) -> Iterator[None]:
    """End the process with a message and no traceback.

    The status is 65 on bad input, or a file that this user may not read or write, 75 when a service is away or a disk
    is full, 130 on an interruption (Ctrl-C).

    Args:
        name: the command, which begins the message.
    """
    try:
        yield
    except InputError as error:
        say(*_message(name, error), stream=sys.stderr)
        raise SystemExit(EXIT_BAD_INPUT) from error
    except UnavailableError as error:
        say(*_message(name, error), stream=sys.stderr)
        raise SystemExit(EXIT_UNAVAILABLE) from error
    except OSError as error:
        if error.errno in FULL:
            say(f"{name}: {error}; free some disk, then the same command again", stream=sys.stderr)
            raise SystemExit(EXIT_UNAVAILABLE) from error
        if error.errno in FORBIDDEN and error.filename is not None:
            say(f"{name}: {error.filename}: {error.strerror}; it is not yours, or read-only", stream=sys.stderr)
            raise SystemExit(EXIT_BAD_INPUT) from error
        raise
    except KeyboardInterrupt as interruption:
        say(f"{name}: interrupted", stream=sys.stderr)
        raise SystemExit(EXIT_INTERRUPTED) from interruption


def run(name: str, main: Callable[[], int | None]) -> None:
    """Run the body of a command and exit with the status that it returns; see :func:`errors_as_exit_status`."""
    hide_advice_to_developers()
    with errors_as_exit_status(name):
        raise SystemExit(main() or 0)
