"""The report's page in a browser: its first screen, narrow and wide, light and dark; names that hold HTML."""

import base64
import re
from html import unescape

import pandas
import pytest

from eegdiffusion.core.observe.figures.style import blank_figure
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.report.document import Document
from eegdiffusion.report.headline import Headline, PairedComparison
from eegdiffusion.report.html_page import render_page
from eegdiffusion.report.origin import Origin
from tests.browser import needs_chromium, open_page
from tests.stages.test_report import build

TABLES = """
[...document.querySelectorAll(".table")].map((table) => {
  const [hint, scroll] = [table.querySelector(".hint"), table.querySelector(".scroll")];
  return [scroll.scrollWidth > scroll.clientWidth + 1, hint.clientHeight > 0];
})
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build(folder)
    with open_page(tmp_path_factory.mktemp("profile")) as opened:
        opened.open((folder / "reports" / "report.html").as_uri())
        yield opened


def _view(page, width: int, height: int, scheme: str = "light") -> None:
    page.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
    page.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])


@needs_chromium
@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1440, 900)])
def test_the_first_screen_holds_the_overview_and_no_page_is_wider_than_its_screen(page, width, height):
    _view(page, width, height)
    assert page.evaluate("document.querySelector('.overview').getBoundingClientRect().bottom") <= height
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    shown = page.evaluate("document.querySelector('.overview').innerText")
    for words in ("Trained on surrogate data", "balanced accuracy", "beats ContraWR", "beats shuffled labels"):
        assert words in shown


@needs_chromium
@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
def test_a_table_says_that_it_scrolls_exactly_where_it_does(page, width):
    _view(page, width, 900)
    tables = page.evaluate(TABLES)
    assert len(tables) > 8
    assert [scrolls for scrolls, _ in tables] == [hint for _, hint in tables]
    assert any(hint for _, hint in tables) or width > 390


@needs_chromium
def test_the_page_is_dark_where_the_reader_wants_it(page):
    luminance = "getComputedStyle(document.body).{}.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    for scheme in ("light", "dark"):
        _view(page, 1440, 900, scheme)
        paper, ink = (page.evaluate(luminance.format(name)) for name in ("backgroundColor", "color"))
        assert (paper < 150 < 600 < ink) if scheme == "dark" else (ink < 150 < 700 < paper)


NAMES = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "<!-- hidden",
    "</h1><b>a",
    "![a](figures/secret.png)",
    "[a](https://example.org)",
    "`a` **b** | c",
]


@pytest.mark.parametrize("name", NAMES)
def test_html_in_a_name_is_shown_as_text(tmp_path, name):
    document = Document(tmp_path / "report", name)
    comparison = PairedComparison(name, "baseline", 0.1, 0.05, 0.2)
    headline = Headline("lft", name, name, name, name, Score(0.5, 0.4, 0.6), 0.2, name, [comparison], [name])
    origin = Origin([name], name, name, name, [], [name])
    values = {"has_events": False, "encoder_corpora": [], "generations": [], "any_aligned": False}
    values |= {"any_classified": False, "headlines": [headline], "origin": origin, "environment": name}
    document.write_pages(**values)
    table = document.table(pandas.DataFrame({name: [name]}), name, name)
    for html in ((tmp_path / "report/report.html").read_text(), render_page(table, "", tmp_path, 144)):
        body = html.partition("</style>")[2]
        for tag in ("<script", "<img", "<svg", "<!-- hidden", "<b>a", '<a href="http'):
            assert tag not in body
        assert name in unescape(body)


def test_figures_of_the_report_alone_are_embedded(tmp_path):
    folder = tmp_path / "report"
    document = Document(folder, "surrogate")
    shown = document.figure(blank_figure("a", 1, 1), "made", "A [bracket] in a caption")
    secret = (folder / "figures/made.png").read_bytes() + b"secret"
    for path in (folder / "figures/secret.png", folder / "secret.png", tmp_path / "secret.png"):
        path.write_bytes(secret)
    others = ["figures/secret.png", "secret.png", "../secret.png", "figures/../secret.png", f"{tmp_path}/secret.png"]
    others += [f"file://{tmp_path}/secret.png", "https://example.org/a.png", "#made", "data:image/png;base64,AAAA"]
    markdown = "\n\n".join([shown, *(f"![a]({path})" for path in others), "[a](figures/secret.png) [b](#data)"])
    html = render_page(markdown, "", folder, 144, {"figures/made.png"})
    assert re.findall(r"<img src=\"(.{10})", html) == ["data:image"]
    assert base64.b64encode(secret[-30:]).decode()[-20:] not in html
    assert re.findall(r"<a href=\"([^\"]*)", html.partition("<main>")[2]) == ["#data"]
    assert 'alt="A [bracket] in a caption (surrogate data)"' in html
    with pytest.raises(InputError, match=r"^figure: must be of letters"):
        document.figure(blank_figure("a", 1, 1), "../made", "a")
