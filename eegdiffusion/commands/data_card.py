"""A corpus's card in Croissant: ``eeg data-card``."""

from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Command
from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.settings import load


def _section(corpus: str) -> str:
    """Return the section of params.yaml that a corpus is an entry of."""
    document = load()
    sections = {name: document.get(name) or {} for name in ("event_corpora", "image_corpora")}
    for name, entries in sections.items():
        if corpus in entries:
            return name
    names = [entry for entries in sections.values() for entry in entries]
    raise InputError(
        f"params.yaml: {' and '.join(sections)}: have no corpus {corpus!r}; they have {', '.join(names) or 'none'}"
        f"{nearest(corpus, names)}"
    )


@click.command("data-card", cls=Command)
@click.argument("corpus")
@click.option("--out", type=PATH, help="JSON file to write (default: CORPUS.croissant.json).")
def command(corpus: str, out: Path | None) -> None:
    """Describe CORPUS, an entry of event_corpora or image_corpora, in MLCommons' Croissant 1.0.

    The card says who made the corpus, on what terms and with which limits, lists the tables that ingestion wrote with
    their SHA-256, and describes their columns. It holds no row of them: nothing of a subject.
    """
    section = _section(corpus)
    import json

    from eegdiffusion.core.runtime.files import written_whole
    from eegdiffusion.operations.data_cards.corpus_card import event_data_set, image_data_set
    from eegdiffusion.operations.data_cards.croissant import croissant

    if section == "event_corpora":
        data = event_data_set(corpus, Path("data/events", corpus, "index"))
    else:
        data = image_data_set(corpus, Path("data/images", corpus))
    out = out or Path(f"{corpus}.croissant.json")
    with written_whole(out) as (part,):
        part.write_text(json.dumps(croissant(data), indent=2, ensure_ascii=False))
    say(f"{out}: card of {data.name}, {len(data.files)} files, version {data.version[:16]}")
