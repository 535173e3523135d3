"""Entries of ``event_corpora``: what names them agrees, and each is watched by itself."""

import dataclasses
import sys
from pathlib import Path

import pytest
import yaml

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import PARAMS, read, validate
from eegdiffusion.events.corpora.event_corpus import EventCorpus
from eegdiffusion.events.models.latent_settings import Latents, check_corpus
from eegdiffusion.operations.orchestration import corpus_watch
from tests.tuev_fixture import write_corpus


def test_latents_are_of_the_corpus_that_the_lft_names():
    latents = read("latents.base", Latents)
    check_corpus("base", latents, latents.corpus)
    with pytest.raises(InputError, match=r"finetune_lft.corpus: must be 'own', as latents.base.corpus is \(found 'tu"):
        check_corpus("base", dataclasses.replace(latents, corpus="own"), "tuev")


def test_a_layout_that_no_reader_knows_is_refused():
    with pytest.raises(InputError, match=r"event_corpora\.own\.layout: Input should be 'tuev', 'chbmit'"):
        validate({"root": "edf", "layout": "edf"}, EventCorpus, "params.yaml: event_corpora.own")


@pytest.fixture
def watch(tmp_path, monkeypatch):
    """Look at corpora: entry -> root; returns the exit status."""
    document = yaml.safe_load(PARAMS.read_text())
    monkeypatch.chdir(tmp_path)

    def look(corpora: dict[str, str], *words: str) -> int | None:
        document["event_corpora"] = {name: {"root": root, "layout": "tuev"} for name, root in corpora.items()}
        Path("params.yaml").write_text(yaml.safe_dump(document))
        monkeypatch.setattr(sys, "argv", ["corpus", "--state", ".corpus.json", "--settle-seconds", "0", *words])
        return corpus_watch.main()

    return look


def test_each_corpus_is_watched_by_itself(watch):
    write_corpus(Path("first"), train=3, test=1)
    assert watch({"first": "first"}) == 0
    watch({"first": "first"}, "--confirm")
    assert watch({"first": "first"}) == 99
    write_corpus(Path("second"), train=3, test=1)
    assert watch({"first": "first", "second": "second"}) == 0, "one of them is new"
    watch({"first": "first", "second": "second"}, "--confirm")
    assert watch({"first": "first", "second": "second"}) == 99
    assert sorted(path.name for path in Path().glob(".corpus*")) == [".corpus-first.json", ".corpus-second.json"]


def test_without_corpora_there_is_nothing_to_do(watch):
    assert watch({}) == 99
