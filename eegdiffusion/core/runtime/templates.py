"""Jinja templates, as every text that the project writes is made from them."""

from pathlib import Path

import jinja2

from eegdiffusion.core.runtime.markdown import markdown_code, markdown_text


def templates(folder: Path) -> jinja2.Environment:
    """Return the templates of a folder; a name that a template does not get is an error.

    Values of templates of HTML (``.html.j2``) are escaped; those of Markdown have the filters ``text`` and ``code``.
    """
    environment = jinja2.Environment(
        autoescape=lambda name: (name or "").endswith(".html.j2"),
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"text": markdown_text, "code": markdown_code}
    return environment
