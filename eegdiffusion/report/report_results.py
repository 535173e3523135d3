"""Everything that the report says: results of both branches, and the values of its templates."""

from collections.abc import Mapping
from dataclasses import dataclass

from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.report.classifier_comparison import ClassifierComparison, GeneratedSpectra
from eegdiffusion.report.classifier_results import EventData
from eegdiffusion.report.encoder_runs import EncoderCorpus
from eegdiffusion.report.reconstruction_results import GenerationResults


@dataclass(frozen=True)
class ReportResults:
    """What the report shows.

    Attributes:
        data: corpus of EEG events.
        comparison: the LFT, its control and the baselines.
        backbones: pretrained backbones, by name.
        spectra: power spectra of the EEG that each backbone generated.
        encoders: encoders of EEG of seen images, corpus by corpus.
        generations: images made from EEG, by entry of ``image_generation``.
        values: variables of the templates: tables, numbers, words.
        metrics: main numbers by flat names, as in ``metrics.json``.
    """

    data: EventData
    comparison: ClassifierComparison
    backbones: Mapping[str, Backbone]
    spectra: Mapping[str, GeneratedSpectra]
    encoders: list[EncoderCorpus]
    generations: list[GenerationResults]
    values: dict
    metrics: dict[str, str | float | bool]
