"""The surrogate of TUEV: events of its six classes added to stretches of real EEG.

Every recording takes a stretch of the source that no other recording touches. What is real is the background (all of
it in the class BCKG) and the waveform of the blinks; the other events are synthetic. Each subject has its own gain,
noise, event strength and morphology, so that a classifier must generalise over subjects.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import mne
import numpy as np
import pandas as pd
from scipy import signal

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.signal import montage
from eegdiffusion.surrogate.tuev import waveforms
from eegdiffusion.surrogate.tuev.tuev_settings import SurrogateTuev

SFREQ = 250.0
"""Sampling rate of the recordings, Hz (TUEV's)."""

CLASSES = {"spsw": 1, "gped": 2, "pled": 3, "eyem": 4, "artf": 5, "bckg": 6}

ELECTRODES = {
    "FP1": "Fp1", "FP2": "Fp2", "F3": "F3", "F4": "F4", "C3": "C3", "C4": "C4", "P3": "P3", "P4": "P4",
    "O1": "O1", "O2": "O2", "F7": "F7", "F8": "F8", "T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8",
    "A1": "P9", "A2": "P10", "FZ": "Fz", "CZ": "Cz", "PZ": "Pz", "T1": "F9", "T2": "F10",
}  # fmt: skip
"""TUEV's electrode -> the source's. The source has no electrode on the ear lobes (A1, A2) nor at T1, T2: the nearest
positions of the inferior chain stand for them."""

BOUTS = [("spsw", 1)] * 4 + [("gped", 5), ("pled", 5)] + [("eyem", 1)] * 4 + [("artf", 1)] * 5 + [("bckg", 1)] * 5
"""What happens in every recording: class and length in seconds; each second is an event."""

MOST_CHANNELS = {"spsw": 3, "gped": 5, "pled": 3, "eyem": 3, "artf": 3, "bckg": 3}
"""Rows that one event gets at most, one a channel."""


@dataclass(frozen=True)
class Source:
    """The real EEG.

    Attributes:
        electrodes: names, in the order of the rows below.
        sfreq: Hz.
        resting: task -> (electrodes, samples), volts; continuous.
        blinks: partition -> (blinks, samples), peak 1, at :data:`SFREQ`; see :func:`blink_waveforms`.
    """

    electrodes: list[str]
    sfreq: float
    resting: dict[str, np.ndarray]
    blinks: dict[str, np.ndarray]


@dataclass(frozen=True)
class Recording:
    """One recording of the corpus.

    Attributes:
        name: path without ending, e.g. ``train/surrogaa/surrogaa_00000001``.
        channels: TUH names, e.g. ``EEG FP1-REF``.
        signals: (channels, samples), volts, at :data:`SFREQ`.
        events: channel (index into :data:`~eegdiffusion.core.signal.montage.BIPOLAR`), start and stop (seconds),
            label (1..6).
        task: which recording of the source the background is from.
        start: where in it the stretch begins, seconds.
    """

    name: str
    channels: list[str]
    signals: np.ndarray
    events: pd.DataFrame
    task: str
    start: int


@dataclass(frozen=True)
class Subject:
    """What a subject's recordings have in common; times in seconds, frequencies in Hz."""

    gain: float
    noise: float
    strength: float
    spike: float
    wave: float
    spike_focus: str
    spike_spread: float
    gped_rate: float
    gped_width: float
    pled_rate: float
    pled_width: float
    pled_focus: str
    muscle_band: tuple[float, float]
    blinks: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, blinks: np.ndarray) -> "Subject":
        """Draw a subject who blinks in the given ways."""
        low = rng.uniform(18, 30)
        return cls(
            gain=rng.lognormal(0, 0.2),
            noise=rng.uniform(0.3e-6, 1.5e-6),
            strength=rng.lognormal(0, 0.2),
            spike=rng.uniform(0.012, 0.026),
            wave=rng.uniform(0.06, 0.1),
            spike_focus=str(rng.choice(["F7", "T3", "C3", "T5", "F8", "T4", "C4", "T6"])),
            spike_spread=rng.uniform(0.03, 0.05),
            gped_rate=rng.uniform(1.2, 2.2),
            gped_width=rng.uniform(0.03, 0.06),
            pled_rate=rng.uniform(1.1, 1.8),
            pled_width=rng.uniform(0.025, 0.05),
            pled_focus=str(rng.choice(["F3", "T3", "P3", "F4", "T4", "P4"])),
            muscle_band=(low, low + rng.uniform(25, 50)),
            blinks=blinks,
        )


