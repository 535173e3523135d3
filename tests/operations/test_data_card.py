"""Data cards: what Croissant 1.0 asks of them, against the tables that they describe; and nothing of a subject."""

import hashlib
import json
from contextlib import chdir
from pathlib import Path

import pandas
import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner

from eegdiffusion.commands.data_card import command
from eegdiffusion.core.runtime.errors import InputError
from tests.e2e.workspace import ROOT
from tests.planted import marks_in

REQUIRED = ("@context", "@type", "conformsTo", "name", "description", "license", "url", "creator", "datePublished")
"""Properties that the specification requires of a data set."""

KEYWORDS = ("@context", "@type", "@id", "@language", "@vocab")
DATA_TYPES = ("sc:Text", "sc:Integer", "sc:Float", "cr:Label", "cr:Split", "sc:Enumeration")
FIELD = ("@type", "@id", "name", "dataType")
COLUMN_TYPES = {"sc:Text": ("string", "large_string"), "sc:Integer": ("int",), "sc:Float": ("double", "float")}


def nodes(value):
    """Every object of a document."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from nodes(each)
    elif isinstance(value, list):
        for each in value:
            yield from nodes(each)


def validate(card, folder):
    """Hold a card against the rules of Croissant 1.0, and against the files that it lists."""
    assert not [name for name in REQUIRED if not card.get(name)]
    assert card["@type"] == "sc:Dataset"
    assert "http://mlcommons.org/croissant/1.0" in card["conformsTo"]
    body = {key: value for key, value in card.items() if key != "@context"}
    identities = [node["@id"] for node in nodes(body) if "@type" in node and "@id" in node]
    assert len(identities) == len(set(identities))
    references = [node["@id"] for node in nodes(body) if set(node) == {"@id"}]
    assert references
    assert set(references) <= set(identities)
    for file in (node for node in card["distribution"] if node["@type"] == "cr:FileObject"):
        content = (folder / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
        assert file["encodingFormat"]
    (recordings,) = [node for node in card["distribution"] if node["@type"] == "cr:FileSet"]
    assert recordings["includes"]
    for records in card["recordSet"]:
        assert records["@type"] == "cr:RecordSet"
        names = {field["@id"] for field in records["field"]}
        for field in records["field"]:
            assert not [name for name in FIELD if not field.get(name)]
            kinds = field["dataType"] if isinstance(field["dataType"], list) else [field["dataType"]]
            assert set(kinds) <= set(DATA_TYPES)
            if "source" in field:
                source = folder / field["source"]["fileObject"]["@id"]
                column = pyarrow.parquet.read_schema(source).field(field["source"]["extract"]["column"])
                wanted = next(COLUMN_TYPES[kind] for kind in kinds if kind in COLUMN_TYPES)
                assert str(column.type).startswith(wanted), (field["@id"], column.type)
        for row in records.get("data", []):
            assert set(row) == names
    # Every term is one of the context's, or of schema.org, whose terms are plain words.
    prefixes = [key for key, value in card["@context"].items() if isinstance(value, str) and key not in KEYWORDS]
    for node in nodes(body):
        for term in node:
            prefix = term.partition(":")[0]
            assert ":" not in term or prefix in prefixes, term


@pytest.fixture
def clone(tmp_path):
    """A clone with an ingested corpus of each kind; the header of a recording names a patient."""
    document = {
        "event_corpora": {"mine": {"root": "corpus", "layout": "tuev"}},
        "image_corpora": {"seen": {"root": "images", "layout": "things_eeg2_raw", "epochs": "demo"}},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "mlflow").symlink_to(ROOT / "mlflow")
    index = tmp_path / "data/events/mine/index"
    index.mkdir(parents=True)
    rows = [
        {"recording": f"a/a{k}", "path": f"a/a{k}.edf", "subject": "hannelore", "code": "Mueller", "partition": "train",
         "sha256": f"{k}" * 64, "data_sha256": f"{k}" * 64, "sfreq": 250.0, "n_samples": 900000, "duration_s": 3600.0,
         "n_channels": 23, "n_events": 2, "split": split} for k, split in enumerate(("train", "test"))
    ]  # fmt: skip
    pandas.DataFrame(rows).to_parquet(index / "recordings.parquet")
    events = {"recording": ["a/a0"], "row": [0], "channel": [-1], "start_s": [0.0], "stop_s": [1.0], "label": [1]}
    pandas.DataFrame(events).to_parquet(index / "events.parquet")
    corpus = {"corpus": "surrogate", "classes": ["spsw", "bckg"], "warnings": ["few"], "entry": {"root": "corpus"}}
    (index / "corpus.json").write_text(json.dumps(corpus))
    store = tmp_path / "data/images/seen"
    (store / "epochs").mkdir(parents=True)
    (store / "epochs/sub-01.arrow").write_bytes(b"signals")
    epochs = {"subject": ["sub-01"], "session": ["1"], "image": [0], "repetition": [0], "row": [0], "concept": ["x"]}
    pandas.DataFrame(epochs | {"split": ["test"]}).to_parquet(store / "index.parquet")
    images = {"name": ["x1"], "concept": ["x"], "partition": ["test"], "file": ["/home/x.jpg"], "sha256": ["1" * 64]}
    pandas.DataFrame(images | {"split": ["test"]}).to_parquet(store / "images.parquet")
    (store / "store.json").write_text(json.dumps({"corpus": "surrogate images", "fingerprint": "2" * 64}))
    with chdir(tmp_path):
        yield tmp_path


def data_card(*words):
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(Path(words[-1]).read_text())


@pytest.mark.parametrize(("corpus", "folder"), [("mine", "data/events/mine"), ("seen", "data/images")])
def test_a_card_is_valid_and_its_files_are_as_it_says(clone, corpus, folder):
    card = data_card(corpus, "--out", "card.json")
    validate(card, Path(folder))
    assert not marks_in(json.dumps(card))
    assert "code" not in {node.get("name") for node in nodes(card)}


def test_a_card_says_what_the_corpus_is(clone):
    card = data_card("mine", "--out", "card.json")
    assert "2 recordings of 1 subjects, 2.0 hours" in card["description"]
    assert card["creator"]["name"] == "The EEG Diffusion Workflow authors"
    assert card["rai:dataLimitations"][0] == "few"
    sets = {records["@id"]: records for records in card["recordSet"]}
    assert [row["classes/name"] for row in sets["classes"]["data"]] == ["spsw", "bckg"]
    assert [row["splits/name"] for row in sets["splits"]["data"]] == ["train", "test"]


def test_errors_say_what_is_missing(clone):
    with pytest.raises(InputError, match="did you mean 'mine'"):
        data_card("mien", "--out", "card.json")
    path = Path("data/events/mine/index/corpus.json")
    path.write_text(path.read_text().replace("surrogate", "unheard of"))
    with pytest.raises(InputError, match=r"corpora\.yaml: unheard of: must describe the corpus"):
        data_card("mine", "--out", "card.json")
    Path("data/events/mine/index/recordings.parquet").unlink()
    with pytest.raises(InputError, match="dvc repro ingest_events@mine"):
        data_card("mine", "--out", "card.json")
    assert not Path("card.json").exists()
