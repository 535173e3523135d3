"""The pieces of a recording are those that its own evidence shows, whatever its header calls it."""

from datetime import UTC, datetime

import mne
import numpy as np
import pytest

from eegdiffusion.core.recordings.continuity import (
    Piece,
    edf_pieces,
    raw_pieces,
    raw_start,
    require_continuous,
    require_forward_clock,
)
from eegdiffusion.core.recordings.edf_header import read_header
from eegdiffusion.core.runtime.errors import InputError
from tests.recording_files import raw_array, write_brainvision, write_stamped
from tests.tuev_fixture import write_edf

START = datetime(2026, 1, 1, 10, tzinfo=UTC)


def _stamped(path, stamps, kind="EDF+D"):
    write_stamped(path, stamps, kind)
    return edf_pieces(read_header(path), 250.0)[0]


@pytest.mark.parametrize("kind", ["EDF+D", "EDF+C"])
def test_time_stamps_of_records_decide(tmp_path, kind):
    assert _stamped(tmp_path / "r.edf", range(14), kind) == [Piece(0, 3500, 0.0)]
    assert _stamped(tmp_path / "r.edf", [0, 1, 2, 12.5, 13.5], kind) == [Piece(0, 750, 0.0), Piece(750, 1250, 12.5)]
    # The header's start is a whole second, and stamps of milliseconds are not exact.
    assert _stamped(tmp_path / "r.edf", [0.25, 1.251, 2.25, 3.249], kind) == [Piece(0, 1000, 0.0)]


@pytest.mark.parametrize(
    "form",
    [
        "+{},0\x14\x14\0",
        "{}\x14\x14\0",
        " +{}\x14\x14\0",
        "+{}\x151\x14\x14\0",
        "+{}.4\x14Seizure\x14\0+{}\x14\x14\0",
        "+{}\x14Start\x14\0",
    ],
)
@pytest.mark.parametrize("kind", ["EDF+D", "EDF+C"])
def test_time_stamps_however_recorders_write_them(tmp_path, form, kind):
    stamps = [form.format(second, second).encode() for second in (0, 1, 2, 12, 13)]
    assert _stamped(tmp_path / "r.edf", stamps, kind) == [Piece(0, 750, 0.0), Piece(750, 1250, 12.0)]


def test_annotations_of_some_records_are_no_time_stamps(tmp_path):
    stamps = [b"+9\x14Seizure\x14\0", b"", b"+1.5\x145\x14\x14\0", b""]
    assert _stamped(tmp_path / "r.edf", stamps, "EDF+C") == [Piece(0, 1000, 0.0)]


