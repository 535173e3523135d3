"""The messages of the errors that are a user's to mend, read from the source, for the page of troubleshooting.

Where the page says ``<!-- messages: FOLDER ... -->`` stand the messages of the modules below these folders; a module
belongs to the longest folder that holds it.
"""

import ast
import builtins
import re
from pathlib import Path

ERRORS = ("InputError", "UnavailableError")
MARK = re.compile(r"<!-- messages: ([^>]*?) -->")


def _words(node: ast.expr) -> str | None:
    """Return the text of a message with ``<name>`` for what is filled in, or None for one that another error words."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"<{_name(part.value)}>" for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _words(node.left), _words(node.right)
        return None if left is None or right is None else left + right
    return None


def _name(node: ast.expr) -> str:
    """Return a word for an expression: its last name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and not hasattr(builtins, part.id)]
    return names[-1] if names else "..."


def messages_of(path: Path) -> list[str]:
    """Return the messages of the input errors that a file raises, in its order."""
    texts = [
        _words(node.args[0])
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ERRORS and node.args
    ]
    # A message that begins with what is filled in and says nothing else repeats another error's.
    return [text for text in dict.fromkeys(texts) if text and re.search(r"[a-z]{3}", re.sub(r"<[^>]*>", "", text))]


def messages(root: Path = Path()) -> dict[str, list[str]]:
    """Return the messages of every module of the project that has any, by its path below the root."""
    paths = sorted([*root.glob("eegdiffusion/**/*.py"), *root.glob("components/**/*.py")])
    return {path.relative_to(root).as_posix(): texts for path in paths if (texts := messages_of(path))}


def with_messages(text: str, root: Path = Path()) -> str:
    """Return the page with the messages in the places of its marks.

    Args:
        text: the page, in Markdown.
        root: the repository.

    Raises:
        ValueError: a module's messages belong to no mark.
    """
    folders = [folder for match in MARK.finditer(text) for folder in match[1].split()]
    owners: dict[str, list[str]] = {folder: [] for folder in folders}
    for path, texts in messages(root).items():
        holding = [folder for folder in folders if f"{path}/".startswith((f"{folder}/", f"{folder}.py/"))]
        if not holding:
            raise ValueError(f"docs/troubleshooting.md: must have a mark for the messages of {path}")
        owners[max(holding, key=len)] += texts

    def listed(match: re.Match) -> str:
        texts = dict.fromkeys(text for folder in match[1].split() for text in owners[folder])
        items = "\n".join(f"* `{' '.join(text.replace('`', chr(39)).split())}`" for text in texts)
        return f'??? note "All messages"\n\n{re.sub("^", "    ", items, flags=re.MULTILINE)}' if texts else ""

    return MARK.sub(listed, text)
