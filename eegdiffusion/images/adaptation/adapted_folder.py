"""What an adaptation writes: the adapted model as a folder that is served, and the curve as a table."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas

from eegdiffusion.core.signal.epoch_scaler import FILE as INPUT
from eegdiffusion.core.storage.input_example import first_inputs, write_input_example
from eegdiffusion.core.storage.result_facts import ResultFacts, write_result
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.images.adaptation.adaptation_curve import SCORES, AdaptationCurve
from eegdiffusion.images.adaptation.adapted_encoder import AlignedModel, count_adapted
from eegdiffusion.images.adaptation.subject_blocks import TEST, SubjectBlocks
from eegdiffusion.images.features.image_targets import FILE as TARGET

CURVE = "curve.csv"
"""Table of retrieval against minutes; the figure beside it is ``curve.png``."""


def write_adapted(
    folder: Path, model: AlignedModel, name: str, subject: SubjectBlocks, curve: AdaptationCurve, features: str
) -> None:
    """Write an adapted model to a new folder: encoder, scale, target, input example, curve and ``metrics.json``.

    Args:
        folder: folder to make.
        model: the model that was adapted.
        name: how it is called.
        subject: blocks of the subject.
        curve: outcome of the adaptation.
        features: name of the network of the image features.
    """
    folder.mkdir(parents=True)
    curve.model.save(folder)
    for file in (INPUT, TARGET):
        shutil.copy(model.folder / file, folder / file)
    stored = subject.pairs.part(TEST, curve.repetitions, draws=1, as_stored=True)
    write_input_example(folder, first_inputs(stored, "eeg"))
    write_curve(folder, curve)
    row = curve.row
    facts = ResultFacts(
        data=subject.pairs.store.facts(TEST, subject.pairs.split_hash()),
        parameters=count_adapted(curve.model, model.encoder),
        windows=curve.images,
        more={
            "encoder": type(curve.model.encoder).__name__,
            "objective": "align",
            "adapted_from": name,
            "subject": subject.subject,
            "method": row["method"],
            "setting": row["setting"],
            "minutes": float(row["minutes"]),
            "adapting_epochs": int(row["epochs"]),
            "step_s": subject.step_s,
            "fold": {"name": subject.subject, "train": [*model.trained_on, subject.subject], "test": [subject.subject]},
            "features": features,
            "layers": [model.layer],
            "images": curve.images,
            "repetitions": curve.repetitions,
            "validation_rank": float(row["validation_rank"]),
        },
    )
    write_result(folder, facts, {score: float(row[score]) for score in SCORES}, [])


def write_curve(folder: Path, curve: AdaptationCurve) -> None:
    """Write the curve as a table to a folder that exists."""
    write_table(folder / CURVE, curve.table)


def read_curve(folder: Path) -> pandas.DataFrame:
    """Read what :func:`write_curve` wrote."""
    return pandas.read_csv(folder / CURVE, keep_default_na=False)  # a method may have no setting


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Write a folder that takes its place, and that of an earlier one, once it is whole.

    Yields:
        where the block makes the folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as temporary:
        part = Path(temporary, folder.name)
        yield part
        if folder.exists():
            shutil.rmtree(folder)
        part.replace(folder)
