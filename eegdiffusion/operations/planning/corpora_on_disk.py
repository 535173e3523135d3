"""Sizes of corpora as far as this disk knows them: of the ingested stores, else of the raw files, else as published.

A table is read for a few columns, and of raw files names, sizes and short headers: nothing reads the corpus itself.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, asdict, fields
from functools import partial
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError, nearest
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.events.corpora.event_corpus import EventCorpus
from eegdiffusion.images.corpora.corpus_layouts import ImageCorpus
from eegdiffusion.operations.planning.corpus_size import (
    CorpusSizes,
    EventCorpusSize,
    ImageCorpusSize,
    published_sizes,
)

SPLITS = ("train", "validation", "test")

RECORDINGS = (".edf", ".bdf", ".vhdr", ".set", ".fif", ".npz", ".gdf", ".cnt")
"""Endings of files that are recordings of their own."""

EDF_HEADER = 256


def event_corpus_size(name: str, entry: EventCorpus, root: Path = Path()) -> EventCorpusSize:
    """Return the size of an entry of ``event_corpora``.

    Args:
        name: of the entry.
        entry: the entry.
        root: the repository.

    Raises:
        InputError: nothing on this disk and no publication tells it.
    """
    folder = root / "data" / "events" / name
    raw = _raw_bytes(root / entry.root)
    if (folder / "index" / "recordings.parquet").is_file():
        return _ingested_events(folder, raw)
    if raw:
        return _raw_events(root / entry.root, entry, raw)
    known = published_sizes().events
    if entry.layout not in known:
        raise InputError(
            f"params.yaml: event_corpora.{name}: {entry.root}: no such folder, and of the layout {entry.layout} no "
            f"size is published; state it: --size {name}.FIELD=VALUE, with "
            f"{', '.join(EventCorpusSize.__dataclass_fields__)}"
        )
    return known[entry.layout]


def _ingested_events(folder: Path, raw: int) -> EventCorpusSize:
    import json

    from eegdiffusion.core.storage.parquet_file import read_parquet

    index = read_parquet(folder / "index" / "recordings.parquet")
    corpus = json.loads((folder / "index" / "corpus.json").read_text())
    if (folder / "store" / "windows.parquet").is_file():
        columns = ["recording", "split", "start_sample"]
        rows, where = read_parquet(folder / "store" / "windows.parquet", columns=columns), "store"
    else:
        events = read_parquet(folder / "index" / "events.parquet", columns=["recording", "start_s"])
        rows = events.merge(index[["recording", "split"]]).rename(columns={"start_s": "start_sample"})
        where = "index"
    counts, distinct = rows["split"].value_counts(), rows.drop_duplicates()["split"].value_counts()
    return EventCorpusSize(
        about=f"{folder / where}",
        recordings=len(index),
        hours=float(index["duration_s"].sum() / 3600),
        raw_bytes=raw,
        raw_channels=int(index["n_channels"].median()),
        raw_rate_hz=float(index["sfreq"].median()),
        classes=len(corpus["classes"]),
        rows={split: int(counts.get(split, 0)) for split in SPLITS},
        windows={split: int(distinct.get(split, 0)) for split in SPLITS},
    )


def _raw_events(root: Path, entry: EventCorpus, raw: int) -> EventCorpusSize:
    """Count files; the length is what the bytes make in 16 bits a sample, by the header of the first EDF file."""
    recordings, lines, sampled = 0, 0, 0
    channels, rate = 23, 250.0
    for path in _files(root):
        suffix = path.suffix.lower()
        if suffix in RECORDINGS:
            recordings += 1
            sampled += path.stat().st_size
            if recordings == 1 and suffix in (".edf", ".bdf"):
                channels, rate = _edf_header(path) or (channels, rate)
        elif suffix == ".rec":
            lines += path.read_bytes().count(b"\n")
    if not recordings:
        raise InputError(f"{root}: holds no recordings ({', '.join(RECORDINGS)})")
    hours = sampled / (2 * channels * rate * 3600)
    windows = round(hours * 3600 / entry.window_s)
    rows = lines or windows
    distinct = rows // 2 if lines else windows
    shares = {"train": 0.64, "validation": 0.16, "test": 0.2}
    return EventCorpusSize(
        about=f"files below {root}; windows are those of the labels' rows, two a window"
        if lines
        else f"files below {root}; windows one after another are assumed",
        recordings=recordings,
        hours=hours,
        raw_bytes=raw,
        raw_channels=channels,
        raw_rate_hz=rate,
        classes=max(2, len(entry.labels.classes)) if entry.layout != "tuev" else 6,
        rows={split: round(share * rows) for split, share in shares.items()},
        windows={split: round(share * distinct) for split, share in shares.items()},
    )


def _edf_header(path: Path) -> tuple[int, float] | None:
    """Return number of signals and samples a second of the first, as an EDF header says (Kemp et al. 1992)."""
    with path.open("rb") as file:
        header = file.read(EDF_HEADER)
        try:
            signals, seconds = int(header[252:256]), float(header[244:252])
            file.seek(EDF_HEADER + signals * 216)
            return signals, int(file.read(8)) / seconds
        except (ValueError, ZeroDivisionError):
            return None


def image_corpus_size(name: str, entry: ImageCorpus, root: Path = Path()) -> ImageCorpusSize:
    """Return the size of an entry of ``image_corpora``; see :func:`event_corpus_size`.

    Raises:
        InputError: nothing on this disk and no publication tells it.
    """
    folder = root / "data" / "images" / name
    raw = _raw_bytes(root / entry.root)
    if (folder / "store.json").is_file():
        return _ingested_images(folder, raw)
    known = published_sizes().images
    layout = "things_eeg2_raw" if entry.layout == "things_eeg2_preprocessed" else entry.layout
    if layout not in known:
        raise InputError(
            f"params.yaml: image_corpora.{name}: is not ingested, and of the layout {entry.layout} no size is "
            f"published; state it: --size {name}.FIELD=VALUE, with {', '.join(ImageCorpusSize.__dataclass_fields__)}"
        )
    size = known[layout]
    if not raw:
        return size
    subjects = len({path.name for path in (root / entry.root).rglob("sub-*") if path.is_dir()}) or size.subjects
    values = asdict(size) | {"subjects": subjects, "raw_bytes": raw}
    values["about"] = f"{size.about}; subjects and bytes of {root / entry.root}"
    return ImageCorpusSize(**values)


def _ingested_images(folder: Path, raw: int) -> ImageCorpusSize:
    import json

    from eegdiffusion.core.storage.parquet_file import read_parquet

    index = read_parquet(folder / "index.parquet", columns=["subject", "session", "image", "split"])
    images = read_parquet(folder / "images.parquet", columns=["concept", "split"])
    described = json.loads((folder / "store.json").read_text())
    subjects, seen = index["subject"].nunique(), index.groupby("split")["image"].nunique()
    trials = index.groupby("split").size()
    return ImageCorpusSize(
        about=f"{folder}",
        subjects=subjects,
        images={split: int(seen.get(split, 0)) for split in SPLITS},
        repetitions={
            split: max(1, round(trials.get(split, 0) / subjects / max(1, seen.get(split, 1)))) for split in SPLITS
        },
        concepts=images["concept"].nunique(),
        raw_channels=len(described["channels"]) + 1,
        raw_rate_hz=1000.0,
        channels=len(described["channels"]),
        raw_bytes=raw,
        sessions=max(1, index["session"].nunique()),
    )


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names)


def _raw_bytes(root: Path) -> int:
    """Return the bytes of a corpus's files; 0 where the folder is not there."""
    if root.is_file():
        return root.stat().st_size
    return sum(path.stat().st_size for path in _files(root))


