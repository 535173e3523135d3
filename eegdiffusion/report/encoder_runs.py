"""Results of the encoders of EEG recorded while images are seen, read training by training."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import require_file
from eegdiffusion.core.statistics.retrieval import Score, bootstrap, top_k
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.images.encoders import protocol_choices
from eegdiffusion.images.encoders.encoder_results import CLASSIFIED, RANKS, classification_metrics
from eegdiffusion.images.encoders.encoder_settings import EncoderExperiment, seeds_of
from eegdiffusion.images.encoders.retrieval_control import over_trainings
from eegdiffusion.images.features.image_features import OUTPUT


@dataclass(frozen=True)
class EncoderRun:
    """One training of an experiment.

    Attributes:
        protocol: protocol of its training and test subjects.
        band: (low, high) in Hz of the epochs' band filter; None: not filtered.
        fold: name of the fold.
        seed: seed of weights, order and, of a control, pairing.
        facts: its ``metrics.json``.
        table: ranks of an aligned encoder, predictions of a classifier.
        folder: folder of its results.
    """

    protocol: str
    band: tuple[float, float] | None
    fold: str
    seed: int
    facts: dict
    table: pandas.DataFrame
    folder: Path


def band_key(band: Sequence[float] | None) -> tuple[float, float] | None:
    """Return a band of the settings, (low, high) in Hz, in the form in which results are compared by it."""
    return None if band is None else (band[0], band[1])


@dataclass(frozen=True)
class EncoderResults:
    """All trainings of one experiment under one protocol and band.

    Attributes:
        name: entry of the section ``eeg_encoders``.
        experiment: its settings.
        protocol: protocol of all runs.
        band: band of all runs, (low, high) in Hz; None: not filtered.
        runs: a training for each fold and seed.
        sheet: what its scores owe to the protocol, with the results of its first protocol and band alone; None: not
            asked for.
    """

    name: str
    experiment: EncoderExperiment
    protocol: str
    band: tuple[float, float] | None
    runs: list[EncoderRun]
    sheet: pandas.DataFrame | None = None

    @property
    def facts(self) -> dict:
        """The ``metrics.json`` of the first run, for what all runs have in common."""
        return self.runs[0].facts

    @property
    def label(self) -> str:
        """The experiment's name, its layers where they are not the output, and that it is a control where it is."""
        notes = [] if self.experiment.layers == [OUTPUT] else [f"layer {' + '.join(self.experiment.layers)}"]
        chosen = self.experiment
        if chosen.train_task or chosen.test_task:
            notes += [f"{chosen.train_task or 'all tasks'} to {chosen.test_task or 'all tasks'}"]
        notes += ["permuted pairs"] if self.experiment.pairs == "permuted" else []
        return f"{self.name} ({', '.join(notes)})" if notes else self.name

    @property
    def band_name(self) -> str:
        """The band in words: of the epochs, else of the recordings that they were cut from."""
        if self.band is not None:
            return f"{self.band[0]:g}–{self.band[1]:g} Hz"
        before = self.facts["recorded_band"]
        return "as recorded" if before is None else f"{before[0]:g}–{before[1]:g} Hz before cutting"

    @property
    def table(self) -> pandas.DataFrame:
        """The tables of all runs."""
        tables = [run.table.assign(seed=run.seed, fold=run.fold) for run in self.runs]
        return pandas.concat(tables, ignore_index=True)

    @property
    def repetitions(self) -> str:
        """Number of repetitions that are averaged into a test epoch, or its range over runs."""
        counts = sorted({run.facts["repetitions"] for run in self.runs})
        return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"

    def fully_averaged(self) -> pandas.DataFrame:
        """Return the ranks of the queries that average all of a subject's repetitions."""
        table = self.table
        return table[table["repetitions"] == table.groupby("subject")["repetitions"].transform("max")]

    def by_training(self, ways: int, k: int, rows: pandas.DataFrame | None = None) -> np.ndarray:
        """Compute top-k among ``ways`` candidates of each training, one value a seed; see :meth:`retrieval`."""
        rows = self.fully_averaged() if rows is None else rows
        scores = pandas.Series(top_k(rows["rank"].to_numpy(), self.facts["images"], ways, k))
        return scores.groupby(rows["seed"].to_numpy()).mean().to_numpy()

    def retrieval(self, ways: int, k: int, rows: pandas.DataFrame | None = None) -> Score:
        """Compute top-k among so many candidates, with its interval.

        The interval draws test images; that of a control is over trainings.

        Args:
            ways: number of candidates, the correct image included.
            k: number of first places that count.
            rows: rows of :attr:`table`; by default those that average all repetitions.
        """
        rows = self.fully_averaged() if rows is None else rows
        if self.experiment.pairs == "permuted":
            return over_trainings(self.by_training(ways, k, rows))
        return bootstrap(top_k(rows["rank"].to_numpy(), self.facts["images"], ways, k), rows["image"].to_numpy())

    def repetition_curve(self) -> pandas.DataFrame:
        """Compute top-1 and top-5 among all images by the number of repetitions averaged, with intervals."""
        table, points = self.table, []
        for count, rows in table.groupby("repetitions"):
            point = {"repetitions": count}
            for k in (1, 5):
                score = self.retrieval(self.facts["images"], k, rows)
                point |= {f"top{k}": score.mean, f"top{k}_low": score.low, f"top{k}_high": score.high}
            points.append(point)
        return pandas.DataFrame(points)

    def classification(self) -> dict[str, tuple[float, float]]:
        """Compute accuracy and kappa of each test subject, means over seeds."""
        scores = {}
        for subject, rows in self.table.groupby("subject"):
            by_seed = [classification_metrics(seed) for _, seed in rows.groupby("seed")]
            scores[subject] = (
                float(np.mean([metrics["accuracy"] for metrics in by_seed])),
                float(np.mean([metrics["cohen_kappa"] for metrics in by_seed])),
            )
        return scores


