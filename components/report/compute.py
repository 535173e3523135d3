"""Reads the results of all stages, compares them, and makes the report's tables and metrics."""

from dataclasses import dataclass
from pathlib import Path

from components.report.settings import ReportSettings
from eegdiffusion.core.runtime.run_record import read_records
from eegdiffusion.events.results.backbones import read_backbones
from eegdiffusion.events.results.champion_predictions import read_champion
from eegdiffusion.events.results.finetuned_tasks import read_finetuned_task
from eegdiffusion.events.results.multi_label_tasks import read_multi_label_task
from eegdiffusion.events.results.probes import read_probes
from eegdiffusion.events.results.task_probes import read_task
from eegdiffusion.report import (
    classifier_sections,
    encoder_sections,
    exports,
    probe_sections,
    reconstruction_sections,
    task_sections,
)
from eegdiffusion.report.baseline_names import BASELINES
from eegdiffusion.report.classifier_comparison import CONTROL, LFT, compare_classifiers, compare_generated_eeg
from eegdiffusion.report.classifier_results import read_classifiers, read_event_data
from eegdiffusion.report.encoder_headlines import encoder_headlines
from eegdiffusion.report.encoder_runs import read_encoder_corpora
from eegdiffusion.report.event_headline import event_headline
from eegdiffusion.report.headline import write_headline_metrics
from eegdiffusion.report.image_headlines import image_headlines
from eegdiffusion.report.multi_label_sections import (
    compare_protocols,
    flat_multi_label_metrics,
    multi_label_values,
)
from eegdiffusion.report.origin import describe_origin
from eegdiffusion.report.published_results import read_published_results
from eegdiffusion.report.reconstruction_results import read_generation_results
from eegdiffusion.report.report_results import EventResults, ReportResults
from eegdiffusion.report.subset_results import read_subset_results


@dataclass(frozen=True)
class ReportInputs:
    """Outputs of the other stages.

    Attributes:
        event_corpora: a folder for each corpus of EEG events, and in it ``index`` and ``store``.
        backbones: a folder for each pretrained backbone.
        classifiers: LFTs: ``recorded``, ``shuffled``, ``ablations``, ``tests``, ``tasks``; a folder for each seed.
        baselines: a folder for each baseline, and in it one for each seed.
        probes: a folder for each entry of ``latents`` that was probed.
        tasks: a folder for each entry of ``probe_tasks``.
        encoders: a folder for each entry of ``eeg_encoders``.
        models: model that makes images -> a folder for each study, of the generator for each corpus.
        reconstructions: ``sgdm`` and ``condiffusion``, a folder for each study.
    """

    event_corpora: Path
    backbones: Path
    classifiers: Path
    baselines: Path
    probes: Path
    tasks: Path
    encoders: Path
    models: dict[str, Path]
    reconstructions: Path


def compute(inputs: ReportInputs, settings: ReportSettings, out: Path) -> ReportResults:
    """Read and compare all results, and write ``headline.json``, ``metrics.json`` and ``plots/*.csv``.

    Args:
        inputs: outputs of the other stages.
        settings: which of them are read.
        out: folder to write to.

    Returns:
        results, and the tables made from them.

    Raises:
        InputError: a result is missing, or results do not belong together.
    """
    published = read_published_results()
    events = read_events(inputs, settings) if settings.labels else None
    encoders = read_encoder_corpora(inputs.encoders, settings.eeg_encoders, settings.seeds)
    studies = [("sgdm", name, study.corpus) for name, study in settings.sgdm.items()]
    studies += [("condiffusion", name, study.corpus) for name, study in settings.condiffusion.items()]
    classifiers = {
        name: study.training(inputs.encoders / study.classifier, settings.seeds[0])
        for name, study in settings.condiffusion.items()
    }
    generations = read_generation_results(inputs.reconstructions, inputs.models, studies, classifiers)
    headlines = [*encoder_headlines(encoders), *image_headlines(generations)]
    if events:
        headlines.insert(0, event_headline(events.comparison, events.data, read_champion("lft")))
    values = {
        "has_events": events is not None,
        "headlines": headlines,
        "origin": describe_origin([each.corpus for each in headlines], read_records(), shown_stages(settings)),
        **encoder_sections.encoder_values(encoders, published),
        **reconstruction_sections.reconstruction_values(generations, published),
        "environment": classifier_sections.environment(),
    }
    metrics: dict[str, str | float | bool] = {}
    if events:
        values |= event_values(events, settings, published)
        metrics |= exports.flat_event_metrics(events) | task_sections.flat_task_metrics(events.tasks, events.finetuned)
        metrics |= flat_multi_label_metrics(events.multi_label)
    metrics |= encoder_sections.flat_encoder_metrics(encoders)
    metrics |= reconstruction_sections.flat_reconstruction_metrics(generations)
    exports.write_exports(out, metrics, events)
    # What the registry holds is no dependency of DVC's, and so in none of its metrics.
    write_headline_metrics(out, [headline.without_champion() for headline in headlines])
    return ReportResults(events, encoders, generations, headlines, values, metrics)


