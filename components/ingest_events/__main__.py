"""Validate and index a corpus of EEG events: ``python -m components.ingest_events --corpus tuev``."""

import os
from dataclasses import replace
from pathlib import Path

from components.ingest_events.settings import IngestEvents
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.signal.filtering import Filtering
from eegdiffusion.core.signal.montages import Montages, ids_sentence
from eegdiffusion.events.corpora.event_corpus import EventCorpus, channel_recipe, corpus_filtering


def check_environment(root: Path) -> None:
    """Refuse a ``TUEV_ROOT`` that contradicts the settings, which alone tell DVC what the results depend on.

    Raises:
        InputError: the variable names another folder than ``params.yaml``.
    """
    named = os.environ.get("TUEV_ROOT")
    if named and Path(named).resolve() != root.resolve():
        raise InputError(
            f"TUEV_ROOT: is {named}, but params.yaml says event_corpora.tuev.root: {root}; run `make repro`, or "
            f"`eeg params set event_corpora.tuev.root={named}`"
        )


@stage("ingest_events")
def main(run: Stage) -> None:
    """Check the corpus, write its tables and split, and track the run."""
    settings, filtering = run.settings(IngestEvents), run.settings(Filtering, "preprocess_events.filtering")
    name = run.item["corpus"]
    entry, montages = run.settings(EventCorpus, f"event_corpora.{name}"), run.settings(Montages, "montages")
    recipe, filtering = channel_recipe(entry, montages), corpus_filtering(entry, filtering)
    with loading_modules():
        from components.ingest_events.compute import compute
    root, out = run.input("corpus"), run.output("index")
    if name == "tuev":
        check_environment(root)
    corpus = compute(replace(entry, root=str(root)), settings, filtering, recipe, out, run.shared_work)
    say(f"{corpus.name}: {corpus.usable} of {corpus.recordings} recordings, {int(corpus.events.sum().sum())} events")
    say(f"montage {recipe.montage.name}: {ids_sentence(recipe.montage)}")
    say(f"split {corpus.split_hash[:12]}")
    say(*corpus.events.to_string().split("\n"))
    for warning in corpus.warnings:
        say(f"WARNING: {warning}")


if __name__ == "__main__":
    main()
