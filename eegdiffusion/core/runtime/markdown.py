"""Text of others within Markdown: names of corpora, classes, subjects and files are shown, and mean nothing."""

import dataclasses
import re
from typing import Any

from eegdiffusion.core.runtime.printable import printable

_SPECIAL = re.compile(
    r"""
    [`*|]                                        # code, emphasis, cells of tables
    | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])       # emphasis, which begins and ends at words
    | ~(?=~) | (?<=~)~
    | <(?=[A-Za-z/!?])                           # HTML, addresses in brackets
    | &(?=\#?\w+;)                               # characters by their names
    | (?<=\])[(\[:]                              # what makes a link or an image of text in brackets
    | :(?=//) | (?<=www)\.                       # addresses, which GitHub makes links
    | ^[#>] | ^[-+](?=\s) | (?<=^\d)[.)](?=\s)   # headings, quotations, lists
    | \\(?=[!-/:-@\[-`{-~])                      # what undoes a mark
    """,
    re.VERBOSE,
)


def markdown_text(text: object) -> str:
    """Return a text as Markdown that shows it, in one line; whatever marks it holds are shown and mean nothing."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", printable(text))


def markdown_code(text: object) -> str:
    """Return a text as Markdown that shows it as code, in one line."""
    line = printable(text)
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence, space = "`" * (longest + 1), " " * (line[:1] == "`" or line[-1:] == "`")
    return f"{fence}{space}{line}{space}{fence}"


def markdown_values(value: Any) -> Any:
    """Return a value of a template with all text in it as Markdown that shows it.

    Args:
        value: text, or any list, mapping or dataclass with text in it, at any depth. Tables, figures, functions and
            other objects stay as they are.
    """
    if isinstance(value, str):
        return markdown_text(value)
    if isinstance(value, dict):
        return {markdown_values(key): markdown_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(map(markdown_values, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(value, **{name: markdown_values(entry) for name, entry in fields.items()})
    return value
