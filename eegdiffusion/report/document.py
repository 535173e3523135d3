"""The report as Markdown with figures beside it, and as one HTML file that needs nothing else."""

import base64
import itertools
import re
from pathlib import Path

import pandas
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from eegdiffusion.core.runtime.templates import templates

TEMPLATES = templates(Path(__file__).parent)

DPI = 144
"""Of the figures' files."""

CSS_DPI = 96
"""Of a page shown at its nominal size."""


class Document:
    """Numbers tables and figures, marks each with the corpus it comes from, and renders the templates.

    Args:
        folder: where the report goes; figures go to ``figures/`` in it.
        corpus: name of the corpus that tables and figures come from, where they do not say another.
    """

    def __init__(self, folder: Path, corpus: str):
        self.folder = folder
        self.corpus = corpus
        self._tables, self._figures = itertools.count(1), itertools.count(1)
        (folder / "figures").mkdir(parents=True, exist_ok=True)

    def titled(self, text: str) -> str:
        """Add the corpus to the caption of a table or figure."""
        return f"{text} ({self.corpus} data)"

    def table(self, frame: pandas.DataFrame, caption: str, note: str = "", corpus: str | None = None) -> str:
        """Write a table in Markdown, its caption above it.

        Args:
            frame: what it shows; columns of numbers are aligned right.
            caption: what it is.
            note: a sentence below it.
            corpus: where the numbers come from, when not from the report's corpus.
        """
        text = f"**Table {next(self._tables)}.** {caption} ({corpus or f'{self.corpus} data'})"
        align = ["right" if all(map(_is_number, frame[column])) else "left" for column in frame]
        align[0] = "left"  # names, also where they begin with a number
        rows = frame.to_markdown(index=False, disable_numparse=True, colalign=align)
        return "\n\n".join(part for part in (text, rows, note) if part)

    def figure(self, figure: Figure, name: str, caption: str, corpus: str | None = None) -> str:
        """Save a figure and write the Markdown that shows it, its caption below.

        Args:
            figure: figure that is saved as ``figures/<name>.png``.
            name: name of the file.
            caption: what it shows.
            corpus: where its data come from, when not from the report's corpus.
        """
        path = Path("figures", f"{name}.png")
        figure.savefig(self.folder / path, dpi=DPI)
        caption = f"{caption} ({corpus} data)" if corpus else self.titled(caption)
        return f"![{caption}]({path.as_posix()})\n\n**Figure {next(self._figures)}.** {caption}"

    def write_pages(self, **values) -> None:
        """Write ``report.md`` and ``report.html`` from the values of the template's variables."""
        text = TEMPLATES.get_template("report.md.j2").render(doc=self, corpus=self.corpus, **values)
        (self.folder / "report.md").write_text(text)
        (self.folder / "report.html").write_text(_page(text, self.folder))


def _is_number(cell: object) -> bool:
    """Whether a cell begins as a number does, or is a dash that stands for one."""
    return re.match(r"[+-]?\d|–", str(cell)) is not None


def _page(markdown: str, folder: Path) -> str:
    """Render Markdown as a self-contained HTML page: figures embedded, a table of contents from the headings."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    title = ""
    contents: list[tuple[str, str]] = []
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            if opening.tag == "h1":
                title = inline.content
            elif opening.tag == "h2":
                opening.attrSet("id", f"section-{len(contents) + 1}")
                contents.append((f"section-{len(contents) + 1}", inline.content))
        for token in inline.children or ():
            if token.type == "image":
                png = (folder / str(token.attrs["src"])).read_bytes()
                width = int.from_bytes(png[16:20])  # of the PNG's header
                token.attrSet("src", f"data:image/png;base64,{base64.b64encode(png).decode()}")
                token.attrSet("width", str(round(width * CSS_DPI / DPI)))
    body = parser.renderer.render(tokens, parser.options, {})
    return TEMPLATES.get_template("page.html.j2").render(title=title, contents=contents, body=body)
