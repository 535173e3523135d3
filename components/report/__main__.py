"""Write the report: ``python -m components.report``."""

from pathlib import Path

import yaml

from components.ablate_lft.settings import Row
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.events.results.backbones import read_backbones
from eegdiffusion.images.encoders.encoder_settings import Row as EEGRow
from eegdiffusion.images.generation.generation_config import GenerationStudy
from eegdiffusion.report import classifier_sections, encoder_sections, encoder_tables, exports, reconstruction_sections
from eegdiffusion.report.classifier_results import read_classifiers, read_corpus
from eegdiffusion.report.comparison import CONTROL, LFT, compare, compare_spectra
from eegdiffusion.report.document import Document
from eegdiffusion.report.encoder_runs import read_rows
from eegdiffusion.report.reconstruction_results import read_generations

BASELINES = {"sparcnet": "SPaRCNet", "contrawr": "ContraWR"}

PUBLISHED = Path(__file__).parents[2] / "eegdiffusion/report/published.yaml"


@stage("report")
def main(run: Stage) -> None:
    event_corpus = run.input("event_corpora") / run.settings(str, "finetune_lft.corpus")
    corpus = read_corpus(event_corpus / "index", event_corpus / "store")
    seeds, baselines = run.settings(list[int], "matrix.seeds"), run.input("baselines")
    classifiers = run.input("classifiers")
    folders = {LFT: classifiers / "recorded"}
    for name in run.settings(list[str], "matrix.baselines"):
        folders[BASELINES.get(name, name)] = baselines / name
    folders[CONTROL] = classifiers / "shuffled"
    comparison = compare(read_classifiers(folders, seeds), corpus.subjects)
    rows = run.settings(dict[str, Row], "ablations")
    ablated = read_classifiers({LFT: folders[LFT]} | {key: classifiers / "ablations" / key for key in rows}, seeds)
    published = yaml.safe_load(PUBLISHED.read_text())
    eeg = read_rows(run.input("encoders"), run.settings(dict[str, EEGRow], "eeg_encoders"), seeds)
    models = {
        "structural VAE": run.input("structural_vae"),
        "generator": run.input("generator"),
        "EEG-ConDiffusion": run.input("condiffusion"),
        "ControlNet": run.input("controlnet"),
    }
    studies = run.settings(dict[str, GenerationStudy], "image_generation")
    generations = read_generations(run.input("reconstructions"), models, studies)
    backbones = read_backbones(run.input("backbones"), run.settings(list[str], "matrix.backbones"))
    compared = {name: compare_spectra(backbone) for name, backbone in backbones.items()}

    out = run.output("reports")
    doc = Document(out, corpus.name)
    doc.write(
        **classifier_sections.summary(comparison),
        **classifier_sections.data(corpus),
        **classifier_sections.classification(doc, comparison, corpus.classes, published),
        ablations=classifier_sections.ablations(ablated, rows, published["ablations"]),
        **classifier_sections.pretraining(doc, backbones, compared),
        **encoder_sections.images_from_eeg(eeg, published),
        **reconstruction_sections.images_made(doc, generations, published),
        scored=encoder_tables.scored,
        percent=encoder_tables.percent,
        environment=classifier_sections.environment(),
    )
    further = encoder_sections.metrics(eeg) | reconstruction_sections.metrics(generations)
    exports.write(out, corpus, comparison, backbones, compared, ablated, further)


if __name__ == "__main__":
    main()
