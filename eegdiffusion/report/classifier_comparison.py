"""Compares the LFT with its control and the baselines, and generated with real EEG."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas

from eegdiffusion.core.signal import spectra
from eegdiffusion.core.statistics.classification_metrics import Interval, chance_level
from eegdiffusion.core.statistics.seeds import Summary
from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report.classifier_results import ClassifierResults

LFT, CONTROL = "LFT", "LFT, shuffled labels"


@dataclass(frozen=True)
class ClassifierComparison:
    """Classifiers that were tested on the same windows.

    Attributes:
        classifiers: name -> results; the control is there where it was trained.
        summaries: name -> metric -> summary over seeds.
        intervals: name -> confidence interval of the balanced accuracy.
        chance: balanced accuracy of a classifier that knows nothing.
    """

    classifiers: Mapping[str, ClassifierResults]
    summaries: Mapping[str, Mapping[str, Summary]]
    intervals: Mapping[str, Interval]
    chance: float

    @property
    def lft(self) -> ClassifierResults:
        """The LFT trained on recorded labels."""
        return self.classifiers[LFT]

    @property
    def control_at_chance(self) -> bool | None:
        """Whether the interval of the shuffled-label control contains chance; None where there is no control."""
        return self.intervals[CONTROL].contains(self.chance) if CONTROL in self.intervals else None


def compare_classifiers(classifiers: Mapping[str, ClassifierResults], subjects: pandas.Series) -> ClassifierComparison:
    """Summarise classifiers that were tested on the same windows; ``subjects`` maps recordings to subjects."""
    return ClassifierComparison(
        classifiers,
        {name: classifier.summaries for name, classifier in classifiers.items()},
        {name: classifier.interval(subjects) for name, classifier in classifiers.items()},
        chance_level(classifiers[LFT].labels),
    )


@dataclass(frozen=True)
class GeneratedSpectra:
    """Power spectra of the EEG that a backbone generated and of real EEG.

    Attributes:
        frequencies: (bins,), Hz.
        real, generated: (channels, bins), uV^2/Hz.
        differences: a row for each band and channel.
    """

    frequencies: np.ndarray
    real: np.ndarray
    generated: np.ndarray
    differences: pandas.DataFrame


def compare_generated_eeg(backbone: Backbone) -> GeneratedSpectra:
    """Estimate the spectra of real and generated EEG and compare them."""
    frequencies, real = spectra.welch(backbone.real, backbone.rate_hz)
    _, generated = spectra.welch(backbone.generated, backbone.rate_hz)
    differences = spectra.band_differences(frequencies, real, generated, backbone.channels)
    return GeneratedSpectra(frequencies, real, generated, differences)
