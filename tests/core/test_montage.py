from pathlib import Path

import numpy as np

from eegdiffusion.core.recordings.channel_derivation import derive_channels
from eegdiffusion.core.signal.filtering import EEGDM, filtered
from eegdiffusion.core.signal.montage import BIPOLAR, ELECTRODES, bipolar
from eegdiffusion.core.signal.montages import choose_montage


def test_the_montage_is_tcps():
    assert len(BIPOLAR) == 22
    assert len(ELECTRODES) == 19
    assert BIPOLAR[0] == "FP1-F7"
    assert BIPOLAR[8] == "A1-T3"
    assert BIPOLAR[21] == "P4-O2"


def test_bipolar_subtracts_by_name_whatever_the_order():
    names = ELECTRODES[::-1]
    values = {name: float(k + 1) ** 2 for k, name in enumerate(names)}
    found = bipolar(np.array([[values[name]] for name in names]), names)[:, 0]
    assert found.tolist() == [values[a] - values[b] for a, b in (name.split("-") for name in BIPOLAR)]


def test_tuhs_signs_differ_in_three_derivations():
    ours, theirs = (choose_montage(name).names for name in ("tcp22", "tcp22_tuh"))
    assert [n for n in theirs if n not in BIPOLAR] == ["CZ-C4", "C4-T4", "T4-A2"]
    data = np.random.default_rng(0).standard_normal((19, 4))
    signs = np.ones(22)
    signs[11:14] = -1
    derived = [derive_channels(Path("r.edf"), ELECTRODES, names).derive(data) for names in (ours, theirs)]
    assert np.allclose(derived[0], signs[:, None] * derived[1])
    assert (derived[0] == bipolar(data, ELECTRODES)).all()


def test_filters_pass_ten_hertz_and_stop_drift_and_mains():
    times = np.arange(250 * 60) / 250
    parts = [np.sin(2 * np.pi * f * times) for f in (10, 50, 90)] + [np.ones_like(times)]
    found = filtered(np.array(parts), 250.0, EEGDM)
    assert found.shape == (4, 200 * 60)
    middle = found[:, 2000:-2000].std(axis=1)
    assert abs(middle[0] - np.sqrt(0.5)) < 0.01
    assert (middle[1:] < 0.1).all()
