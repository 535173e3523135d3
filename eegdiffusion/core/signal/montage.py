"""The temporal central parasagittal (TCP) bipolar montage of the TUH corpora."""

import numpy as np

# fmt: off
BIPOLAR = [
    "FP1-F7", "F7-T3", "T3-T5", "T5-O1", "FP2-F8", "F8-T4", "T4-T6", "T6-O2", "A1-T3", "T3-C3", "C3-CZ",
    "C4-CZ", "T4-C4", "A2-T4", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2",
]
# fmt: on
"""The 22 derivations in the order of TUEV's channel index, with the signs of EEGDM (arXiv:2508.14086)."""

ELECTRODES = sorted({electrode for pair in BIPOLAR for electrode in pair.split("-")})
"""The 19 electrodes that the derivations need."""


def bipolar(signals: np.ndarray, electrodes: list[str]) -> np.ndarray:
    """Subtract referential signals: (electrodes, samples), in the order of ``electrodes`` -> (22, samples)."""
    row = {name: k for k, name in enumerate(electrodes)}
    pairs = [name.split("-") for name in BIPOLAR]
    return signals[[row[anode] for anode, _ in pairs]] - signals[[row[cathode] for _, cathode in pairs]]
