"""MkDocs' hook: pages that are made while the site is built, so that no copy of them can grow old.

Settings and stages come from the code, the API from the public names, and pages that the repository's host shows at the
root (contributing, changelog, security, benchmarks) from there.
"""

import ast
import re
from pathlib import Path

from error_messages import with_messages
from licences import licences_page
from mkdocs.structure.files import File
from settings_reference import settings_page
from stage_reference import stage_page

ROOT = Path(__file__).parents[2]

SHOWN = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "conduct.md": "CODE_OF_CONDUCT.md",
    "benchmarks.md": "benchmarks/results.md",
}
"""Page of the site, and the file it shows."""

FUNCTIONS = ("event_windows", "pretraining_windows")
"""Public functions of ``eegdiffusion.events.corpora.tuev``."""


def public_names(root: Path = ROOT) -> dict[str, str]:
    """Return the public names of the package, each with the module that defines it."""
    for node in ast.parse((root / "eegdiffusion/__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            return {name: f"eegdiffusion.{module}" for name, module in ast.literal_eval(node.value).items()}
    raise ValueError("eegdiffusion/__init__.py: must have a dictionary of its public names")


def api_page(root: Path = ROOT) -> str:
    """Return the page of the public names; mkdocstrings fills it from their docstrings."""
    names = [f"## `eegdiffusion.{name}`\n\n::: {module}.{name}\n" for name, module in public_names(root).items()]
    functions = [
        f"## `eegdiffusion.events.corpora.tuev.{name}`\n\n::: eegdiffusion.events.corpora.tuev.{name}\n"
        for name in FUNCTIONS
    ]
    head = (root / "docs/api_head.md").read_text()
    return "\n".join([head, *names, *functions])


def shown_page(source: str, root: Path = ROOT) -> str:
    """Return a file of the root as a page: its links point to other pages, or are plain text where there is none."""
    pages = {file: page for page, file in SHOWN.items()}

    def target(match: re.Match) -> str:
        words, link = match.groups()
        if link.startswith(("http", "#")):
            return match[0]
        page = pages.get(link, link.removeprefix("docs/") if link.startswith("docs/") else None)
        return f"[{words}]({page})" if page else f"`{link}`"

    return re.sub(r"(?<!!)\[([^]]+)\]\(([^)]+)\)", target, (root / source).read_text())


def on_files(files, config):
    """Add the pages that are made."""
    pages = {"settings.md": settings_page(ROOT), "stages.md": stage_page(ROOT), "api.md": api_page(ROOT)}
    pages["licences.md"] = licences_page(ROOT)
    pages |= {page: shown_page(source) for page, source in SHOWN.items()}
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Fill the lists of messages in."""
    return with_messages(markdown, ROOT) if page.file.src_uri == "troubleshooting.md" else markdown


def on_page_content(html, page, config, files):
    """Show the names that docstrings refer to in Sphinx' way, ``:func:`name```, as plain code."""
    return re.sub(r":(?:mod|func|class|meth|attr|data|obj):(?=<code>)", "", html)