def blink_waveforms(trials: np.ndarray, sfreq: float) -> np.ndarray:
    """Cut single blinks out of two-second trials of a four-electrode headband.

    The first and the last channel carry the blink with one sign and shape, as the two mastoid electrodes of a headband
    referenced to the forehead do; minus their mean is thus the forehead against the mastoids. Trials in which the two
    disagree are noisy and left out.

    Args:
        trials: (trials, 4, samples), microvolts.
        sfreq: Hz.

    Returns:
        (blinks, samples) over one second at :data:`SFREQ`, peak 1 in the middle, zero at both ends.
    """
    mastoids = signal.sosfiltfilt(signal.butter(2, 12, fs=sfreq, output="sos"), trials[:, [0, -1]])
    mastoids -= np.median(mastoids, axis=-1, keepdims=True)
    left, right = mastoids.transpose(1, 0, 2)
    agreement = (left * right).sum(-1) / np.sqrt((left**2).sum(-1) * (right**2).sum(-1))
    blink = signal.resample_poly(-(left + right) / 2, int(SFREQ), int(sfreq), axis=-1)
    peak, half = blink.argmax(-1), int(SFREQ) // 2
    complete = (peak >= half) & (peak + half <= blink.shape[-1])
    keep = np.flatnonzero(complete & (agreement > 0.9) & (blink.max(-1) > 60))
    cut = np.stack([blink[i, peak[i] - half : peak[i] + half] for i in keep])
    return cut / cut.max(-1, keepdims=True) * signal.windows.tukey(2 * half, 0.4)


def make_recordings(source: Source, options: SurrogateTuev) -> Iterator[Recording]:
    """Make the corpus, one recording after the other.

    Raises:
        InputError: the source is too short for so many recordings of that length.
    """
    train = [index for index in range(options.train_subjects) for _ in range(1 + (index < options.repeat_subjects))]
    stretches = _stretches(source, options, count=len(train) + options.eval_recordings)
    blinks = np.array_split(source.blinks["train"], options.train_subjects)
    blinks += np.array_split(source.blinks["eval"], options.eval_recordings)
    subjects = [Subject.draw(np.random.default_rng([options.seed, 1, i]), waves) for i, waves in enumerate(blinks)]
    owners = train + list(range(options.train_subjects, len(subjects)))
    for number, (owner, (task, start)) in enumerate(zip(owners, stretches, strict=True)):
        rng = np.random.default_rng([options.seed, 2, number])
        if owner < options.train_subjects:
            subject = f"surrog{chr(ord('a') + owner // 26)}{chr(ord('a') + owner % 26)}"
            name = f"train/{subject}/{subject}_{1 + train[:number].count(owner):08d}"
        else:
            index = owner - options.train_subjects
            name = f"eval/{index:03d}/{list(CLASSES)[index % len(CLASSES)]}_{index:03d}_a_"
        electrodes, background = _background(source, task, start, options.seconds)
        signals, events = add_events(background, electrodes, subjects[owner], options.snr, rng)
        channels = [f"EEG {electrode}-REF" for electrode in electrodes]
        if name.startswith("eval/002/"):  # as in TUEV's eval/022
            signals, channels = signals[:-2], channels[:-2]
        extras = np.stack([_electrocardiogram(signals.shape[1], rng), np.zeros(signals.shape[1])])
        yield Recording(
            name=name,
            channels=[*channels, "EEG EKG1-REF", "PHOTIC-REF"],
            signals=np.concatenate([signals, extras]),
            events=events,
            task=task,
            start=start,
        )