def shown_stages(settings: ReportSettings) -> list[str]:
    """Return the names of the stages whose results the report shows, in the order of the graph."""
    stages = []
    if settings.labels:
        stages += ["ingest_events", "preprocess_events", "pretrain_ssmdp", "cache_latents", "finetune_lft"]
        stages += ["probe_latents"] if settings.probes else []
        stages += ["ablate_lft"] if settings.ablations else []
        stages += ["test_lft"] if settings.lft_tests else []
        stages += ["probe_latents"] if settings.probes else []
        stages += ["probe_tasks"] if settings.probe_tasks else []
        stages += ["finetune_tasks"] if settings.event_tasks else []
        stages += ["train_baselines"] if settings.baselines else []
    if settings.eeg_encoders:
        stages += ["ingest_images", "embed_images", "train_eeg_encoder"]
    stages += ["prepare_generator"] if settings.sgdm or settings.condiffusion else []
    stages += ["train_structural_vae", "train_controlnet", "reconstruct_sgdm"] if settings.sgdm else []
    stages += ["train_condiffusion", "reconstruct_condiffusion"] if settings.condiffusion else []
    return stages


def read_events(inputs: ReportInputs, settings: ReportSettings) -> EventResults:
    """Read and compare the results of the branch of EEG events.

    Raises:
        InputError: a result is missing, or results do not belong together.
    """
    corpus = inputs.event_corpora / settings.corpus
    data = read_event_data(corpus / "index", corpus / "store")
    folders = {LFT: inputs.classifiers / "recorded"}
    folders |= {BASELINES.get(name, name): inputs.baselines / name for name in settings.baselines}
    if "shuffled" in settings.labels:
        folders[CONTROL] = inputs.classifiers / "shuffled"
    comparison = compare_classifiers(read_classifiers(folders, settings.seeds), data.subjects)
    ablation_folders = {key: inputs.classifiers / "ablations" / key for key in settings.ablations}
    ablation_folders |= {key: inputs.classifiers / "tests" / key for key in settings.lft_tests}
    ablated = read_classifiers({LFT: folders[LFT]} | ablation_folders, settings.seeds)
    backbones = read_backbones(inputs.backbones, settings.backbones)
    spectra = {name: compare_generated_eeg(backbone) for name, backbone in backbones.items()}
    probes = {name: read_probes(inputs.probes / name) for name in settings.probes}
    tasks = {name: read_task(inputs.tasks / name) for name in settings.probe_tasks}
    folder = inputs.classifiers / "tasks"
    of_sets = [name for name, task in settings.event_tasks.items() if task.head == "multi_label"]
    finetuned = {
        name: read_finetuned_task(folder / name, settings.seeds) for name in settings.event_tasks if name not in of_sets
    }
    multi_label = {
        name: compare_protocols(read_multi_label_task(folder / name, settings.seeds), name, comparison, data)
        for name in of_sets
    }
    rows = [key for key, row in settings.ablations.items() if "channel_dropout" in row.training]
    folders = {LFT: folders[LFT]} | {settings.ablations[key].name: ablation_folders[key] for key in rows}
    subsets = {name: read_subset_results(folder, settings.seeds) for name, folder in folders.items()}
    known = {name: results for name, results in subsets.items() if results}
    known = known if LFT in known else {}
    return EventResults(data, comparison, backbones, spectra, ablated, probes, tasks, known, finetuned, multi_label)


def event_values(events: EventResults, settings: ReportSettings, published: dict) -> dict:
    """Make the tables and numbers of the report's part on EEG events, by the names of its template's variables."""
    rows: dict[str, classifier_sections.Ablation] = {**settings.ablations, **settings.lft_tests}
    return {
        **classifier_sections.summary_values(events.comparison),
        **classifier_sections.data_values(events.data),
        **classifier_sections.classification_values(events.comparison, events.data.classes, published),
        "ablations": classifier_sections.ablation_values(events.ablated, rows, published["ablations"]),
        **classifier_sections.pretraining_values(events.backbones, events.spectra),
        "probes": {
            name: (probe_sections.probe_sentence(results), probe_sections.probes_table(results))
            for name, results in events.probes.items()
        },
        **task_sections.task_values(events.tasks, events.finetuned),
        **multi_label_values(events.multi_label),
        **classifier_sections.calibration_values(events),
        **classifier_sections.subset_values(events),
        **classifier_sections.reader_values(events),
        "corpus_entry": settings.corpus,
    }
