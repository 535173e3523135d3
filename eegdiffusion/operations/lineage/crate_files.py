"""The files of the results that go into a crate, and what is said of its corpora."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.operations.data_cards.corpus_card import event_data_set, image_data_set
from eegdiffusion.operations.data_cards.croissant import croissant
from eegdiffusion.operations.lineage.cached_outputs import FOLDER, CachedOutputs
from eegdiffusion.operations.lineage.corpus_recordings import LockedCorpus
from eegdiffusion.operations.lineage.traced_result import TracedResult
from eegdiffusion.operations.registry.registry_config import UNKNOWN_CORPUS, read_corpus_card

SMALL = ("metrics.json", "curves.csv", "config.json", "mlflow.json")
"""Files of a result that go into every crate: numbers and settings, nothing of a recording."""

OF_RECORDINGS = "data"
"""Folder of the outputs that hold EEG or are made of it; none of it goes into a crate."""


def result_files(traced: TracedResult, cache: CachedOutputs, weights: bool) -> dict[str, Path]:
    """Choose the files of the results behind a traced one: the report whole, of the others numbers and settings.

    Args:
        traced: the result.
        cache: DVC's cache, from which the files come as they were recorded.
        weights: whether weights (``.safetensors``) go with them.

    Returns:
        path in the crate -> file.

    Raises:
        InputError: a file can be had neither from the cache nor from the clone.
    """
    files: dict[str, Path] = {}
    for stage in traced.graph.stages.values():
        for out in stage.outputs:
            if out.path.startswith(f"{OF_RECORDINGS}/"):
                continue
            if not out.md5.endswith(FOLDER):
                files[out.path] = cache.path(out.md5) if cache.path(out.md5).is_file() else Path(out.path)
                continue
            manifest = cache.manifest(out.md5)
            if manifest is None:
                raise InputError(
                    f"{out.path}: DVC's cache does not have what dvc.lock names ({out.md5}); "
                    f"`dvc fetch {out.path}` brings it"
                )
            for name in manifest:
                small = Path(name).name in SMALL or (weights and name.endswith(".safetensors"))
                if stage.component == "report" or small:
                    files[f"{out.path}/{name}"] = cache.file_in(out, name)
    return files


def data_cards(corpora: Iterable[LockedCorpus]) -> dict[str, str]:
    """Write the cards of the corpora that can be described: path in the crate -> Croissant's JSON."""
    cards = {}
    for corpus in corpora:
        of_events = corpus.stage.startswith("ingest_events@")
        try:
            if of_events:
                data = event_data_set(corpus.entry, Path("data/events", corpus.entry, "index"))
            else:
                data = image_data_set(corpus.entry, Path("data/images", corpus.entry))
        except InputError as error:
            say(f"{corpus.entry}: goes without a data card: {error}", stream=sys.stderr)
            continue
        cards[f"data_cards/{corpus.entry}.croissant.json"] = json.dumps(croissant(data), indent=2, ensure_ascii=False)
    return cards


def corpus_facts(corpora: Iterable[LockedCorpus]) -> dict[str, dict[str, str]]:
    """Return what is known of corpora: entry -> name, description, licence, url."""
    facts = {}
    for corpus in corpora:
        index = Path("data/events", corpus.entry, "index", "corpus.json")
        store = Path("data/images", corpus.entry, "store.json")
        path = index if corpus.stage.startswith("ingest_events@") else store
        name = str(json.loads(path.read_text())["corpus"]) if path.is_file() else corpus.entry
        card = read_corpus_card(name)
        facts[corpus.entry] = {"name": name}
        if card != UNKNOWN_CORPUS:
            facts[corpus.entry] |= {"description": card.description, "licence": card.licence, "url": card.url or ""}
    return facts
