"""The graph of ``dvc.yaml`` at the level of stages, and its drawing in Mermaid's language.

``python docs/hooks/stage_graph.py`` puts the drawing into README.md.
"""

import re
from pathlib import Path

import yaml

BEGIN, END = "<!-- graph: made from dvc.yaml by `make docs` -->", "<!-- end of graph -->"
CODE = ("components/", "eegdiffusion/")


def read_stages(path: Path = Path("dvc.yaml")) -> dict[str, dict]:
    """Return each stage's entry by name, with what ``foreach`` repeats lifted to the top, in the file's order."""
    stages = yaml.safe_load(path.read_text())["stages"]
    return {name: entry | entry.get("do", {}) for name, entry in stages.items()}


def _paths(entry: dict, key: str) -> list[tuple[str, ...]]:
    """Return the data that an entry declares under ``key``, as parts of paths; a template stands for any part."""
    names = [next(iter(item)) if isinstance(item, dict) else item for item in entry.get(key, [])]
    # What begins with a template is the user's own folder: no stage makes it.
    return [
        tuple("*" if "${" in part else part for part in name.split("/"))
        for name in names
        if not name.startswith(("${", *CODE))
    ]


def _overlap(output: tuple[str, ...], dependency: tuple[str, ...]) -> bool:
    """Whether one path is, or lies in, the other."""
    return all("*" in pair or pair[0] == pair[1] for pair in zip(output, dependency, strict=False))


def edges(stages: dict[str, dict]) -> set[tuple[str, str]]:
    """Return the pairs (stage, stage that takes what it makes)."""
    return {
        (maker, taker)
        for maker, upstream in stages.items()
        for taker, downstream in stages.items()
        if maker != taker
        for output in _paths(upstream, "outs")
        for dependency in _paths(downstream, "deps")
        if _overlap(output, dependency)
    }


def reduced(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Leave out the edges that a longer way implies (the transitive reduction of an acyclic graph)."""

    def reaches(start: str, end: str, without: tuple[str, str]) -> bool:
        return any(
            pair != without and pair[0] == start and (pair[1] == end or reaches(pair[1], end, without))
            for pair in pairs
        )

    return {pair for pair in pairs if not reaches(*pair, without=pair)}


def mermaid(stages: dict[str, dict]) -> str:
    """Return the drawing as a fenced block: a box a stage, arrows to what takes its outputs."""
    pairs = reduced(edges(stages))
    makers_of: dict[tuple[str, ...], list[str]] = {}
    for maker in stages:
        if takers := tuple(taker for taker in stages if (maker, taker) in pairs):
            makers_of.setdefault(takers, []).append(maker)
    arrows = [f"    {' & '.join(makers)} --> {' & '.join(takers)}" for takers, makers in makers_of.items()]
    return "\n".join(["```mermaid", "flowchart LR", *arrows, "```"])


def with_graph(text: str, drawing: str) -> str:
    """Return ``text`` with the drawing between its two marks.

    Raises:
        ValueError: the text does not have each mark once.
    """
    pattern = re.compile(rf"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    text, count = pattern.subn(lambda _: f"{drawing}\n", text)
    if count != 1:
        raise ValueError(f"README.md: the marks {BEGIN!r} and {END!r} must stand in it once (found {count})")
    return text


if __name__ == "__main__":
    readme = Path("README.md")
    readme.write_text(with_graph(readme.read_text(), mermaid(read_stages())))
