"""Everything that the report says: results of both branches, and the values of its templates."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eegdiffusion.events.results.backbones import Backbone
from eegdiffusion.events.results.finetuned_tasks import FinetunedTask
from eegdiffusion.events.results.probes import ProbeResults
from eegdiffusion.events.results.task_probes import TaskResults
from eegdiffusion.report.classifier_comparison import ClassifierComparison, GeneratedSpectra
from eegdiffusion.report.classifier_results import ClassifierResults, EventData
from eegdiffusion.report.encoder_runs import EncoderCorpus
from eegdiffusion.report.headline import Headline
from eegdiffusion.report.multi_label_sections import MultiLabelResults
from eegdiffusion.report.reconstruction_results import GenerationResults
from eegdiffusion.report.subset_results import SubsetResults


@dataclass(frozen=True)
class EventResults:
    """Results of the branch of EEG events.

    Attributes:
        data: corpus of EEG events.
        comparison: the LFT, its control and the baselines.
        backbones: pretrained backbones, by name.
        spectra: power spectra of the EEG that each backbone generated.
        ablated: the LFT, and the classifier of each ablation by its entry.
        probes: probes of latents, by their entry.
        tasks: probes of tasks of other corpora, by their entry.
        subsets: LFTs that were tested on fewer channels, by how they were trained; the one of ``finetune_lft`` first.
        finetuned: LFTs trained for further tasks of one class a window, by their entry.
        multi_label: LFTs of distinct windows, which may be of several classes, by their entry.
    """

    data: EventData
    comparison: ClassifierComparison
    backbones: Mapping[str, Backbone]
    spectra: Mapping[str, GeneratedSpectra]
    ablated: Mapping[str, ClassifierResults]
    probes: Mapping[str, ProbeResults]
    tasks: Mapping[str, TaskResults]
    subsets: Mapping[str, SubsetResults]
    finetuned: Mapping[str, FinetunedTask]
    multi_label: Mapping[str, MultiLabelResults] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportResults:
    """What the report shows.

    Attributes:
        events: the branch of EEG events; None where nothing of it is trained.
        encoders: encoders of EEG of seen images, corpus by corpus.
        generations: images made from EEG, by study.
        headlines: main score of each task, with its paired differences.
        values: variables of the templates: tables, numbers, words.
        metrics: main numbers by flat names, as in ``metrics.json``.
    """

    events: EventResults | None
    encoders: list[EncoderCorpus]
    generations: list[GenerationResults]
    headlines: list[Headline]
    values: dict
    metrics: dict[str, str | float | bool]

    @property
    def corpus(self) -> str:
        """Name of the corpus that tables and figures are of where they say no other."""
        if self.events:
            return self.events.data.name
        return self.encoders[0].name if self.encoders else "no"
