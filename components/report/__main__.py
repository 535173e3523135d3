"""Write the report: ``python -m components.report``."""

from pathlib import Path

import yaml

from components.report import exports, sections
from components.report.comparison import CONTROL, LFT, compare, compare_spectra
from components.report.document import Document
from components.report.results import read_backbones, read_classifiers, read_corpus
from components.stage import Stage, stage

BASELINES = {"sparcnet": "SPaRCNet", "contrawr": "ContraWR"}

PUBLISHED = Path(__file__).with_name("published.yaml")


@stage("report")
def main(run: Stage) -> None:
    corpus = read_corpus(run.input("index"), run.input("store"))
    seeds, baselines = run.settings(list[int], "matrix.seeds"), run.input("baselines")
    folders = {LFT: run.input("classifiers")}
    for name in run.settings(list[str], "matrix.baselines"):
        folders[BASELINES.get(name, name)] = baselines / name
    folders[CONTROL] = run.input("control")
    comparison = compare(read_classifiers(folders, seeds), corpus.subjects)
    backbones = read_backbones(run.input("backbones"), run.settings(list[str], "matrix.backbones"))
    compared = {name: compare_spectra(backbone) for name, backbone in backbones.items()}

    out = run.output("reports")
    doc = Document(out, corpus.name)
    doc.write(
        **sections.summary(comparison),
        **sections.data(corpus),
        **sections.classification(doc, comparison, corpus.classes, yaml.safe_load(PUBLISHED.read_text())),
        **sections.pretraining(doc, backbones, compared),
        environment=sections.environment(),
    )
    exports.write(out, corpus, comparison, backbones, compared)


if __name__ == "__main__":
    main()
