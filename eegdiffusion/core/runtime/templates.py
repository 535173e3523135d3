"""Jinja templates, as every text that the project writes is made from them."""

from pathlib import Path

import jinja2


def templates(folder: Path) -> jinja2.Environment:
    """Return the templates of a folder; a name that a template does not get is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
