"""DVC's command line without its advice to people who type it.

``python -m eegdiffusion.operations.orchestration.dvc_command repro`` is ``dvc repro``, and does not end each stage with
how ``dvc.lock`` is staged in git, how that can be done by itself, and how data are pushed.
"""

import logging
import os
import sys
from collections.abc import Sequence

PUSH = "Use `dvc push` to send your updates to remote storage."


def dvc_words(*words: str) -> list[str]:
    """Return the command that runs DVC with these words in the present environment."""
    return [sys.executable, "-m", "eegdiffusion.operations.orchestration.dvc_command", *words]


def main(argv: Sequence[str] | None = None) -> int:
    """Run DVC with these words (default: those of the process) and return its exit status."""
    from dvc import cli
    from dvc.ui import ui

    # DVC runs stages in the user's shell, which may be fish, tcsh, or an account's that has none.
    os.environ["SHELL"] = "/bin/sh"

    logging.getLogger("dvc.repo.scm_context").setLevel(logging.WARNING)
    write = ui.write

    def write_but_advice(*objects: object, **options: object) -> None:
        if objects[:1] != (PUSH,):
            write(*objects, **options)

    ui.write = write_but_advice
    return cli.main(list(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    raise SystemExit(main())
