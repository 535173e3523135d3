"""Page of the licences of what is installed, made while the site is built from what the packages say of themselves."""

import importlib.metadata
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Kind(NamedTuple):
    """Licences that oblige to the same.

    Attributes:
        name: what they are called here.
        pattern: what they are called by packages.
        obliges: what they ask of who passes the package on, as in an image or an environment.
    """

    name: str
    pattern: re.Pattern
    obliges: str


KINDS = [
    Kind(
        "permissive",
        re.compile(
            r"\bMIT\b|MIT-0|BSD|Apache|\bISC\b|PSF|Python Software Foundation|Unlicense|CC0|Zlib|BSL-1\.0|CNRI|HPND"
            r"|ZPL|Zope",
            re.IGNORECASE,
        ),
        "copyright notices and licence texts go with every copy (they lie in the packages' `.dist-info`); Apache's "
        "also asks to keep NOTICE files and to mark changed ones",
    ),
    Kind(
        "weak copyleft",
        re.compile(r"MPL|Mozilla|EPL|Eclipse|LGPL|Lesser General|Artistic", re.IGNORECASE),
        "who changes *their* files and passes them on offers the source of those under the same licence, and lets "
        "users put another version in their place; code that uses them is free of it",
    ),
    Kind(
        "NVIDIA's",
        re.compile("NVIDIA", re.IGNORECASE),
        "NVIDIA's agreement: free to use, and to pass on as a part of an application that adds to it; read it before "
        "an image `train` leaves the house",
    ),
    Kind(
        "GPL",
        re.compile(r"(?<!L)GPL|GNU General Public", re.IGNORECASE),
        "who passes it on offers its source, and that of a program which is derived from it; here it is a tool that is "
        "run, or has an exception for linking",
    ),
]
"""From what asks least to what asks most."""

SAID_ELSEWHERE = {
    "cuda-toolkit": "NVIDIA Proprietary Software",
    "huey": "MIT",
    "resvg-py": "MIT",
    "sigstore-models": "MIT",
    "skops": "MIT",
    "timescoring": "MIT",
}
"""Licences of packages whose metadata name none: from the licence files in them; `cuda-toolkit` lists NVIDIA's."""

_LOCKED = re.compile(r"^([a-z0-9._-]+)==", re.MULTILINE)


def normal(name: str) -> str:
    """Return a package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def statements(package: importlib.metadata.Distribution) -> list[str]:
    """Return what a package says of its licence, the most exact first."""
    metadata = package.metadata
    short = [text for text in metadata.get_all("License", []) if len(text) < 80 and "\n" not in text]
    listed = [text for text in metadata.get_all("Classifier", []) if text.startswith("License :: OSI Approved :: ")]
    names = [text.rpartition(" :: ")[2] for text in listed]
    known = SAID_ELSEWHERE.get(normal(package.name))
    return [
        *metadata.get_all("License-Expression", []),
        *short,
        *([" OR ".join(names)] if names else []),
        *filter(None, [known]),
    ]


def kind_of(statement: str) -> Kind | None:
    """Return what a licence asks; of several to choose from the one that asks least; None where it is unknown."""
    rank = _rank(statement)
    return None if rank is None else KINDS[rank]


def _rank(statement: str) -> int | None:
    while group := re.search(r"\(([^()]* (?:OR|AND) [^()]*)\)", statement):
        rank = _rank(group[1])
        statement = statement.replace(group[0], "unknown" if rank is None else _EXAMPLES[rank])
    choices = [_rank_of_all(choice) for choice in re.split(r"\bOR\b|\|", statement)]
    return min((rank for rank in choices if rank is not None), default=None)


def _rank_of_all(statement: str) -> int | None:
    """Return the rank of licences that hold together, joined by ``AND``."""
    ranks = [[k for k, kind in enumerate(KINDS) if kind.pattern.search(part)] for part in statement.split(" AND ")]
    return max(map(max, ranks)) if all(ranks) else None


_EXAMPLES = ("MIT", "MPL", "NVIDIA", "GPL")
"""A licence of each kind."""


def licences(root: Path = ROOT) -> dict[str, list[tuple[str, str]]]:
    """Return the locked packages that are installed, with their licence, by its kind; ``unknown`` if it is none."""
    locked = {normal(name) for name in _LOCKED.findall((root / "requirements.lock").read_text())}
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for package in sorted(importlib.metadata.distributions(), key=lambda package: normal(package.name)):
        if normal(package.name) in locked:
            fitting = [(kind, text) for text in statements(package) if (kind := kind_of(text))]
            kind, text = fitting[0] if fitting else (None, "")
            groups[kind.name if kind else "unknown"].append((normal(package.name), text))
    return groups


def licences_page(root: Path = ROOT) -> str:
    """Return the page: what each kind of licence obliges to, and a table of the packages that have it."""
    groups = licences(root)
    lines = [
        "# Licences of dependencies",
        "",
        "Made from what the packages of `requirements.lock` say of themselves.",
        "",
    ]
    lines += ["| kind | packages | what it obliges to |", "|---|--:|---|"]
    lines += [f"| {kind.name} | {len(groups[kind.name])} | {kind.obliges} |" for kind in KINDS]
    for name in [kind.name for kind in KINDS] + ["unknown"]:
        if groups[name]:
            lines += ["", f"## {name.capitalize()}", "", "| package | licence |", "|---|---|"]
            lines += [f"| {package} | {text.replace('|', 'or')} |" for package, text in groups[name]]
    return "\n".join([*lines, ""])
