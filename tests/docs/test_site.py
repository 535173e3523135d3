"""The site is built without a warning: every link and every public name is found."""

import re
import subprocess
import sys

import pytest

from tests.e2e.workspace import ROOT, environment

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(words, cwd=ROOT, env=environment(warm=False), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def test_the_site_has_every_page(site):
    import yaml

    text = re.sub(r"!!python\S+", "", (ROOT / "mkdocs.yml").read_text())
    pages = re.findall(r": (\w+\.md)", str(yaml.safe_load(text)["nav"]).replace("'", ""))
    assert len(pages) >= 15
    assert all((site / page.replace(".md", ".html")).is_file() for page in pages)


def test_the_api_page_has_every_public_name(site):
    import eegdiffusion

    page = (site / "api.html").read_text()
    assert all(f"eegdiffusion.{name}" in page for name in dir(eegdiffusion))


def test_pages_ask_nothing_of_other_servers(site):
    for path in site.glob("*.html"):
        assert not re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="https?://[^"]*"', path.read_text()), (
            path.name
        )
