"""Results of a BIDS dataset as a derivative of it: what the folder says of itself, and which files BIDS knows."""

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import written_whole
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.events.prediction.events_tsv import HED_VERSION

DESCRIPTION, IGNORED = "dataset_description.json", ".bidsignore"
"""Files of a BIDS dataset."""

BIDS_VERSION = "1.10.0"

GENERATOR = "eegdiffusion"

IGNORED_FILES = ("*_eeg.*", "*.csv", "*.png", "*.parquet", "*.html", ".recordings.lock")
"""What results hold besides BIDS's tables of events."""


def is_dataset(folder: Path) -> bool:
    """Say whether a folder is the root of a BIDS dataset."""
    return (folder / DESCRIPTION).is_file()


def require_derivative(out: Path) -> None:
    """Check that no other dataset lies where results of a BIDS dataset go.

    Raises:
        InputError: one does.
    """
    path = out / DESCRIPTION
    if not path.exists():
        return
    document = read_json(path)
    generators = document.get("GeneratedBy") if isinstance(document, dict) else None
    names = [each.get("Name") for each in generators or () if isinstance(each, dict)]
    if GENERATOR not in names:
        raise InputError(f"--out: {path} must be of results of eeg predict (found another dataset's); choose another")


def describe_derivative(source: Path, model: str, out: Path) -> dict[str, object]:
    """Describe results as BIDS's derivatives describe themselves.

    Args:
        source: root of the dataset that the recordings are of.
        model: what predicted the events.
        out: folder of the results, from which the source's path is told where it has no DOI.

    Raises:
        InputError: the source's own description cannot be read.
    """
    document = read_json(source / DESCRIPTION)
    known: Mapping[str, object] = document if isinstance(document, dict) else {}
    doi = known.get("DatasetDOI")
    path = Path(os.path.relpath(source.resolve(), out.resolve())).as_posix()
    licence = {"License": known["License"]} if "License" in known else {}
    return {
        "Name": f"Events of {known.get('Name', source.name)}",
        "BIDSVersion": BIDS_VERSION,
        "HEDVersion": HED_VERSION,
        "DatasetType": "derivative",
        **licence,
        "GeneratedBy": [
            {"Name": GENERATOR, "Version": version(GENERATOR), "Description": f"Events predicted by {model}"}
        ],
        "SourceDatasets": [{"DOI": doi} if doi else {"URL": path}],
    }


def write_derivative(out: Path, source: Path, model: str) -> None:
    """Write ``dataset_description.json`` and ``.bidsignore`` to a folder of results, which exists.

    Raises:
        InputError: see :func:`describe_derivative`.
    """
    document = describe_derivative(source, model, out)
    with written_whole(out / DESCRIPTION, out / IGNORED) as (description, ignored):
        description.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        ignored.write_text("".join(f"{pattern}\n" for pattern in IGNORED_FILES))
