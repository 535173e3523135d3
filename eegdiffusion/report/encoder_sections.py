"""What fills the report's part on images and EEG."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas

from eegdiffusion.core.statistics.retrieval import Score
from eegdiffusion.images.encoders.retrieval_control import FEWEST, permutation_p
from eegdiffusion.images.epochs.protocols import MEANING
from eegdiffusion.images.figures import encoder_figures
from eegdiffusion.report import encoder_tables
from eegdiffusion.report.encoder_runs import EEGCorpus, Study

CAPTIONS = {
    "retrieved": "Test images that were seen and what their EEG retrieved, the right one framed; drawn at random",
    "evoked": "Evoked potential: mean over all test images and repetitions; images follow quickly, and so do the "
    "responses to the next ones",
    "importance": "Importance of electrodes: what the margin of the right image loses without each",
}


@dataclass(frozen=True)
class Compared:
    """Recorded pairs beside a control of the same encoder and protocol.

    Attributes:
        label: of their row.
        two_way, top1: means over trainings.
        p: of the permutation test, by two-way accuracy.
    """

    label: str
    two_way: float
    top1: float
    p: float


@dataclass(frozen=True)
class Control:
    """The permuted-pairing control.

    Attributes:
        label: of its row.
        trainings: each with a pairing of its own.
        two_way: accuracy, which uses the whole rank: top-1 among few images is too coarse to be judged.
        top1: among all images.
        candidates: how many those are.
        compared: rows of recorded pairs.
    """

    label: str
    trainings: int
    two_way: Score
    top1: Score
    candidates: int
    compared: list[Compared]

    @property
    def at_chance(self) -> bool | None:
        """Whether the interval of the two-way accuracy contains chance; None if the trainings are too few to say."""
        return None if self.trainings < FEWEST else self.two_way.low <= 0.5 <= self.two_way.high


def _compared(control: Study, others: list[Study]) -> list[Compared]:
    def kind(study: Study) -> tuple:
        row = study.row
        return row.encoder, row.options, row.subjects, row.subject_layers, study.protocol, study.band

    ways = control.facts["images"]
    return [
        Compared(
            f"{study.name}, {study.protocol}",
            float(study.by_training(2, 1).mean()),
            float(study.by_training(ways, 1).mean()),
            permutation_p(study.by_training(2, 1), control.by_training(2, 1)),
        )
        for study in others
        if study.row.pairs == "recorded" and kind(study) == kind(control)
    ]


def controls(corpus: EEGCorpus) -> list[Control]:
    """The controls of a corpus."""
    found = []
    for study in corpus.aligned:
        if study.row.pairs == "permuted":
            ways = study.facts["images"]
            label, trainings = f"{study.name}, {study.protocol}", len(study.by_training(2, 1))
            scores = study.retrieval(2, 1), study.retrieval(ways, 1)
            found.append(Control(label, trainings, *scores, ways, _compared(study, corpus.aligned)))
    return found


def _plain(studies: list[Study]) -> list[Study]:
    return [study for study in studies if study.band == (study.row.bands[0] and tuple(study.row.bands[0]))]


def _pictures(corpus: EEGCorpus, number: int) -> list[tuple[Path, str, str]]:
    """Pictures that the stage drew, of the first row that was trained on recorded pairs: file, name, caption."""
    for study in corpus.aligned:
        found = [cell.folder / "figures" for cell in study.cells if (cell.folder / "figures").is_dir()]
        if study.row.pairs == "recorded" and found:
            return [
                (path, f"eeg{number}_{name}", f"{caption}; {study.label}, {study.protocol}")
                for name, caption in CAPTIONS.items()
                if (path := found[0] / f"{name}.png").is_file()
            ]
    return []


def _part(corpus: EEGCorpus, number: int) -> dict:
    aligned, plain = corpus.aligned, _plain(corpus.aligned)
    used = [study.protocol for study in [*aligned, *corpus.classified]]
    averaged = [s for s in plain if s.row.pairs == "recorded" and s.table["repetitions"].nunique() > 1]
    # A row of bands has a table of its own; it is drawn only where there is nothing else.
    averaged = [s for s in averaged if len(s.row.bands) == 1] or averaged
    curves = {f"{s.label}, {s.protocol}": s.curve() for s in averaged}
    chance = {}
    if plain:
        ways = plain[0].facts["images"]
        chance = {f"top{k}": min(1.0, k / ways) for k in (1, 5)}
    return {
        "name": corpus.name,
        "surrogate": corpus.name.startswith("surrogate"),
        "layout": corpus.layout,
        "warnings": corpus.warnings,
        "protocols": {name: MEANING[name] for name in MEANING if name in used},
        "features": aligned[0].facts["features"] if aligned else None,
        "controls": controls(corpus),
        "retrieval": encoder_tables.retrieval_table(plain) if plain else None,
        "ways": encoder_tables.ways_table(plain) if plain else None,
        "subjects": encoder_tables.subjects_table(plain) if plain else None,
        "curves": encoder_figures.repetition_curves(
            curves, chance, f"Retrieval by repetitions averaged ({corpus.name} data)"
        )
        if curves
        else None,
        "bands": _there(encoder_tables.bands_table([*aligned, *corpus.classified])),
        "classified": encoder_tables.classification_table(_plain(corpus.classified)) if corpus.classified else None,
        "concepts": len(corpus.classified[0].facts["concepts"]) if corpus.classified else 0,
        "split_rule": corpus.classified[0].facts["split_rule"] if corpus.classified else "",
        "averaged": corpus.classified[0].repetitions if corpus.classified else "",
        "pictures": _pictures(corpus, number),
        "number": number,
    }


def _there(table: pandas.DataFrame) -> pandas.DataFrame | None:
    return table if len(table) else None


def images_from_eeg(corpora: list[EEGCorpus], published: Mapping) -> dict:
    """Values of the part on images and EEG; empty lists where there is none."""
    return {
        "eeg_corpora": [_part(corpus, number) for number, corpus in enumerate(corpora, start=1)],
        "published_retrieval": encoder_tables.published_retrieval(published["retrieval"]),
        "published_classification": encoder_tables.published_classification(published["classification"]),
        "any_aligned": any(corpus.aligned for corpus in corpora),
        "any_classified": any(corpus.classified for corpus in corpora),
    }


def metrics(corpora: list[EEGCorpus]) -> dict[str, str | float | bool]:
    """The main numbers by flat names."""
    found: dict[str, str | float | bool] = {}
    for corpus in corpora:
        for study in corpus.aligned:
            key = "_".join(["eeg", study.name, study.protocol, *([] if study.band is None else [study.band_name])])
            key = key.replace("–", "_").replace(" ", "")
            ways = study.facts["images"]
            found |= {f"{key}_corpus": corpus.name, f"{key}_candidates": ways}
            for k in (1, 5):
                score = study.retrieval(ways, k)
                values = {"": score.mean, "_low": score.low, "_high": score.high}
                found |= {f"{key}_top{k}{part}": value for part, value in values.items() if math.isfinite(value)}
        for study in _plain(corpus.classified):
            each = list(study.classification().values())
            found[f"eeg_{study.name}_{study.protocol}_corpus"] = corpus.name
            found[f"eeg_{study.name}_{study.protocol}_accuracy"] = sum(a for a, _ in each) / len(each)
            found[f"eeg_{study.name}_{study.protocol}_cohen_kappa"] = sum(k for _, k in each) / len(each)
    return found