def add_events(
    background: np.ndarray, electrodes: list[str], subject: Subject, snr: float, rng: np.random.Generator
) -> tuple[np.ndarray, pd.DataFrame]:
    """Add a subject's events to real EEG.

    Args:
        background: (electrodes, samples), volts, at :data:`SFREQ`.
        electrodes: TUEV's names of the electrodes.
        subject: how the subject's events look.
        snr: strength of the events over the background, see :class:`SurrogateTuev`.
        rng: source of all randomness.

    Returns:
        (electrodes, samples), volts, and the table of events; see :class:`Recording`.
    """
    positions = _positions(electrodes)
    scale = snr * subject.strength * np.median(background.std(axis=-1))
    added, schedule = np.zeros_like(background), _schedule(background.shape[1] / SFREQ, rng)
    for label, start, length in schedule:
        if label != "bckg":
            event = _EVENTS[label](subject, positions, electrodes, start, length, background.shape[1], rng)
            added += scale * rng.lognormal(0, 0.3) * event
    rows = []
    for label, start, length in schedule:
        for second in range(length):
            begin = start + second
            span = slice(round(begin * SFREQ), round((begin + 1) * SFREQ))
            shown = (background if label == "bckg" else added)[:, span]
            seen = np.ptp(montage.bipolar(shown, electrodes), axis=-1)
            for channel in _involved(label, seen, rng):
                rows.append((channel, round(begin, 1), round(begin + 1, 1), CLASSES[label]))
    noise = subject.noise * rng.standard_normal(background.shape)
    events = pd.DataFrame(sorted(rows, key=lambda row: (row[1], row[0])), columns=["channel", "start", "stop", "label"])
    return subject.gain * (background + added) + noise, events


