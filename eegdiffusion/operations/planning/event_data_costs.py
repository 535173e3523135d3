"""What the stages take that read recordings of EEG events and make their windows."""

from collections.abc import Mapping
from typing import Any

from eegdiffusion.core.signal.montages import Montage, choose_montage
from eegdiffusion.events.corpora.event_corpus import EventCorpus, corpus_filtering
from eegdiffusion.operations.planning.stage_cost import Phase, Planned, StageCost

CHECK_S = 0.004
"""Seconds of the reference machine to check a recording's header, events and samples for faults."""

HASH_BYTES_S = 400_000_000
"""Bytes a second of a recording that are read, hashed and looked over."""

SAMPLE_S = 9e-8
"""Seconds of the reference machine to filter, resample and derive a sample of a channel."""

WORKER_S = 6.0
"""Seconds of the reference machine that Dask's scheduler and a worker take to begin and end."""

WORKER_BYTES = 60_000_000
"""Memory of a worker beside its recording and its libraries."""

SAMPLE_BYTES = 40
"""Bytes for each raw sample of the longest recording while it is filtered, in double precision."""

INDEX_BYTES = {"recording": 400, "row": 8, "window": 60}
"""Bytes on the disk of what is known of a recording, of a labelled row and of a window, in Parquet."""


def montage_of(planned: Planned, name: str) -> Montage:
    """Return the channels of an entry of ``event_corpora``."""
    entry: EventCorpus = planned.settings(f"event_corpora.{name}")
    own = planned.settings("montages") if planned.document.get("montages") else {}
    return choose_montage(entry.montage, own, entry.channel_ids)


def window_of(planned: Planned, name: str) -> tuple[int, int, float]:
    """Return channels, samples and rate in Hz of the windows of an entry of ``event_corpora``."""
    entry: EventCorpus = planned.settings(f"event_corpora.{name}")
    filtering = corpus_filtering(entry, planned.settings("preprocess_events").filtering)
    window_s = 5.0 if entry.layout == "tuev" else entry.window_s
    return len(montage_of(planned, name).channels), round(window_s * filtering.rate_hz), filtering.rate_hz


def ingest_events(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Every recording is read once, hashed and checked."""
    size = planned.event_corpus(item["corpus"])
    rows = sum(size.rows.values())
    return StageCost(
        phases=[
            Phase("recording", size.recordings, reference_s=CHECK_S + size.raw_bytes / size.recordings / HASH_BYTES_S),
            Phase("labelled row", rows, reference_s=1e-5),
        ],
        host_bytes=20_000_000 + 300 * rows,
        output_bytes=30_000 + INDEX_BYTES["recording"] * size.recordings + INDEX_BYTES["row"] * rows,
    )


def preprocess_events(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Every recording is filtered, resampled and derived once, in processes side by side."""
    size = planned.event_corpus(item["corpus"])
    channels, _, rate_hz = window_of(planned, item["corpus"])
    raw = size.hours * 3600 * size.raw_rate_hz * size.raw_channels
    stored = round(size.hours * 3600 * rate_hz * channels * 2)
    windows = sum(size.windows.values())
    longest = 3 * raw / max(size.recordings, 1)  # recordings differ in length
    return StageCost(
        phases=[
            Phase("processes", 1, reference_s=WORKER_S),
            Phase("recording", size.recordings, reference_s=0.01 + SAMPLE_S * raw / size.recordings, cores=0),
            Phase("window", windows, reference_s=3e-5),
        ],
        host_bytes=WORKER_BYTES + round(SAMPLE_BYTES * longest) + 400 * windows,
        output_bytes=stored + INDEX_BYTES["window"] * windows,
    )
