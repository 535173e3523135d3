"""Results of the encoders of EEG recorded while images are seen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.statistics.retrieval import Score, bootstrap, top_k
from eegdiffusion.images.encoders.encoder_results import CLASSIFIED, RANKS, classification_metrics
from eegdiffusion.images.encoders.encoder_settings import Row, seeds_of
from eegdiffusion.images.encoders.retrieval_control import over_trainings


@dataclass(frozen=True)
class Cell:
    """One training of a row.

    Attributes:
        protocol, band, fold, seed: which; ``band`` is None or (low, high) in Hz.
        facts: its ``metrics.json``.
        table: ranks of an aligned encoder, predictions of a classifier.
        folder: of its results.
    """

    protocol: str
    band: tuple[float, float] | None
    fold: str
    seed: int
    facts: dict
    table: pandas.DataFrame
    folder: Path


@dataclass(frozen=True)
class Study:
    """All trainings of one row, under one protocol and band.

    Attributes:
        name, row: of the section ``eeg_encoders``.
        protocol, band: of all its cells.
        cells: a training for each fold and seed.
    """

    name: str
    row: Row
    protocol: str
    band: tuple[float, float] | None
    cells: list[Cell]

    @property
    def facts(self) -> dict:
        """What all cells have in common, of the first one."""
        return self.cells[0].facts

    @property
    def label(self) -> str:
        """The row's name, and that it is a control where it is."""
        return self.name if self.row.pairs == "recorded" else f"{self.name} (permuted pairs)"

    @property
    def band_name(self) -> str:
        """The band in words: of the epochs, else of the recordings that they were cut from."""
        if self.band is not None:
            return f"{self.band[0]:g}–{self.band[1]:g} Hz"
        before = self.facts["recorded_band"]
        return "as recorded" if before is None else f"{before[0]:g}–{before[1]:g} Hz before cutting"

    @property
    def table(self) -> pandas.DataFrame:
        """The tables of all cells."""
        tables = [cell.table.assign(seed=cell.seed, fold=cell.fold) for cell in self.cells]
        return pandas.concat(tables, ignore_index=True)

    @property
    def repetitions(self) -> str:
        """Repetitions that are averaged into a test epoch."""
        counts = sorted({cell.facts["repetitions"] for cell in self.cells})
        return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"

    def whole(self) -> pandas.DataFrame:
        """Ranks of the queries that average all of a subject's repetitions."""
        table = self.table
        return table[table["repetitions"] == table.groupby("subject")["repetitions"].transform("max")]

    def by_training(self, ways: int, k: int, rows: pandas.DataFrame | None = None) -> np.ndarray:
        """Top-k among so many candidates of each training, one value a seed; see :meth:`retrieval`."""
        rows = self.whole() if rows is None else rows
        scores = pandas.Series(top_k(rows["rank"].to_numpy(), self.facts["images"], ways, k))
        return scores.groupby(rows["seed"].to_numpy()).mean().to_numpy()

    def retrieval(self, ways: int, k: int, rows: pandas.DataFrame | None = None) -> Score:
        """Top-k among so many candidates; all repetitions averaged unless ``rows`` says otherwise.

        The interval draws test images; that of a control is over trainings.
        """
        rows = self.whole() if rows is None else rows
        if self.row.pairs == "permuted":
            return over_trainings(self.by_training(ways, k, rows))
        return bootstrap(top_k(rows["rank"].to_numpy(), self.facts["images"], ways, k), rows["image"].to_numpy())

    def curve(self) -> pandas.DataFrame:
        """Top-1 and top-5 among all images by the number of repetitions averaged, with intervals."""
        table, found = self.table, []
        for count, rows in table.groupby("repetitions"):
            row = {"repetitions": count}
            for k in (1, 5):
                score = self.retrieval(self.facts["images"], k, rows)
                row |= {f"top{k}": score.mean, f"top{k}_low": score.low, f"top{k}_high": score.high}
            found.append(row)
        return pandas.DataFrame(found)

    def classification(self) -> dict[str, tuple[float, float]]:
        """Accuracy and kappa of each test subject, means over seeds."""
        found = {}
        for subject, rows in self.table.groupby("subject"):
            each = [classification_metrics(seed) for _, seed in rows.groupby("seed")]
            found[subject] = (
                float(np.mean([metrics["accuracy"] for metrics in each])),
                float(np.mean([metrics["cohen_kappa"] for metrics in each])),
            )
        return found


@dataclass(frozen=True)
class EEGCorpus:
    """All studies of one corpus.

    Attributes:
        name: of the corpus, ``surrogate ...`` where it is one.
        layout: of its files.
        warnings: what must stand beside every number made from it.
        aligned, classified: studies by objective.
    """

    name: str
    layout: str
    warnings: list[str]
    aligned: list[Study]
    classified: list[Study]


def read_rows(folder: Path, rows: Mapping[str, Row], seeds: list[int]) -> list[EEGCorpus]:
    """Read what ``train_eeg_encoder`` left of these rows, corpus by corpus.

    Raises:
        InputError: a row or a seed is missing.
    """
    studies = [study for name, row in rows.items() for study in _studies(folder / name, name, row, seeds)]
    found: dict[str, list[Study]] = {}
    for study in studies:
        found.setdefault(study.row.corpus, []).append(study)
    return [
        EEGCorpus(
            name=part[0].facts["corpus"],
            layout=part[0].facts["layout"],
            warnings=part[0].facts["warnings"],
            aligned=[study for study in part if study.row.objective == "align"],
            classified=[study for study in part if study.row.objective == "classify"],
        )
        for part in found.values()
    ]


def _studies(folder: Path, name: str, row: Row, seeds: list[int]) -> list[Study]:
    table = RANKS if row.objective == "align" else CLASSIFIED
    cells: dict[tuple, list[Cell]] = {}
    for path in sorted(folder.glob("*/*/*/seed-*/metrics.json")):
        facts = json.loads(path.read_text())
        if facts["protocol"] not in row.protocols or facts["seed"] not in seeds_of(row, facts["protocol"], seeds):
            continue
        band = facts["band"] and tuple(facts["band"])
        rows = pandas.read_parquet(require_file(path.with_name(table)))
        cell = Cell(facts["protocol"], band, facts["fold"]["name"], facts["seed"], facts, rows, path.parent)
        cells.setdefault((facts["protocol"], band), []).append(cell)
    wanted = [(protocol, band and tuple(band)) for protocol in row.protocols for band in row.bands]
    for key in wanted:
        wanted_seeds = seeds_of(row, key[0], seeds)
        if sorted({cell.seed for cell in cells.get(key, [])}) != sorted(wanted_seeds):
            raise InputError(
                f"{folder}: lacks seeds {wanted_seeds} of protocol {key[0]}; run `dvc repro train_eeg_encoder`"
            )
    return [Study(name, row, protocol, band, cells[protocol, band]) for protocol, band in wanted]