def corpus_sizes(
    events: Mapping[str, EventCorpus],
    images: Mapping[str, ImageCorpus],
    stated: Mapping[str, Mapping[str, object]],
    root: Path = Path(),
) -> CorpusSizes:
    """Return the sizes of corpora; one that nothing tells is named as unknown, with what to do about it.

    Args:
        events: entries of ``event_corpora``.
        images: entries of ``image_corpora``.
        stated: entry -> field of its size -> value that the user states, which wins.
        root: the repository.

    Raises:
        InputError: a statement is of no corpus or field.
    """
    known = {*events, *images}
    for name in stated:
        if name not in known:
            raise InputError(f"--size: there is no corpus {name}{nearest(name, known)}")
    sizes = CorpusSizes()
    for name, entry in events.items():
        measure = partial(event_corpus_size, name, entry, root)
        if (size := _with_stated(name, EventCorpusSize, measure, stated.get(name, {}), sizes.unknown)) is not None:
            sizes.events[name] = size
    for name, picture_entry in images.items():
        measured = partial(image_corpus_size, name, picture_entry, root)
        if (seen := _with_stated(name, ImageCorpusSize, measured, stated.get(name, {}), sizes.unknown)) is not None:
            sizes.images[name] = seen
    return sizes


def _with_stated[Size: (EventCorpusSize, ImageCorpusSize)](
    name: str, cls: type[Size], measure: Callable[[], Size], stated: Mapping[str, object], unknown: dict[str, str]
) -> Size | None:
    """Return a size with the fields that the user states; one that is stated whole is not looked for."""
    needed = {field.name for field in fields(cls) if field.default is MISSING} - {"about"}
    if stated.keys() >= needed:
        return validate({"about": "as stated", **stated}, cls, f"--size: {name}")
    try:
        size = measure()
    except InputError as error:
        unknown[name] = str(error)
        return None
    if not stated:
        return size
    about = f"{size.about}; {', '.join(stated)} as stated"
    return validate({**asdict(size), **stated, "about": about}, cls, f"--size: {name}")
