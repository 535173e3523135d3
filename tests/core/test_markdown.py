"""Text of others within Markdown is shown as it is."""

import re
from dataclasses import dataclass
from html import escape, unescape

import pandas
import pytest
from markdown_it import MarkdownIt

from eegdiffusion.core.runtime.markdown import markdown_code, markdown_text, markdown_values

MARKED = [
    "![](/etc/passwd)",
    "![a](figures/../../secret.png)",
    "[a](javascript:alert(1))",
    "[a](https://example.org)",
    "[a][b]",
    "<https://example.org>",
    "<script>alert(1)</script>",
    "<!-- a -->",
    "&lt;b&gt;&#60;",
    "**bold** and *em* and ~~gone~~",
    "_em_ __strong__",
    "`code` ``more``",
    "# heading",
    "> quotation",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "a | b",
    "\\[a](b) \\*x*",
    "\\\\*x*",
    "a\n\n# b",
    "a\r\n![](x)",
    "a  \nb",
    "[x]: https://example.org",
    "]( [a](b",
]
PLAIN = [
    "LFT, shuffled labels",
    "0.51 [0.42, 0.60]",
    "things_eeg2_raw",
    "-0.25",
    "p < 0.05",
    "a & b",
    "sub-01",
    "é (x)",
]

PARSERS = [MarkdownIt("commonmark"), MarkdownIt("gfm-like", {"linkify": False})]


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("text", [*MARKED, *PLAIN])
@pytest.mark.parametrize("around", ["{}", "Corpus: {}.", "* **{}**: x", "| a |\n|---|\n| {} |", "> {}"])
def test_marks_are_shown_and_mean_nothing(parser, text, around):
    if around.startswith("|") and parser is PARSERS[0]:
        return  # it has no tables
    shown = text.replace("\r", r"\r").replace("\n", r"\n")
    html = parser.render(around.format(markdown_text(text)))
    plain = parser.render(around.format("PLACE"))
    assert unescape(html).replace("\n", "") == unescape(plain.replace("PLACE", escape(shown))).replace("\n", "")
    assert re.findall(r"<\w+", html) == re.findall(r"<\w+", plain)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_stays(text):
    assert markdown_text(text) == text


def test_addresses_are_no_links():
    for text in ("https://example.org/x", "www.example.org", "see http://a.b"):
        assert "://" not in markdown_text(text).replace("\\://", "")
        assert not re.search(r"www\.", markdown_text(text))


@pytest.mark.parametrize("text", [text for text in MARKED if text.strip() == text])
def test_code_is_shown_as_it_is(text):
    html = PARSERS[0].render(f"a {markdown_code(text)} b")
    shown = text.replace("\r", r"\r").replace("\n", r"\n")
    assert unescape(html) == f"<p>a <code>{shown}</code> b</p>\n"


@dataclass(frozen=True)
class Row:
    name: str
    score: float


def test_all_text_of_a_value_is_marked_and_nothing_else():
    frame = pandas.DataFrame({"a": ["*x*"]})
    values = {"rows": [Row("*x*", 1.5)], "pair": ("`a`", 2), "frame": frame, "flag": None, "*k*": {"b": "#"}}
    marked = markdown_values(values)
    assert marked["frame"] is frame
    del marked["frame"]
    assert marked == {"rows": [Row(r"\*x\*", 1.5)], "pair": (r"\`a\`", 2), "flag": None, r"\*k\*": {"b": r"\#"}}
