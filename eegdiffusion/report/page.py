"""The report's page: tables and figures of all results, as Markdown and HTML."""

from pathlib import Path

from eegdiffusion.report import page_figures
from eegdiffusion.report.document import Document
from eegdiffusion.report.report_results import ReportResults


def draw_report(results: ReportResults) -> dict:
    """Draw all figures of the report, by the names that its templates know them by."""
    figures: dict = {}
    if events := results.events:
        corpus = events.data.name
        figures |= page_figures.draw_classifiers(events.comparison, events.data.classes, corpus)
        figures |= page_figures.draw_backbones(events.backbones, events.spectra, corpus)
        figures["probes"] = page_figures.draw_probes(events.probes, events.comparison, corpus)
    return figures | {
        "encoders": [page_figures.draw_encoders(part, k) for k, part in enumerate(results.encoders, start=1)],
        "generations": [page_figures.draw_generation(part, k) for k, part in enumerate(results.generations, start=1)],
    }


def write_report(folder: Path, results: ReportResults) -> None:
    """Write ``report.md`` and ``report.html``, and the figures to ``figures/``.

    Args:
        folder: output of the stage.
        results: tables, and what the figures are drawn from.
    """
    document = Document(folder, results.corpus)
    document.write_pages(figures=draw_report(results), **results.values)
