"""The LFT beside its control and the baselines, and generated beside real EEG: what is computed once for the report."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas

from eegdiffusion.core.signal import spectra
from eegdiffusion.core.statistics.classification_metrics import Interval, chance_level
from eegdiffusion.core.statistics.seeds import Summary
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report.classifier_results import Classifier

LFT, CONTROL = "LFT", "LFT, shuffled labels"


@dataclass(frozen=True)
class Comparison:
    """Classifiers that were tested on the same windows.

    Attributes:
        classifiers: name -> results.
        summaries: name -> metric -> summary over seeds.
        intervals: name -> confidence interval of the balanced accuracy.
        chance: balanced accuracy of a classifier that knows nothing.
    """

    classifiers: Mapping[str, Classifier]
    summaries: Mapping[str, Mapping[str, Summary]]
    intervals: Mapping[str, Interval]
    chance: float

    @property
    def lft(self) -> Classifier:
        """The LFT trained on recorded labels."""
        return self.classifiers[LFT]

    @property
    def control_at_chance(self) -> bool:
        """Whether the interval of the shuffled-label control contains chance."""
        return self.intervals[CONTROL].contains(self.chance)


def compare(classifiers: Mapping[str, Classifier], subjects: pandas.Series) -> Comparison:
    """Score classifiers; ``subjects`` maps recordings to subjects."""
    return Comparison(
        classifiers,
        {name: classifier.summaries for name, classifier in classifiers.items()},
        {name: classifier.interval(subjects) for name, classifier in classifiers.items()},
        chance_level(classifiers[LFT].labels),
    )


@dataclass(frozen=True)
class Spectra:
    """Spectra of one backbone's EEG.

    Attributes:
        frequencies: (bins,), Hz.
        real, generated: (channels, bins), uV^2/Hz.
        differences: a row for each band and channel.
    """

    frequencies: np.ndarray
    real: np.ndarray
    generated: np.ndarray
    differences: pandas.DataFrame


def compare_spectra(backbone: Backbone) -> Spectra:
    """Estimate the spectra of real and generated EEG and compare them."""
    frequencies, real = spectra.welch(backbone.real, backbone.rate_hz)
    _, generated = spectra.welch(backbone.generated, backbone.rate_hz)
    differences = spectra.band_differences(frequencies, real, generated, backbone.channels)
    return Spectra(frequencies, real, generated, differences)