def _stretches(source: Source, options: SurrogateTuev, count: int) -> list[tuple[str, int]]:
    """Deal out disjoint stretches: task and start in seconds, tasks in turn."""
    rng = np.random.default_rng([options.seed, 0])
    decks = []
    for task, data in source.resting.items():
        starts = np.arange(int(data.shape[1] / source.sfreq) // options.seconds) * options.seconds
        decks.append([(task, int(start)) for start in rng.permutation(starts)])
    dealt = [stretch for turn in zip(*decks, strict=False) for stretch in turn]
    dealt += [stretch for deck in decks for stretch in deck if stretch not in dealt]
    if count > len(dealt):
        raise InputError(
            f"surrogate_tuev: {count} recordings of {options.seconds} s were asked for; the real EEG holds "
            f"{len(dealt)} disjoint stretches of that length: ask for fewer or shorter recordings"
        )
    return dealt[:count]


def _background(source: Source, task: str, start: int, seconds: int) -> tuple[list[str], np.ndarray]:
    """Cut a stretch, take off its drift (millivolts, beyond what 16 bits at 0.1 microvolt hold), resample it."""
    rows = [source.electrodes.index(name) for name in ELECTRODES.values()]
    stretch = source.resting[task][rows, round(start * source.sfreq) : round((start + seconds) * source.sfreq)]
    highpass = signal.butter(2, 0.3, "highpass", fs=source.sfreq, output="sos")
    stretch = signal.sosfiltfilt(highpass, signal.detrend(stretch), padlen=round(3 * source.sfreq))
    return list(ELECTRODES), signal.resample_poly(stretch, int(SFREQ), int(source.sfreq), axis=-1)


def _positions(electrodes: list[str]) -> np.ndarray:
    """Return (electrodes, 3), metres."""
    positions = mne.channels.make_standard_montage("standard_1020").get_positions()["ch_pos"]
    return np.stack([positions[ELECTRODES[electrode]] for electrode in electrodes])


def _schedule(seconds: float, rng: np.random.Generator) -> list[tuple[str, float, int]]:
    """Put the bouts in random order with random gaps: class, start (on the 0.1 s grid) and length in seconds."""
    order = [BOUTS[i] for i in rng.permutation(len(BOUTS))]
    tenths = round(10 * seconds) - 10 * sum(length for _, length in BOUTS)
    gaps = rng.multinomial(tenths, np.full(len(BOUTS) + 1, 1 / (len(BOUTS) + 1)))[:-1]
    before = 10 * np.cumsum([0] + [length for _, length in order])[:-1]
    starts = (np.cumsum(gaps) + before) / 10
    return [(label, float(start), length) for (label, length), start in zip(order, starts, strict=True)]


def _involved(label: str, seen: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Choose the channels that an event is marked on.

    Args:
        label: class of the event.
        seen: (pairs,), peak to peak in this second: of what was added, or of the background for BCKG, which is marked
            on quiet channels because the real EEG has artefacts of its own.
        rng: source of all randomness.
    """
    most = rng.integers(1, MOST_CHANNELS[label], endpoint=True)
    order = np.argsort(seen, kind="stable")
    if label == "bckg":
        return rng.choice(order[: len(order) // 2], most, replace=False).tolist()
    return [int(channel) for channel in order[::-1][:most] if seen[channel] >= 0.4 * seen.max()]


def _electrocardiogram(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return a synthetic electrocardiogram (QRS complexes alone), volts."""
    beats = np.cumsum(rng.normal(0.85, 0.03, size=int(2 * samples / SFREQ)))
    return 0.8e-3 * waveforms.train(np.arange(samples) / SFREQ, beats, lambda t: waveforms.gaussian(t, 0.012))


# One function a class. Each returns (electrodes, samples) of peak about 1 for one bout of `length` seconds.


def _spike_and_wave(subject, positions, electrodes, start, length, samples, rng):
    peak = start + rng.uniform(0.2, 0.55)
    # Spikes of one focus do not come from the same spot each time.
    focus = positions[electrodes.index(subject.spike_focus)] + rng.normal(0, 0.008, 3)
    shape = waveforms.spike_and_wave(np.arange(samples) / SFREQ - peak, subject.spike, subject.wave)
    return 1.5 * np.outer(waveforms.focal_field(positions, focus, subject.spike_spread), shape)


def _discharge_times(rate, start, length, rng):
    times = start + rng.uniform(0.1, 0.4) + np.arange(length * rate) / rate
    times = times + rng.normal(0, 0.05 / rate, times.size)
    return times[times < start + length - 0.1]


def _generalised_discharges(subject, positions, electrodes, start, length, samples, rng):
    field = 0.4 + waveforms.focal_field(positions, positions[electrodes.index("FZ")], 0.06)
    lag = 0.1 * (positions[:, 1].max() - positions[:, 1])  # front to back, about 20 ms
    times = _discharge_times(subject.gped_rate, start, length, rng)
    clock = np.arange(samples) / SFREQ - lag[:, None]
    return field[:, None] * waveforms.train(clock, times, lambda t: waveforms.triphasic(t, subject.gped_width))


def _lateralised_discharges(subject, positions, electrodes, start, length, samples, rng):
    focus = positions[electrodes.index(subject.pled_focus)]
    field = waveforms.focal_field(positions, focus, 0.06)
    field = np.where(positions[:, 0] * focus[0] < 0, 0.3, 1) * field  # little crosses the midline
    times = _discharge_times(subject.pled_rate, start, length, rng)
    clock = np.arange(samples) / SFREQ
    shape = waveforms.train(clock, times, lambda t: waveforms.sharp_discharge(t, subject.pled_width))
    return np.outer(field, shape)


def _blink(subject, positions, electrodes, start, length, samples, rng):
    forehead = (positions[electrodes.index("FP1")] + positions[electrodes.index("FP2")]) / 2
    shape = np.zeros(samples)
    begin = round(start * SFREQ)
    wave = subject.blinks[rng.integers(len(subject.blinks))]
    shape[begin : begin + wave.size] = wave
    return 1.2 * np.outer(waveforms.focal_field(positions, forehead, 0.05), shape)


def _artefact(subject, positions, electrodes, start, length, samples, rng):
    artefact = np.zeros((len(electrodes), samples))
    begin, size = round(start * SFREQ), round(length * SFREQ)
    if rng.random() < 0.6:
        near = positions[electrodes.index(rng.choice(["T3", "T4", "F7", "F8", "FP1", "FP2"]))]
        burst = waveforms.muscle_burst(rng, len(electrodes), size, SFREQ, subject.muscle_band)
        field = waveforms.focal_field(positions, near, 0.04)
        artefact[:, begin : begin + size] = 0.35 * field[:, None] * burst
    else:
        electrode = rng.integers(electrodes.index("T6") + 1)  # one of the scalp electrodes but those of the midline
        clock = np.arange(samples) / SFREQ - start - rng.uniform(0.1, 0.5)
        artefact[electrode] = rng.choice([-1.5, 1.5]) * waveforms.electrode_pop(clock, rng.uniform(0.08, 0.3))
    return artefact


_EVENTS = {
    "spsw": _spike_and_wave,
    "gped": _generalised_discharges,
    "pled": _lateralised_discharges,
    "eyem": _blink,
    "artf": _artefact,
}
