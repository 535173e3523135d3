"""Loading the modules that a process computes with."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading_modules() -> Iterator[None]:
    """Load modules in this block without looking for garbage among what they are made of, then or later.

    PyTorch, Lightning and MLflow bring a million objects that stay as long as the process does. Python's collector of
    cycles would go through them again and again as they become more: a fifth of the time that loading takes. So it
    waits while the block runs, and then leaves aside all that there is (``gc.freeze``). That is done once in a process:
    what is made later is collected as ever, also where many stages run in one process, as in tests.
    """
    collecting, first = gc.isenabled(), gc.get_freeze_count() == 0
    gc.disable()
    try:
        yield
        if first:
            gc.freeze()
    finally:
        if collecting:
            gc.enable()
