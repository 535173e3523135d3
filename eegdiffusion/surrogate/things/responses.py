"""Simulated responses to images, on real EEG: the surrogate of EEG recorded while images are seen.

A response is a sum of components, each with a topography, a waveform and a strength that a feature of the image sets:
early ones over the occiput follow low-level features (luminance, colour, edges), later ones over occipito-temporal and
parietal electrodes follow those of an ImageNet network. All images share an evoked potential. Nothing of it is real but
the background.
"""

from dataclasses import dataclass

import mne
import numpy as np
from PIL import Image
from sklearn.decomposition import PCA

from eegdiffusion.core.signal.electrode_places import standard_places
from eegdiffusion.images.corpora.things_eeg2 import CHANNELS
from eegdiffusion.surrogate.tuev.tuev_recordings import Source

REFERENCE = "Fz"
"""THINGS-EEG2's reference."""

LENGTH_S = 0.8
"""Length of a response in seconds, from the onset of its image."""

LOW, HIGH = 12, 24
"""Numbers of components that follow low-level features and network features."""

SENSOR_UV = 1.5
"""Standard deviation of each electrode's white noise in microvolts, as the background comes from 32 electrodes."""

HIGH_PASS_HZ = 0.5
"""Lower edge in Hz of the band that the background is filtered to."""


@dataclass(frozen=True)
class Background:
    """Real EEG at rest over the electrodes of THINGS-EEG2.

    Attributes:
        sfreq: sampling rate in Hz.
        parts: (63, samples) microvolts each, referred to Fz.
    """

    sfreq: float
    parts: list[np.ndarray]


def resting_background(source: Source, sfreq: float) -> Background:
    """Bring the source's recordings to the electrodes of THINGS-EEG2: filter, resample, interpolate by splines, refer.

    Args:
        source: recordings at rest.
        sfreq: sampling rate of the result in Hz.

    Returns:
        the background in microvolts, referred to Fz.
    """
    missing = [name for name in CHANNELS if name not in source.electrodes]
    names = [*source.electrodes, *missing]
    parts = []
    for signals in source.resting.values():
        low = mne.filter.filter_data(
            signals, source.sfreq, HIGH_PASS_HZ, 0.4 * min(sfreq, source.sfreq), verbose="ERROR"
        )
        low = mne.filter.resample(low, up=sfreq, down=source.sfreq, verbose="ERROR")
        padded = np.concatenate([low, np.zeros((len(missing), low.shape[1]))])
        raw = mne.io.RawArray(padded, mne.create_info(names, sfreq, "eeg"), verbose="ERROR")
        raw.set_montage("standard_1005", verbose="ERROR")
        raw.info["bads"] = missing
        raw.interpolate_bads(verbose="ERROR")
        parts.append(1e6 * (raw.get_data(CHANNELS) - raw.get_data([REFERENCE])))
    return Background(sfreq, parts)


