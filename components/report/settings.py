"""Settings of the stage ``report``: the sections of ``params.yaml`` that say which results there are."""

from dataclasses import dataclass

from eegdiffusion.events.probes.task_settings import ProbedTask
from eegdiffusion.events.training.ablation_row import AblationRow, LFTTest
from eegdiffusion.events.training.event_task import EventTask
from eegdiffusion.images.encoders.encoder_settings import EncoderExperiment
from eegdiffusion.images.generation.studies import ConDiffusionStudy, SGDMStudy

Ablations = dict[str, AblationRow]
LFTTests = dict[str, LFTTest]
ProbedTasks = dict[str, ProbedTask]
EventTasks = dict[str, EventTask]
EncoderExperiments = dict[str, EncoderExperiment]
SGDMStudies = dict[str, SGDMStudy]
ConDiffusionStudies = dict[str, ConDiffusionStudy]


@dataclass(frozen=True)
class ReportSettings:
    """Which results the report reads.

    Attributes:
        corpus: entry of ``event_corpora`` that the LFT was finetuned on.
        backbones: names of the pretrained backbones; the figure of spectra takes real EEG from the first.
        labels: labels that classifiers are trained on; without any the report leaves EEG events out.
        seeds: training seeds.
        baselines: names of the baselines.
        probes: entries of the section ``latents`` that were probed.
        ablations: entries of the section ``ablations``.
        lft_tests: entries of the section ``lft_tests``.
        probe_tasks: entries of the section ``probe_tasks``.
        event_tasks: entries of the section ``event_tasks``.
        eeg_encoders: entries of the section ``eeg_encoders``.
        sgdm: entries of the section ``sgdm``.
        condiffusion: entries of the section ``condiffusion``.
    """

    corpus: str
    backbones: list[str]
    labels: list[str]
    seeds: list[int]
    baselines: list[str]
    probes: list[str]
    ablations: Ablations
    lft_tests: LFTTests
    probe_tasks: ProbedTasks
    event_tasks: EventTasks
    eeg_encoders: EncoderExperiments
    sgdm: SGDMStudies
    condiffusion: ConDiffusionStudies
