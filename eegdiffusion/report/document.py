"""The report as Markdown with figures beside it, and as the HTML page that is made of it."""

import itertools
import re
from pathlib import Path

import pandas
from matplotlib.figure import Figure

from eegdiffusion.core.runtime.markdown import markdown_text, markdown_values
from eegdiffusion.core.runtime.names import require_name
from eegdiffusion.core.runtime.printable import printable
from eegdiffusion.report.html_page import TEMPLATES, render_page

DPI = 144
"""Of the figures' files."""


class Document:
    """Numbers tables and figures, marks each with the corpus it comes from, and renders the templates.

    Args:
        folder: where the report goes; figures go to ``figures/`` in it.
        corpus: name of the corpus that tables and figures come from, where they do not say another.
    """

    def __init__(self, folder: Path, corpus: str):
        self.folder = folder
        self.corpus = corpus
        self._data = f"{markdown_text(corpus)} data"
        self._paths: set[str] = set()
        self._tables, self._figures = itertools.count(1), itertools.count(1)
        (folder / "figures").mkdir(parents=True, exist_ok=True)

    def titled(self, text: str) -> str:
        """Add the corpus to the caption of a table or figure."""
        return f"{text} ({self._data})"

    def table(self, frame: pandas.DataFrame, caption: str, note: str = "", corpus: str | None = None) -> str:
        """Write a table in Markdown, its caption above it.

        Args:
            frame: what it shows, as plain text; columns of numbers are aligned right.
            caption: what it is, in Markdown, as are the others.
            note: a sentence below it.
            corpus: where the numbers come from, when not from the report's corpus.
        """
        text = f"**Table {next(self._tables)}.** {caption} ({corpus or self._data})"
        align = ["right" if all(map(_is_number, frame[column])) else "left" for column in frame]
        frame = frame.map(lambda cell: markdown_text(cell) if isinstance(cell, str) else cell)
        frame.columns = [markdown_text(name) for name in frame.columns]
        align[0] = "left"  # names, also where they begin with a number
        rows = frame.to_markdown(index=False, disable_numparse=True, colalign=align)
        return "\n\n".join(part for part in (text, rows, note) if part)

    def figure(self, figure: Figure, name: str, caption: str, corpus: str | None = None) -> str:
        """Save a figure and write the Markdown that shows it, its caption below.

        Args:
            figure: figure that is saved as ``figures/<name>.png``.
            name: name of the file.
            caption: what it shows, in Markdown, as is what follows.
            corpus: where its data come from, when not from the report's corpus.
        """
        path = Path("figures", f"{require_name(name, 'figure')}.png")
        self._paths.add(path.as_posix())
        figure.savefig(self.folder / path, dpi=DPI)
        caption = f"{caption} ({corpus} data)" if corpus else self.titled(caption)
        alternative = re.sub(r"(?<!\\)[\[\]]", r"\\\g<0>", caption)
        return f"![{alternative}]({path.as_posix()})\n\n**Figure {next(self._figures)}.** {caption}"

    def write_pages(self, **values) -> None:
        """Write ``report.md`` and ``report.html`` from the values of the templates' variables, whose text is plain."""
        values |= {"doc": self, "corpus": self.corpus}
        shown = markdown_values(values)
        first = TEMPLATES.get_template("overview.md.j2").render(**shown)
        text = TEMPLATES.get_template("report.md.j2").render(**shown)
        title = TEMPLATES.get_template("title.j2").render(**values)
        overview = TEMPLATES.get_template("overview.html.j2").render(title=printable(title), **values)
        (self.folder / "report.md").write_text(f"{first}{text}")
        (self.folder / "report.html").write_text(render_page(text, overview, self.folder, DPI, self._paths))


def _is_number(cell: object) -> bool:
    """Whether a cell begins as a number does, or is a dash that stands for one."""
    return re.match(r"[+-]?\d|–", str(cell)) is not None
