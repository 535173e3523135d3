"""Commands and examples of the documents that a stranger reads."""

import re
from pathlib import Path

from tests.e2e.workspace import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "dags/README.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]


def blocks(language: str) -> list[tuple[Path, str]]:
    """Return the fenced blocks of a language, each with the document that holds it."""
    return [
        (path, block)
        for path in DOCUMENTS
        for block in re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
    ]


def named_commands() -> list[tuple[Path, str]]:
    """Return each command that a sentence names in backticks, ``eeg ...`` and the like, with the file that holds it.

    Sentences are those of the documents and, as messages and help name commands too, of the code.
    """
    code = [*ROOT.glob("eegdiffusion/**/*.py"), *ROOT.glob("components/**/*.py"), *ROOT.glob("dags/*.py")]
    pattern = re.compile(r"(?<!`)`(?:\.venv/bin/)?((?:eeg|make|dvc) [a-z][^`\n{]*)`(?!`)")
    return [(path, words) for path in [*DOCUMENTS, *code] for words in pattern.findall(path.read_text())]


def commands() -> list[str]:
    """Return each command of the bash blocks once: without its comment, in one line."""
    lines = [line for _, block in blocks("bash") for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines()]
    stripped = [re.sub(r"(^|\s+)#\s.*$", "", line).strip() for line in lines]
    return list(dict.fromkeys(line for line in stripped if line))
