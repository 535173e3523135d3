"""Write the report: ``python -m components.report``."""

from pathlib import Path

import yaml

from components.ablate_lft.settings import Row
from components.data.generation_study import GenerationStudy
from components.evaluation.backbones import read_backbones
from components.report import eeg_sections, eeg_tables, exports, reconstruction_sections, sections
from components.report.comparison import CONTROL, LFT, compare, compare_spectra
from components.report.document import Document
from components.report.eeg_results import read_rows
from components.report.reconstruction_results import read_generations
from components.report.results import read_classifiers, read_corpus
from components.stage import Stage, stage
from components.training.eeg_encoder_settings import Row as EEGRow

BASELINES = {"sparcnet": "SPaRCNet", "contrawr": "ContraWR"}

PUBLISHED = Path(__file__).with_name("published.yaml")


@stage("report")
def main(run: Stage) -> None:
    corpus = read_corpus(run.input("index"), run.input("store"))
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
        **sections.summary(comparison),
        **sections.data(corpus),
        **sections.classification(doc, comparison, corpus.classes, published),
        ablations=sections.ablations(ablated, rows, published["ablations"]),
        **sections.pretraining(doc, backbones, compared),
        **eeg_sections.images_from_eeg(eeg, published),
        **reconstruction_sections.images_made(doc, generations, published),
        scored=eeg_tables.scored,
        percent=eeg_tables.percent,
        environment=sections.environment(),
    )
    further = eeg_sections.metrics(eeg) | reconstruction_sections.metrics(generations)
    exports.write(out, corpus, comparison, backbones, compared, ablated, further)


if __name__ == "__main__":
    main()
