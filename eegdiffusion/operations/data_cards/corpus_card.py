"""What a corpus's data card says: read from the tables that ingestion wrote, and from ``mlflow/corpora.yaml``."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.settings import load
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.splits import SPLITS
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.operations.data_cards.croissant import Column, DataSet, Enumeration, Table
from eegdiffusion.operations.registry.registry_config import (
    CORPORA,
    SURROGATE,
    UNKNOWN_CORPUS,
    CorpusCard,
    read_corpus_card,
)

RECORDINGS = (
    Column("recording", "Name in the corpus.", "sc:Text"),
    Column("path", "Path of the file, relative to the corpus.", "sc:Text"),
    Column("subject", "Pseudonym of the subject; splits are by subject.", "sc:Text"),
    Column("sha256", "SHA-256 of the file, or of the part of it.", "sc:Text"),
    Column("data_sha256", "SHA-256 of the samples alone.", "sc:Text"),
    Column("sfreq", "Sampling rate in Hz.", "sc:Float"),
    Column("n_samples", "Number of samples.", "sc:Integer"),
    Column("duration_s", "Length in seconds.", "sc:Float"),
    Column("n_channels", "Number of channels.", "sc:Integer"),
    Column("n_events", "Number of events.", "sc:Integer"),
    Column("split", "Split of the recording's subject.", "sc:Text", "splits/name"),
)

EVENTS = (
    Column("recording", "Recording of the event.", "sc:Text", "recordings/recording"),
    Column("row", "Number of the event in the recording.", "sc:Integer"),
    Column("channel", "Channel of the event, 0-based in the montage; -1 for the whole recording.", "sc:Integer"),
    Column("start_s", "Begin in seconds from the recording's.", "sc:Float"),
    Column("stop_s", "End in seconds from the recording's begin.", "sc:Float"),
    Column("label", "Class of the event.", ("sc:Integer", "cr:Label"), "classes/label"),
)

IMAGES = (
    Column("name", "Name of the image.", "sc:Text"),
    Column("concept", "What it shows.", ("sc:Text", "cr:Label")),
    Column("partition", "Partition that the corpus gives.", "sc:Text"),
    Column("sha256", "SHA-256 of the file; none where images are not distributed.", "sc:Text"),
    Column("split", "Split of the image.", "sc:Text", "splits/name"),
)

EPOCHS = (
    Column("subject", "Pseudonym of the subject.", "sc:Text"),
    Column("session", "Session of the subject.", "sc:Text"),
    Column("image", "Row of the image in the table of images, 0-based.", "sc:Integer"),
    Column("repetition", "How often the subject had seen the image before.", "sc:Integer"),
    Column("row", "Row of the epoch in the subject's file.", "sc:Integer"),
    Column("concept", "What the image shows.", ("sc:Text", "cr:Label")),
    Column("split", "Split of the image.", "sc:Text", "splits/name"),
)

PERSONAL = (
    "EEG is data about health, and can identify a person. Names, dates of birth and codes of headers are not described "
    "by this card; pseudonyms of subjects are those of the corpus's folders."
)

SPLIT_TYPES = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit", "test": "cr:TestSplit"}


def _about(name: str) -> CorpusCard:
    card = read_corpus_card(name)
    if card == UNKNOWN_CORPUS or card.creator is None or card.url is None:
        raise InputError(
            f"{CORPORA}: {name}: must describe the corpus for its card: description, licence, population, creator, url"
        )
    return card


def _table(name: str, file: Path, description: str, key: Sequence[str], columns: Sequence[Column]) -> Table:
    present = set(pyarrow.parquet.read_schema(file).names)
    return Table(name, file, description, key, [column for column in columns if column.name in present])


def _date(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()


def _splits(names: Sequence[str]) -> Enumeration:
    rows = [{"name": name, "url": SPLIT_TYPES[name]} for name in SPLITS if name in names]
    return Enumeration("splits", "Splits of the corpus.", rows, "name", ("cr:Split",))


def _responsible(about: CorpusCard, surrogate: bool, warnings: Sequence[str]) -> dict[str, str | list[str]]:
    limits = [*warnings, *(["Surrogate data: results say nothing about a clinical or scientific task."] * surrogate)]
    return {
        "dataCollection": about.description.strip(),
        "personalSensitiveInformation": PERSONAL,
        "dataLimitations": limits or "None was noted at ingestion beyond what the corpus's own documents say.",
        "dataSocialImpact": f"People: {about.population.strip()} Models of it need not hold for others.",
        "dataUseCases": "Research on models of EEG; no diagnosis and no treatment may rest on it.",
    }


def _data_set(name: str, counted: str, warnings: Sequence[str], **own: Any) -> DataSet:
    """Describe a corpus by what ``mlflow/corpora.yaml`` says of it, and by fields of its own."""
    about = _about(name)
    return DataSet(
        name=name,
        description=f"{about.description.strip()} {counted}",
        creator=about.creator or "",
        url=about.url or "",
        licence=about.licence_url or about.licence.strip(),
        responsible=_responsible(about, name.startswith(SURROGATE), warnings),
        **own,
    )


def event_data_set(entry: str, index: Path) -> DataSet:
    """Describe a corpus of EEG events.

    Args:
        entry: its entry of ``event_corpora``.
        index: folder that ``ingest_events`` wrote.

    Raises:
        InputError: it was not ingested, or ``mlflow/corpora.yaml`` does not say who made it.
    """
    if not (index / "recordings.parquet").is_file():
        raise InputError(f"{index}: is not here; `dvc repro ingest_events@{entry}` makes it")
    corpus, recordings = read_json(index / "corpus.json"), read_parquet(index / "recordings.parquet")
    suffixes = sorted({Path(path).suffix for path in recordings["path"]})
    classes = [{"label": k, "name": text} for k, text in enumerate(corpus["classes"])]
    hours = recordings["duration_s"].sum() / 3600
    counted = f"{len(recordings)} recordings of {recordings['subject'].nunique()} subjects, {hours:.1f} hours."
    return _data_set(
        corpus["corpus"],
        counted,
        corpus.get("warnings") or [],
        version=content_hash(index / "recordings.parquet"),
        published=_date(index / "recordings.parquet"),
        files=sorted(path for path in index.iterdir() if path.is_file()),
        root=index.parent,
        recordings=(str(corpus["entry"]["root"]), [f"**/*{suffix}" for suffix in suffixes]),
        tables=[
            _table("recordings", index / "recordings.parquet", "A usable recording.", ["recording"], RECORDINGS),
            _table("events", index / "events.parquet", "An event of a recording.", ["recording", "row"], EVENTS),
        ],
        enumerations=[
            _splits(list(recordings["split"].unique())),
            Enumeration("classes", "Classes of events.", classes, "label", ("sc:Enumeration",)),
        ],
    )


def image_data_set(entry: str, store: Path) -> DataSet:
    """Describe a corpus of EEG recorded while images are seen.

    Args:
        entry: its entry of ``image_corpora``.
        store: folder that ``ingest_images`` wrote.

    Raises:
        InputError: it was not ingested, or ``mlflow/corpora.yaml`` does not say who made it.
    """
    if not (store / "index.parquet").is_file():
        raise InputError(f"{store}: is not here; `dvc repro ingest_images@{entry}` makes it")
    described, epochs = read_json(store / "store.json"), read_parquet(store / "index.parquet")
    root = str(load()["image_corpora"][entry]["root"])
    images = read_parquet(store / "images.parquet", columns=["split"])
    counted = f"{len(epochs)} epochs of {epochs['subject'].nunique()} subjects, {len(images)} images."
    return _data_set(
        described["corpus"],
        counted,
        described.get("warnings") or [],
        version=described["fingerprint"],
        published=_date(store / "index.parquet"),
        files=sorted(path for path in store.rglob("*") if path.is_file()),
        root=store.parent,
        recordings=(root, ["**/*.npy", "**/*.vhdr", "**/*.eeg", "**/*.edf", "**/*.pth"]),
        tables=[
            _table("images", store / "images.parquet", "An image.", ["name"], IMAGES),
            _table("epochs", store / "index.parquet", "An epoch of EEG.", ["subject", "row"], EPOCHS),
        ],
        enumerations=[_splits(list(images["split"].unique()))],
    )
