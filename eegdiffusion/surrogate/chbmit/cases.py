"""The cases of the surrogate of CHB-MIT: names, channels and clocks as the corpus has them, oddities included.

A channel occurs twice in every recording, as T8-P8 does in CHB-MIT. chb04 changes its channels on the way, has void
ones, and clocks beyond midnight; chb12 goes over to a common reference; chb02 and chb17 have odd names; chb24 has no
clocks; chb21 is the person of chb01.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import mne
import numpy as np
from scipy import signal

from eegdiffusion.surrogate.chbmit.background import draw_background
from eegdiffusion.surrogate.chbmit.chbmit_settings import MOST_TRAINING_CASES, SurrogateChbMit
from eegdiffusion.surrogate.chbmit.seizures import Person, Seizure, add_confusable, add_seizure
from eegdiffusion.surrogate.tuev.tuev_recordings import Source

SFREQ = 256
"""Sampling rate of the recordings in Hz, as in CHB-MIT."""

ELECTRODES = {
    "FP1": "Fp1", "F7": "F7", "T7": "T7", "P7": "P7", "O1": "O1", "F3": "F3", "C3": "C3", "P3": "P3",
    "FP2": "Fp2", "F8": "F8", "T8": "T8", "P8": "P8", "O2": "O2", "F4": "F4", "C4": "C4", "P4": "P4",
    "FZ": "Fz", "CZ": "Cz", "PZ": "Pz", "FT9": "F9", "FT10": "F10",
}  # fmt: skip
"""CHB-MIT's electrode -> the source's, of which F9 and F10 stand for FT9 and FT10."""

DERIVATIONS = [
    "FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FP2-F4", "F4-C4", "C4-P4", "P4-O2",
    "FP2-F8", "F8-T8", "T8-P8", "P8-O2", "FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P8",
]  # fmt: skip
"""The channels of most recordings; T8-P8 stands in them twice."""

VOID = "-"
"""Label of a channel that nothing is connected to."""

WITH_VOID = [*DERIVATIONS[:4], VOID, *DERIVATIONS[4:8], VOID, *DERIVATIONS[8:12], VOID, *DERIVATIONS[12:], VOID]
REFERENTIAL = [f"{name}-CS2" for name in ELECTRODES]
"""Channels against the spine between the second vertebrae, which some recordings of chb12 have."""

TRAINING = ("chb01", "chb04", "chb12", "chb17", "chb02", "chb09", "chb05", "chb08", "chb10", "chb14")
HELD_OUT = ("chb21", "chb22", "chb23", "chb24")
PERSON_OF = {"chb21": "chb01"}
WITHOUT_CLOCK = ("chb24",)

LONG_S, SHORT_S, OTHER_S = (30, 55), (8, 19), (12, 30)
"""Bounds of the lengths of seizures in seconds; the long ones have two windows of ten seconds and more inside."""

_TASKS = ("EO", "EC")

assert len(TRAINING) == MOST_TRAINING_CASES


@dataclass(frozen=True)
class CaseRecording:
    """A recording of a case.

    Attributes:
        case: such as chb01.
        name: of its file.
        channels: labels, void ones included.
        signals: (channels, samples) in volts, at :data:`SFREQ`.
        seizures: seizures in it, in order of time.
        clock_s: seconds from midnight of the case's first day to its first sample; None where the summary says none.
    """

    case: str
    name: str
    channels: list[str]
    signals: np.ndarray
    seizures: list[Seizure]
    clock_s: int | None


def cases_of(options: SurrogateChbMit) -> list[str]:
    """Return the cases of a corpus in order."""
    return sorted(TRAINING[: options.training_cases]) + list(HELD_OUT)


def file_name(case: str, number: int) -> str:
    """Return the name of a case's recording, counted from 0."""
    if case == "chb17":
        return f"chb17{'abc'[number % 3]}_{number + 3:02d}.edf"
    return f"{case}_{number + 14:02d}+.edf" if case == "chb02" and number == 2 else f"{case}_{number + 1:02d}.edf"


