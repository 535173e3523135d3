"""Memory that training frees and asks for again at every step."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def keep_freed_memory() -> None:
    """Let glibc keep what is freed: given back, it comes again page by page, at a sixth of an S4D kernel's time.

    Blocks above 32 MB, the most that glibc admits, are given back all the same. Elsewhere than under glibc this does
    nothing.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(MMAP_THRESHOLD, 2**25)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