def background_stretch(background: Background, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Take a stretch of the background at random, half of the time backwards, half of the time left for right.

    There is less real EEG than a subject's sessions last, so that stretches overlap; each has sensor noise of its own.

    Args:
        background: real EEG at rest.
        samples: length of the stretch.
        rng: source of the stretch and of the sensors' noise.

    Returns:
        (63, samples) microvolts.
    """
    part = background.parts[rng.integers(len(background.parts))]
    start = rng.integers(part.shape[1])
    signals = np.take(part, np.arange(start, start + samples), axis=1, mode="wrap")
    if rng.random() < 0.5:
        signals = signals[:, ::-1]
    if rng.random() < 0.5:
        signals = signals[_mirrored()]
    return signals + SENSOR_UV * rng.standard_normal(signals.shape)


def _mirrored() -> list[int]:
    """Return the index of each electrode on the other side: odd numbers lie on the left."""

    def other(name: str) -> str:
        digits = "".join(c for c in name if c.isdigit())
        if not digits:
            return name
        return name.removesuffix(digits) + str(int(digits) + (1 if int(digits) % 2 else -1))

    return [CHANNELS.index(other(name)) for name in CHANNELS]


def low_level_features(images: list[Image.Image]) -> np.ndarray:
    """Compute luminance and colour on a grid of 8 x 8, and edge energy on one of 4 x 4: (images, 208)."""
    rows = []
    for image in images:
        colour = np.asarray(image.convert("RGB").resize((8, 8), Image.Resampling.BOX), np.float32) / 255
        grey = np.asarray(image.convert("L").resize((64, 64), Image.Resampling.BOX), np.float32) / 255
        energy = np.hypot(*np.gradient(grey)).reshape(4, 16, 4, 16).mean((1, 3))
        rows.append(np.concatenate([colour.ravel(), 4 * energy.ravel()]))
    return np.stack(rows)


def response_strengths(low: np.ndarray, high: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Compute the strength of each component for each image: principal components of the features, of unit variance.

    Args:
        low: (images, features) low-level features of all images.
        high: (images, features) network features of all images.
        fitted: (images,) bool, the training images, which the components are fitted to.

    Returns:
        (images, LOW + HIGH), from -3 to 3.
    """
    parts = []
    for features, count in ((low, LOW), (high, HIGH)):
        scaled = (features - features[fitted].mean(0)) / (features[fitted].std(0) + 1e-6)
        most = min(count, int(fitted.sum()) - 1)
        components = PCA(most, whiten=True, random_state=0).fit(scaled[fitted]).transform(scaled)
        parts.append(np.pad(np.clip(components, -3, 3), ((0, 0), (0, count - most))))
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Observer:
    """How a subject's head shows the components.

    Attributes:
        patterns: (components, 63, samples) microvolts at unit strength.
        evoked: (63, samples) microvolts, the potential that every image evokes.
    """

    patterns: np.ndarray
    evoked: np.ndarray

    def responses(self, strength: np.ndarray) -> np.ndarray:
        """Return the responses to images of strengths (images, components): (images, 63, samples) microvolts."""
        return self.evoked + np.tensordot(strength, self.patterns, 1)


def draw_observer(shared: int, subject: int, sfreq: float, deviation: float) -> Observer:
    """Draw a subject: components that all share, moved, delayed and scaled a little.

    Args:
        shared: seed of what all subjects have in common.
        subject: seed of what this one adds.
        sfreq: sampling rate in Hz.
        deviation: standard deviation over images of a response's image-specific part, in microvolts: root mean square
            over the posterior electrodes and 80 to 400 ms.

    Returns:
        the subject's patterns.
    """
    common, own = np.random.default_rng(shared), np.random.default_rng([shared, subject])
    positions = np.stack([standard_places(CHANNELS)[name] for name in CHANNELS])
    positions = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    times = np.arange(round(LENGTH_S * sfreq)) / sfreq
    early = [CHANNELS.index(name) for name in ("O1", "Oz", "O2", "PO7", "POz", "PO8", "PO3", "PO4")]
    late = [k for k, name in enumerate(CHANNELS) if name[0] in "PT" or name[:2] == "CP"]
    delay, waves = own.normal(0, 0.008), []
    for k in range(LOW + HIGH):
        foci, latency, width = (
            (early, common.uniform(0.08, 0.14), common.uniform(0.015, 0.03))
            if k < LOW
            else (late, common.uniform(0.15, 0.38), common.uniform(0.03, 0.07))
        )
        centre = positions[common.choice(foci)] + own.normal(0, 0.08, 3)
        spread, sign = common.uniform(0.25, 0.5), common.choice([-1, 1])
        topography = sign * np.exp(-((positions - centre) ** 2).sum(1) / (2 * spread**2)) * own.uniform(0.7, 1.3)
        shift = times - latency - delay - own.normal(0, 0.004)
        wave = np.exp(-(shift**2) / (2 * width**2)) * np.cos(2 * np.pi * shift * common.uniform(0.05, 0.25) / width)
        waves.append(np.outer(topography, wave))
    patterns = np.stack(waves)
    posterior = sorted({*early, *late})
    window = (times >= 0.08) & (times <= 0.4)
    power = (patterns[:, posterior][:, :, window] ** 2).sum(0).mean()
    patterns *= deviation / np.sqrt(power)
    evoked = np.zeros(patterns.shape[1:])
    for latency, width, name, size in ((0.10, 0.02, "Oz", 3.0), (0.17, 0.025, "PO8", -4.0), (0.3, 0.07, "Pz", 2.5)):
        topography = np.exp(-((positions - positions[CHANNELS.index(name)]) ** 2).sum(1) / 0.4)
        evoked += (
            size
            * own.uniform(0.7, 1.3)
            * np.outer(topography, np.exp(-((times - latency - delay) ** 2) / (2 * width**2)))
        )
    return Observer(patterns, evoked)


def simulate_recording(
    background: Background,
    onsets: np.ndarray,
    images: np.ndarray,
    responses: np.ndarray,
    samples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Add the responses to a stretch of real EEG; those of images that follow each other overlap.

    Args:
        background: real EEG at rest.
        onsets: (trials,) samples at which the images appear.
        images: (trials,) row of the responses, or -1 where a trial has none.
        responses: (images, 63, samples) microvolts.
        samples: length of the recording.
        rng: source of the stretch and of the sensors' noise.

    Returns:
        (63, samples) microvolts.
    """
    signals = background_stretch(background, samples, rng)
    length = responses.shape[2]
    for onset, image in zip(onsets, images, strict=True):
        if image >= 0:
            signals[:, onset : onset + length] += responses[image][:, : samples - onset]
    return signals
