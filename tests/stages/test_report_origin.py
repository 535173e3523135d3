"""What the report says of where its results come from."""

import pytest

from eegdiffusion.core.runtime.run_record import RunRecord
from eegdiffusion.report.origin import describe_origin, format_duration

STAGES = ["ingest_events", "pretrain_ssmdp", "finetune_lft"]


def _record(stage: str, ended: str, seconds: float, revision: str | None = "a" * 40, machine: str = "node1"):
    return RunRecord(stage, "", f"2026-03-01T{ended}:00+00:00", seconds, revision, machine)


def test_runs_are_summarised_by_stage():
    records = [
        _record("ingest_events", "10:00", 20),
        _record("pretrain_ssmdp", "10:30", 1500),
        _record("pretrain_ssmdp", "11:00", 1500),
        _record("report", "11:10", 30),
    ]
    origin = describe_origin(["surrogate", "surrogate"], records, STAGES)
    assert (origin.corpora, origin.surrogate) == (["surrogate"], True)
    assert origin.when == "1 Mar 2026 10:00 to 11:00 UTC"
    assert (origin.revision, origin.machine) == ("a" * 10, "node1")
    assert [(stage.stage, stage.runs, stage.duration) for stage in origin.stages] == [
        ("ingest_events", 1, "20 s"),
        ("pretrain_ssmdp", 2, "50 min"),
    ]
    assert origin.duration == "50 min"
    assert origin.unrecorded == ["finetune_lft"]


def test_several_revisions_and_machines_are_said():
    records = [
        _record("ingest_events", "10:00", 1, None, "node1"),
        _record("pretrain_ssmdp", "11:00", 1, "b" * 40, "node2"),
        _record("finetune_lft", "12:00", 1, "c" * 40 + "-dirty", "node2"),
    ]
    origin = describe_origin(["TUEV"], records, STAGES)
    assert origin.revision == "cccccccccc with uncommitted changes, and 2 others"
    assert origin.machine == "node2, and 1 other"
    assert not origin.surrogate


def test_without_records_nothing_is_claimed():
    origin = describe_origin(["TUEV"], [], STAGES)
    assert (origin.when, origin.revision, origin.machine, origin.stages) == ("", "", "", [])
    assert origin.unrecorded == STAGES


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (6000, "1.7 h")]
)
def test_durations_are_in_the_unit_that_they_fill(seconds, words):
    assert format_duration(seconds) == words
