"""Data cards in Croissant 1.0, the vocabulary of MLCommons by which data sets are found and loaded.

Specification: Akhtar et al., "Croissant: A Metadata Format for ML-Ready Datasets", 2024 (arXiv:2403.19546), and
https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eegdiffusion.core.runtime.hashing import content_hash

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
RAI = "http://mlcommons.org/croissant/RAI/1.0"

OF_CROISSANT = (
    "citeAs", "column", "extract", "field", "fileProperty", "fileObject", "fileSet", "format", "includes",
    "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
    "replace", "separator", "source", "subField", "transform",
)  # fmt: skip
"""Terms of the vocabulary, beside those of schema.org."""

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in OF_CROISSANT},
}

FORMATS = {
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".edf": "application/x-edf",
    ".csv": "text/csv",
}
"""Ending of a file -> its media type; ``application/octet-stream`` of any other."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its name in the table.
        description: what it holds, with its unit.
        kind: data type of the vocabulary, e.g. ``sc:Text``; several where it has a role too, as ``cr:Split``.
        references: ``table/column`` of which it holds values.
    """

    name: str
    description: str
    kind: str | Sequence[str]
    references: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of the data set, which becomes a set of records.

    Attributes:
        name: its name.
        file: its file.
        description: what a row is.
        key: columns that tell rows apart.
        columns: the columns that are described; of those that name persons there are none.
    """

    name: str
    file: Path
    description: str
    key: Sequence[str]
    columns: Sequence[Column]


@dataclass(frozen=True)
class Enumeration:
    """Values that are listed in the card itself, such as classes or splits.

    Attributes:
        name: name of the set of records.
        description: what a value is.
        rows: the values by column; all rows have the same columns.
        key: column that tells them apart.
        types: what the set is besides, e.g. ``cr:Split``.
    """

    name: str
    description: str
    rows: Sequence[Mapping[str, object]]
    key: str
    types: Sequence[str] = ()


@dataclass(frozen=True)
class DataSet:
    """A data set, as its card describes it.

    Attributes:
        name: its name.
        description: what it holds.
        creator: who made it.
        url: where it is published.
        licence: address of its terms, or an SPDX identifier, or its terms in words.
        version: which state of it this is: a hash.
        published: date of that state, ``2026-01-31``.
        files: files of the card's own folder, relative to ``root``.
        root: folder that addresses are relative to.
        recordings: folder of the recordings, relative to ``root`` or elsewhere, and the patterns of their files.
        tables: tables among the files.
        enumerations: values that stand in the card.
        responsible: property of the vocabulary of responsible AI -> text or texts, without ``rai:``.
    """

    name: str
    description: str
    creator: str
    url: str
    licence: str
    version: str
    published: str
    files: Sequence[Path]
    root: Path
    recordings: tuple[str, Sequence[str]]
    tables: Sequence[Table]
    enumerations: Sequence[Enumeration]
    responsible: Mapping[str, str | Sequence[str]]


def _file_object(path: Path, root: Path) -> dict:
    name = path.relative_to(root).as_posix()
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": FORMATS.get(path.suffix, "application/octet-stream"),
        "sha256": content_hash(path),
    }


def _record_set(table: Table, root: Path) -> dict:
    file = table.file.relative_to(root).as_posix()
    fields = []
    for column in table.columns:
        field: dict[str, object] = {
            "@type": "cr:Field",
            "@id": f"{table.name}/{column.name}",
            "name": column.name,
            "description": column.description,
            "dataType": column.kind if isinstance(column.kind, str) else list(column.kind),
            "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
        }
        if column.references:
            field["references"] = {"field": {"@id": column.references}}
        fields.append(field)
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.description,
        "key": [{"@id": f"{table.name}/{name}"} for name in table.key],
        "field": fields,
    }


def _listed(values: Enumeration) -> dict:
    kinds = {int: "sc:Integer", float: "sc:Float", str: "sc:Text"}
    return {
        "@type": "cr:RecordSet",
        "@id": values.name,
        "name": values.name,
        "description": values.description,
        "dataType": list(values.types) or ["sc:Enumeration"],
        "key": {"@id": f"{values.name}/{values.key}"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{values.name}/{column}",
                "name": column,
                "dataType": kinds[type(value)],
            }
            for column, value in values.rows[0].items()
        ],
        "data": [{f"{values.name}/{column}": value for column, value in row.items()} for row in values.rows],
    }


def croissant(data: DataSet) -> dict:
    """Write a data set's card as values that JSON can hold."""
    folder, patterns = data.recordings
    recordings = {
        "@type": "cr:FileSet",
        "@id": "recordings-files",
        "name": "recordings-files",
        "description": f"The recordings, below {folder}; the table of recordings has the SHA-256 of each.",
        "encodingFormat": sorted({FORMATS.get(Path(each).suffix, "application/octet-stream") for each in patterns}),
        "includes": list(patterns),
    }
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [CONFORMS_TO, RAI],
        "name": data.name,
        "description": data.description,
        "creator": {"@type": "sc:Organization", "name": data.creator},
        "url": data.url,
        "license": data.licence,
        "version": data.version,
        "datePublished": data.published,
        "isLiveDataset": False,
        "distribution": [*(_file_object(path, data.root) for path in data.files), recordings],
        "recordSet": [
            *(_listed(values) for values in data.enumerations),
            *(_record_set(table, data.root) for table in data.tables),
        ],
        **{f"rai:{name}": value for name, value in data.responsible.items()},
    }