@dataclass(frozen=True)
class EncoderCorpus:
    """All results of one corpus.

    Attributes:
        name: name of the corpus, ``surrogate ...`` where it is one.
        layout: layout of its files.
        warnings: what must stand beside every number of the corpus.
        aligned: results of encoders aligned with image features.
        classified: results of encoders that classify concepts.
    """

    name: str
    layout: str
    warnings: list[str]
    aligned: list[EncoderResults]
    classified: list[EncoderResults]


def read_encoder_corpora(
    folder: Path, experiments: Mapping[str, EncoderExperiment], seeds: list[int]
) -> list[EncoderCorpus]:
    """Read what ``train_eeg_encoder`` wrote of these experiments, corpus by corpus.

    Args:
        folder: folder that holds one for each experiment.
        experiments: entries of the section ``eeg_encoders``.
        seeds: training seeds, of experiments that do not say their own.

    Raises:
        InputError: an experiment or a seed is missing.
    """
    corpora: dict[str, list[EncoderResults]] = {}
    for name, experiment in experiments.items():
        corpora.setdefault(experiment.corpus, []).extend(_read_results(folder / name, name, experiment, seeds))
    return [
        EncoderCorpus(
            name=results[0].facts["corpus"],
            layout=results[0].facts["layout"],
            warnings=results[0].facts["warnings"],
            aligned=[result for result in results if result.experiment.objective == "align"],
            classified=[result for result in results if result.experiment.objective == "classify"],
        )
        for results in corpora.values()
    ]


def _read_results(folder: Path, name: str, experiment: EncoderExperiment, seeds: list[int]) -> list[EncoderResults]:
    table = RANKS if experiment.objective == "align" else CLASSIFIED
    runs: dict[tuple, list[EncoderRun]] = {}
    for path in sorted(folder.glob("*/*/*/seed-*/metrics.json")):
        facts = json.loads(path.read_text())
        protocol, seed = facts["protocol"], facts["seed"]
        if protocol not in experiment.protocols or seed not in seeds_of(experiment, protocol, seeds):
            continue
        band = facts["band"] and tuple(facts["band"])
        rows = read_parquet(require_file(path.with_name(table)))
        run = EncoderRun(protocol, band, facts["fold"]["name"], seed, facts, rows, path.parent)
        runs.setdefault((protocol, band), []).append(run)
    wanted = [(protocol, band_key(band)) for protocol in experiment.protocols for band in experiment.bands]
    for key in wanted:
        wanted_seeds = seeds_of(experiment, key[0], seeds)
        if sorted({run.seed for run in runs.get(key, [])}) != sorted(wanted_seeds):
            raise InputError(
                f"{folder}: lacks seeds {wanted_seeds} of protocol {key[0]}; run `dvc repro train_eeg_encoder`"
            )
    sheet = read_parquet(require_file(folder / protocol_choices.FILE)) if experiment.protocol_sheet else None
    return [
        EncoderResults(name, experiment, protocol, band, runs[protocol, band], None if k else sheet)
        for k, (protocol, band) in enumerate(wanted)
    ]