def labels_of(case: str, number: int) -> list[str]:
    """Return the labels of a recording's channels."""
    if case == "chb04" and number:
        return WITH_VOID
    return REFERENTIAL if case == "chb12" and number >= 2 else DERIVATIONS


def draw_seizures(number: int, seconds: int, rng: np.random.Generator) -> list[Seizure]:
    """Draw the seizures of a case's recording: none in the first, a long one, two short ones, then one each.

    The second of two ends a few seconds before the recording.
    """

    def whole(low: int, high: int) -> int:
        return int(rng.integers(low, high, endpoint=True))

    if number == 0:
        return []
    if number % 3 == 2:
        first, length, last = whole(10, 30), whole(*SHORT_S), seconds - whole(3, 8)
        return [Seizure(first, first + whole(*SHORT_S)), Seizure(last - length, last)]
    length = whole(*(LONG_S if number % 3 == 1 else OTHER_S))
    start = whole(10, seconds - length - 10)
    return [Seizure(start, start + length)]


def resting_eeg(source: Source) -> list[np.ndarray]:
    """Return the real EEG of each task without drift, (electrodes, samples) in volts at :data:`SFREQ`."""
    rows = [source.electrodes.index(name) for name in ELECTRODES.values()]
    highpass = signal.butter(2, 0.3, "highpass", fs=source.sfreq, output="sos")
    kept = []
    for task in _TASKS:
        real = signal.sosfiltfilt(highpass, signal.detrend(source.resting[task][rows]), padlen=round(3 * source.sfreq))
        kept.append(signal.resample_poly(real, SFREQ, int(source.sfreq), axis=-1))
    return kept


def derive(electrodes: np.ndarray, labels: list[str]) -> np.ndarray:
    """Return the channels of labels, (channels, samples), from signals of :data:`ELECTRODES`."""
    row = {name: k for k, name in enumerate(ELECTRODES)}
    channels = np.zeros((len(labels), electrodes.shape[1]))
    for channel, label in zip(channels, labels, strict=True):
        if label != VOID:
            anode, cathode = label.split("-")
            channel[:] = electrodes[row[anode]] - (electrodes[row[cathode]] if cathode in row else 0)
    return channels


def make_recordings(source: Source, options: SurrogateChbMit) -> Iterator[CaseRecording]:
    """Yield the recordings of all cases, in order.

    Args:
        source: real EEG at rest.
        options: settings of the corpus.
    """
    real = resting_eeg(source)
    places = mne.channels.make_standard_montage("standard_1020").get_positions()["ch_pos"]
    positions = np.stack([places[name] for name in ELECTRODES.values()])
    for case in cases_of(options):
        number_of_person = int(PERSON_OF.get(case, case)[3:])
        person = Person.draw(np.random.default_rng([options.seed, 1, number_of_person]))
        focus = positions[list(ELECTRODES).index(person.focus)]
        clock_s = 86_400 - options.seconds // 2 if case == "chb04" else 3600 * (int(case[3:]) % 12 + 6)
        for number in range(options.recordings):
            rng = np.random.default_rng([options.seed, 2, int(case[3:]), number])
            samples = options.seconds * SFREQ
            electrodes = draw_background(real[number % len(real)], samples, SFREQ, rng)
            amplitude = options.snr * person.strength * float(np.median(electrodes.std(-1)))
            seizures = draw_seizures(number, options.seconds, rng)
            free = [
                start
                for start in range(1, options.seconds - 6, 6)
                if all(start + 6 < seizure.start_s or start > seizure.stop_s for seizure in seizures)
            ]
            add_confusable(electrodes, positions, person, SFREQ, amplitude, np.array(free), rng)
            for seizure in seizures:
                add_seizure(electrodes, positions, focus, seizure, person, SFREQ, amplitude)
            electrodes = person.gain * electrodes + person.noise * rng.standard_normal(electrodes.shape)
            labels = labels_of(case, number)
            yield CaseRecording(
                case=case,
                name=file_name(case, number),
                channels=labels,
                signals=derive(electrodes, labels),
                seizures=seizures,
                clock_s=None if case in WITHOUT_CLOCK else clock_s,
            )
            clock_s += options.seconds + 10
