"""What the report takes: it reads the results of all stages, and draws."""

from collections.abc import Mapping
from typing import Any

from eegdiffusion.operations.planning.stage_cost import Phase, Planned, StageCost
from eegdiffusion.operations.planning.training_cost import together, tracked

RESULT_S = 0.5
"""Seconds of the reference machine to read a result, compare it with bootstrap intervals, and draw it."""

WINDOW_S = 1.5e-3
"""Seconds of the reference machine for each test window: intervals over subjects and seeds, of every classifier."""


def report(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Tables, figures and pages of all results."""
    matrix = planned.settings("matrix")
    results = len(matrix.backbones) + len(matrix.baselines) + len(matrix.probes) + len(matrix.labels)
    names = ("ablations", "lft_tests", "probe_tasks", "event_tasks", "eeg_encoders", "sgdm", "condiffusion")
    results += sum(len(planned.document.get(name) or {}) for name in names)
    windows = max((size.rows["test"] for size in planned.sizes.events.values()), default=0)
    classifiers = (len(matrix.labels) + len(matrix.baselines)) * len(matrix.seeds)
    work = StageCost(
        phases=[
            Phase("result", results, reference_s=RESULT_S),
            Phase("test window of a classifier", windows * classifiers, reference_s=WINDOW_S / 2),
        ],
        host_bytes=150_000_000 + 4000 * windows,
        output_bytes=250_000 * results,
    )
    return together(work, tracked(), host_bytes=work.host_bytes + tracked().host_bytes)