def test_a_clock_that_drifts_is_heeded(tmp_path):
    # Records of a second that take 1.003 s each, by the clock: less than a sample, but half a second in three minutes.
    pieces = _stamped(tmp_path / "r.edf", [1.003 * k for k in range(400)])
    assert [piece.first_sample // 250 for piece in pieces] == [0, 167, 334]
    assert [piece.onset_s for piece in pieces] == pytest.approx([0, 1.003 * 167, 1.003 * 334])


def test_a_file_with_gaps_is_no_continuous_one(tmp_path):
    write_stamped(tmp_path / "r.edf", [*range(7), *range(17, 24)], "EDF+C")
    with pytest.raises(InputError, match=r"time stamps: must follow .*record 8 at 17 s after one that ends at 7 s"):
        require_continuous(read_header(tmp_path / "r.edf"))
    write_stamped(tmp_path / "r.edf", range(14), "EDF+D")
    require_continuous(read_header(tmp_path / "r.edf"))
    write_edf(tmp_path / "r.edf")  # no time stamps
    content = bytearray((tmp_path / "r.edf").read_bytes())
    content[192:197] = b"EDF+D"
    (tmp_path / "r.edf").write_bytes(content)
    with pytest.raises(InputError, match=r"reserved: EDF\+D must give the time of each record"):
        require_continuous(read_header(tmp_path / "r.edf"))


def test_a_clock_that_runs_backwards_or_leaps_is_refused(tmp_path):
    pieces = _stamped(tmp_path / "r.edf", [0, 1, 2, 9, 10, 4, 5])
    assert [piece.onset_s for piece in pieces] == [0, 9, 4]
    with pytest.raises(InputError, match="-7 s before piece 3"):
        require_forward_clock(tmp_path / "r.edf", pieces, 250, 86400)
    require_forward_clock(tmp_path / "r.edf", pieces[:2], 250, 86400)
    with pytest.raises(InputError, match="6 s before piece 2"):
        require_forward_clock(tmp_path / "r.edf", pieces[:2], 250, 5)


def _brainvision(path, *markers):
    write_brainvision(path, raw_array(), [f"Mk{k + 1}={marker}" for k, marker in enumerate(markers)])
    raw = mne.io.read_raw_brainvision(path, verbose="error")
    return raw_pieces(raw, path), raw_start(raw, path)


def test_new_segments_of_brainvision(tmp_path):
    first, second = "20260101100000000000", "20260101103000500000"
    both = _brainvision(tmp_path / "r.vhdr", f"New Segment,,1,1,0,{first}", f"New Segment,,1001,1,0,{second}")
    assert both == ([Piece(0, 1000, 0.0), Piece(1000, 3500, 1800.5)], START)
    # The second alone has a clock, which the first sample's follows from.
    pieces, start = _brainvision(tmp_path / "r.vhdr", "New Segment,,1,1,0", f"New Segment,,1001,1,0,{second}")
    assert pieces == [Piece(0, 1000, 0.0), Piece(1000, 3500, 4.0)]
    assert start == datetime(2026, 1, 1, 10, 29, 56, 500000, tzinfo=UTC)
    assert _brainvision(tmp_path / "r.vhdr", "Stimulus,S 1,20,1,0") == ([Piece(0, 3500, 0.0)], None)
    pieces, _ = _brainvision(tmp_path / "r.vhdr", f"New Segment,,1,1,0,{first}", "Comment,boundary,501,1,0")
    assert pieces == [Piece(0, 500, 0.0), Piece(500, 3500, 2.0)]


def test_lost_samples_and_cut_segments_of_brainvision(tmp_path):
    first = "New Segment,,1,1,0,20260101100000000000"
    pieces, _ = _brainvision(tmp_path / "r.vhdr", first, "Comment,LostSamples: 500,1001,1,0")
    assert pieces == [Piece(0, 1000, 0.0), Piece(1000, 3500, 6.0)]
    header = (tmp_path / "r.vhdr").read_text()
    cut = header.replace("[Binary", "SegmentationType=MARKERBASED\nSegmentDataPoints=1500\n[Binary")
    (tmp_path / "r.vhdr").write_text(cut)
    (tmp_path / "r.vmrk").write_text("Brain Vision Data Exchange Marker File, Version 1.0\n[Marker Infos]\n")
    pieces = raw_pieces(mne.io.read_raw_brainvision(tmp_path / "r.vhdr", verbose="error"), tmp_path / "r.vhdr")
    assert [piece.first_sample for piece in pieces] == [0, 1500, 3000]


def test_boundaries_and_skips_of_fif(tmp_path):
    raw = raw_array(data=np.zeros((19, 5000)))
    raw.set_meas_date(START)
    raw = mne.concatenate_raws([raw.copy().crop(4, 11.996), raw.copy().crop(0, 3.996)], verbose="error")
    raw.save(tmp_path / "r_raw.fif", verbose="error")
    opened = mne.io.read_raw_fif(tmp_path / "r_raw.fif", verbose="error")
    assert opened.first_samp == 1000
    assert raw_pieces(opened, tmp_path / "r_raw.fif") == [Piece(0, 2000, 0.0), Piece(2000, 3000, 8.0)]
    assert raw_start(opened, tmp_path / "r_raw.fif") == START.replace(second=4)


@pytest.mark.parametrize("start", [START, None])
def test_what_a_fif_file_skips_is_in_no_piece(tmp_path, start):
    raw = raw_array(data=np.zeros((19, 5000)))
    raw.set_meas_date(start)
    raw.crop(4).set_annotations(mne.Annotations([9.0 if start else 5.0], [6.0], "BAD_ACQ_SKIP", start))
    raw.save(tmp_path / "r_raw.fif", buffer_size_sec=1.0, verbose="error")
    opened = mne.io.read_raw_fif(tmp_path / "r_raw.fif", verbose="error")
    pieces = raw_pieces(opened, tmp_path / "r_raw.fif")
    assert pieces == [Piece(0, 1250, 0.0), Piece(2750, 4000, 11.0)]


@pytest.mark.parametrize("description", ["boundary", "BAD boundary", "EDGE boundary", "edge_boundary"])
def test_a_boundary_half_way_between_two_samples(tmp_path, description):
    raw = raw_array(data=np.zeros((19, 5000)))
    raw.set_annotations(mne.Annotations([4999.5 / 250, 1000.5 / 250, 2.0], 0.0, [description, description, "x"]))
    assert raw_pieces(raw, tmp_path / "r.set") == [Piece(0, 1001, 0.0), Piece(1001, 5000, 1001 / 250)]
