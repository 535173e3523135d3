"""Which process of a distributed run this one is."""

import os

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
"""Environment variables by which launchers number the processes of a run."""


def is_rank_zero() -> bool:
    """Whether this process is the only one of its run, or the first of a distributed one: the one that writes."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)
