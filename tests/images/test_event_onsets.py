"""The unit of onsets, pauses of recordings, and events that lie in none of it."""

import numpy as np
import pytest

from eegdiffusion.core.recordings.continuity import Piece
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora.event_onsets import Span, locate_events, parse_unit

ONSET = 0.3 + 20.0 * np.arange(30)  # to 580.3 s
NAN = float("nan")


def _span(seconds: float = 600.0, sfreq: float = 100.0) -> Span:
    return Span([Piece(0, round(seconds * sfreq), 0.0)], sfreq)


def _paused(pause_s: float = 1800.0) -> Span:
    """600 s, of which the second half was recorded after a pause."""
    return Span([Piece(0, 30_000, 0.0), Piece(30_000, 60_000, 300.0 + pause_s)], 100.0)


def test_seconds_on_the_clock():
    located = locate_events(ONSET, None, None, _span(), "e")
    assert located.samples.tolist() == np.rint(ONSET * 100).tolist()
    assert not located.doubts


@pytest.mark.parametrize("late", [601.0, 600.0, 6e5, -1.0])
def test_a_late_event_costs_itself_and_not_the_unit(late):
    located = locate_events(np.append(ONSET, late), None, None, _span(), "e")
    assert located.samples[:30].tolist() == np.rint(ONSET * 100).tolist()
    assert np.isnan(located.samples[30])
    ((column, doubt),) = located.doubts
    assert column == "onset"
    assert f"within the recording of 600 s; 1 of 31 are left out: {late:g} (s)" in doubt


def test_rows_without_a_number_are_counted():
    located = locate_events(np.array([1.0, NAN, 3.0]), None, None, _span(), "e")
    assert np.isnan(located.samples).tolist() == [False, True, False]
    assert "1 of 3 are no number" in located.doubts[0][1]


@pytest.mark.parametrize("late", [False, True])
def test_milliseconds_are_recognised_by_most_rows(late):
    onset = np.append(ONSET, 700.0) if late else ONSET
    located = locate_events(1000 * onset, None, None, _span(sfreq=1000.0), "e")
    assert located.samples[:30].tolist() == np.rint(ONSET * 1000).tolist()
    assert "is in ms by most of its rows, where BIDS has s" in located.doubts[0][1]
    assert len(located.doubts) == 1 + late


def test_events_of_a_longer_recording_are_no_milliseconds():
    onset = np.arange(0, 3000, 0.5)  # seconds, of a recording of 50 minutes
    with pytest.raises(InputError, match=r"e: onset: .* lie beyond the recording of 600 s, in ms too"):
        locate_events(onset, None, None, _span(), "e")


def test_samples_that_may_be_milliseconds_are_refused_unless_declared():
    onset = ONSET * 250
    with pytest.raises(InputError, match=r"may be in ms or samples: say so as Units of onset in events.json"):
        locate_events(onset, None, None, _span(sfreq=250.0), "e")
    for declared, sample in (("samples", None), (None, onset)):
        located = locate_events(onset, sample, declared, _span(sfreq=250.0), "e")
        assert located.samples.tolist() == np.rint(onset).tolist()
    located = locate_events(onset, None, "ms", _span(sfreq=250.0), "e")
    assert located.samples.tolist() == np.rint(onset / 1000 * 250).tolist()


def test_the_declared_unit_decides_where_several_fit():
    onset = np.arange(100.0, 500.0, 20.0)  # in ms: half a second of a recording of ten minutes
    assert locate_events(onset, None, "ms", _span(), "e").samples[0] == 10
    assert locate_events(onset, None, None, _span(), "e").samples[0] == 10_000
    located = locate_events(1000 * ONSET, None, "s", _span(), "e")
    assert located.samples.tolist() == np.rint(ONSET * 100).tolist()
    assert "is in ms by most of its rows, where events.json says s" in located.doubts[0][1]


@pytest.mark.parametrize("first", [0, 1])
def test_a_column_of_samples_decides_the_unit(first):
    onset = np.arange(100.0, 500.0, 20.0)
    sample = np.rint(onset / 10) + first
    located = locate_events(onset, sample, None, _span(), "e")
    assert located.samples.tolist() == np.rint(onset / 10).tolist()


def test_a_sample_that_contradicts_its_onset_is_left_out_and_one_of_another_rate_unused():
    sample = np.rint(ONSET * 100)
    wrong = sample + np.where(np.arange(30) == 4, 500, 0)
    located = locate_events(ONSET, wrong, None, _span(), "e")
    assert np.flatnonzero(np.isnan(located.samples)).tolist() == [4]
    assert located.doubts == [("sample", "contradicts the onset of 80.3, which are left out")]
    located = locate_events(ONSET, 5 * sample, None, _span(), "e")
    assert located.samples.tolist() == sample.tolist()
    assert located.doubts == [("sample", "agrees with the onsets in no unit, and is not used")]


def test_the_clock_goes_on_in_a_pause():
    onset = np.array([0.0, 299.99, 2100.0, 2399.99])
    located = locate_events(onset, None, None, _paused(), "e")
    assert located.samples.tolist() == [0, 29_999, 30_000, 59_999]
    located = locate_events(np.append(onset, 2400.0), None, None, _paused(), "e")
    assert np.isnan(located.samples[4])


def test_the_onset_counts_from_the_first_sample_whatever_the_clock_begins_with():
    span = Span([Piece(0, 100, 5.0), Piece(100, 200, 16.0)], 100.0)
    assert locate_events(np.array([0.5, 11.5]), None, None, span, "e").samples.tolist() == [50, 150]


def test_seconds_without_the_pauses_are_told_by_the_samples_or_refused():
    with pytest.raises(InputError, match=r"15 of 30 lie in a pause of the recording .*the column sample must say so"):
        locate_events(ONSET, None, None, _paused(), "e")
    located = locate_events(ONSET, np.rint(ONSET * 100), None, _paused(), "e")
    assert located.samples.tolist() == np.rint(ONSET * 100).tolist()
    clock = np.where(ONSET < 300, ONSET, ONSET + 1800)
    located = locate_events(clock, np.rint(ONSET * 100), None, _paused(), "e")
    assert located.samples.tolist() == np.rint(ONSET * 100).tolist()


def test_a_stray_event_in_a_pause_is_left_out():
    onset = np.append(np.where(ONSET < 300, ONSET, ONSET + 1800), 900.0)
    located = locate_events(onset, None, None, _paused(), "e")
    assert np.flatnonzero(np.isnan(located.samples)).tolist() == [30]


def test_units_as_they_are_spelled():
    assert [parse_unit(text, "e") for text in ("s", "Seconds", " sec", "ms", "milliseconds", "µs", "samples")] == [
        "s", "s", "s", "ms", "ms", "us", "samples",
    ]  # fmt: skip
    with pytest.raises(InputError, match="e: onset: Units: must be one of s, ms, us, samples"):
        parse_unit("minutes", "e")
