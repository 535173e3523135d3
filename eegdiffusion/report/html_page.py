"""The report's Markdown as one HTML page that needs nothing else: no script, no other file, no network."""

import base64
import itertools
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from eegdiffusion.core.runtime.templates import templates

TEMPLATES = templates(Path(__file__).parent)

CSS_DPI = 96
"""Of a page shown at its nominal size."""

WIDEST_CELL = 26
"""Characters of a cell beyond which its text is wrapped."""

CHARACTER_REM, PADDING_REM = 0.53, 1.1
"""Width of a character of a table, and of what is around the text of a cell."""

HINT = "This table is wider than the page: scroll it sideways."


def render_page(markdown: str, overview: str, folder: Path, dpi: int, figures: Collection[str] = ()) -> str:
    """Render Markdown below an overview, with figures embedded and a table of contents from the headings.

    Raw HTML in the Markdown stays text, whoever named a corpus so, as do links to anything but the page itself, and
    images that are none of its figures.

    Args:
        markdown: the report.
        overview: HTML of its first screen, which is put in as it is.
        folder: folder that the paths of figures begin at.
        dpi: dots per inch of the figures, which are shown at their nominal size.
        figures: paths of the figures, which alone are embedded.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.validateLink = lambda url: url in figures or url.startswith("#")  # type: ignore[method-assign]
    tokens = parser.parse(markdown)
    contents = _number_headings(tokens)
    for token in itertools.chain.from_iterable(token.children or () for token in tokens):
        if token.type == "image":
            if token.attrs["src"] not in figures:  # a place in the page is no image
                token.type, token.attrs = "text", {}
                continue
            png = (folder / str(token.attrs["src"])).read_bytes()
            width = int.from_bytes(png[16:20])  # of the PNG's header
            token.attrSet("src", f"data:image/png;base64,{base64.b64encode(png).decode()}")
            token.attrSet("width", str(round(width * CSS_DPI / dpi)))
    body = parser.renderer.render(_scrolling_tables(tokens), parser.options, {})
    title = re.search(r"<h1>(.*?)</h1>", overview, re.DOTALL)
    return TEMPLATES.get_template("page.html.j2").render(
        title=title[1] if title else "", contents=contents, overview=overview, body=body
    )


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w-]", "", heading.strip().lower().replace(" ", "-"))


def _number_headings(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """Give second-level headings an anchor; returns anchors and headings."""
    contents: list[tuple[str, str]] = []
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open" and opening.tag == "h2":
            opening.attrSet("id", slug(inline.content))
            contents.append((slug(inline.content), inline.content))
    return contents


def _scrolling_tables(tokens: Sequence[Token]) -> list[Token]:
    """Put each table into a frame that scrolls, and says so where the page is narrower than the table."""
    framed: list[Token] = []
    for k, token in enumerate(tokens):
        if token.type == "table_open":
            width = _width_rem(itertools.takewhile(lambda each: each.type != "table_close", tokens[k:]))
            style = f"--w: {width:.1f}rem"
            opening = (
                f'<div class="table" style="{style}"><p class="hint">{HINT}</p><div class="scroll" tabindex="0">\n'
            )
            framed.append(Token("html_block", "", 0, content=opening))
        framed.append(token)
        if token.type == "table_close":
            framed.append(Token("html_block", "", 0, content="</div></div>\n"))
    return framed


def _width_rem(tokens) -> float:
    """Estimate the width that a table needs: no word is broken, and only long cells are wrapped."""
    widths: list[int] = []
    column = 0
    for token in tokens:
        if token.type == "tr_open":
            column = 0
        elif token.type == "inline":
            words = token.content.split() or [""]
            needed = max(min(len(token.content), WIDEST_CELL), *map(len, words), 0)
            widths += [0] * (column + 1 - len(widths))
            widths[column] = max(widths[column], needed)
            column += 1
    return sum(CHARACTER_REM * width + PADDING_REM for width in widths)
