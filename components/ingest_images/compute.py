"""Checks a corpus of images and EEG, cuts and whitens its epochs, and writes them with their index."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import mne
import numpy as np
import pandas

from components.ingest_images.settings import Epoching, ImageCorpus, IngestImages
from eegdiffusion.core.runtime.closure import code_hash
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash, text_hash
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.core.storage.parquet_file import read_parquet
from eegdiffusion.core.storage.problems import Problem, table
from eegdiffusion.core.storage.spreadsheet import write_table
from eegdiffusion.images.corpora import bids_eeg, eegcvpr40, image_checks, things_eeg2
from eegdiffusion.images.corpora.corpus_layouts import NAMES, open_corpus
from eegdiffusion.images.corpora.image_corpus import Corpus
from eegdiffusion.images.corpora.subject_epochs import EpochCutting, SubjectEpochs, write_subject
from eegdiffusion.images.epochs import epoch_store
from eegdiffusion.images.epochs.epoch_store import EpochStoreDescription

READERS = tuple(module.__name__ for module in (bids_eeg, eegcvpr40, things_eeg2))
"""Modules that read a subject's trials, and so decide its epochs."""


@dataclass(frozen=True)
class IngestedCorpus:
    """A corpus whose epoch store is written.

    Attributes:
        description: what ``store.json`` of the epoch store says.
        index: a row for each epoch.
        images: a row for each image.
        subjects: names of the subjects.
    """

    description: EpochStoreDescription
    index: pandas.DataFrame
    images: pandas.DataFrame
    subjects: list[str]


def compute(
    entry: ImageCorpus, settings: IngestImages, cutting: Epoching, out: Path, shared_work: Path
) -> IngestedCorpus:
    """Ingest a corpus.

    Args:
        entry: the corpus.
        settings: settings of the stage.
        cutting: how epochs are cut.
        out: folder of the epoch store to write.
        shared_work: folder for the epochs of each subject, from which an interrupted run goes on.

    Raises:
        InputError: the corpus has no usable subject, or too many problems; a list of them is printed.
    """
    root = Path(entry.root)
    corpus = open_corpus(entry)
    if not corpus.files:
        listed = "".join(f"\n{problem.path}: {problem.message}" for problem in corpus.problems)
        raise InputError(f"{root}: holds no EEG of the layout {entry.layout}{listed}")
    images, image_problems = _check_images(corpus)
    images["split"] = split_images(images, settings.validation_fraction, settings.seed)
    files, subjects, subject_problems = _write_subjects(corpus, images, settings, cutting, shared_work)
    problems = pandas.DataFrame(
        table(corpus.problems + image_problems + subject_problems), columns=list(Problem.__dataclass_fields__)
    )
    for row in problems.itertuples():
        say(f"{row.severity}: {row.path}: {row.field}: {row.message}")
    if not subjects:
        raise InputError(f"{root}: no subject is usable; the list above says why")
    missing = int((problems["check"] == "images").where(problems["severity"] == "error", False).sum())
    listed = shared_work / "problems.csv"
    _refuse_too_many(problems, "images", missing, len(images), settings.max_bad_fraction, listed)
    bad = len(corpus.files) - len(subjects)
    _refuse_too_many(problems, "subjects", bad, len(corpus.files), settings.max_bad_fraction, listed)

    index = pandas.concat([subject.index for subject in subjects], ignore_index=True)
    index["session"] = number_sessions(index["session"])
    absent = images["sha256"].isna() & images["file"].notna()
    index = index[~index["image"].map(absent)].reset_index(drop=True)
    index["concept"] = index["image"].map(images["concept"])
    index["split"] = index["image"].map(images["split"])
    in_blocks = problems.loc[problems["check"] == "blocks", "message"].unique().tolist()
    description = EpochStoreDescription(
        corpus=_corpus_name(root, entry),
        layout=entry.layout,
        channels=subjects[0].channels,
        times=subjects[0].times.tolist(),
        sfreq=cutting.rate_hz,
        unit=_unit(entry, cutting),
        fingerprint=text_hash(
            asdict(cutting), asdict(settings), index.to_csv(), images.drop(columns="file").to_csv(),
            {name: content_hash(path) for name, path in files.items()},
        ),
        warnings=corpus.warnings + [f"trials: {message}" for message in in_blocks],
        band=cutting.band and list(cutting.band),
    )  # fmt: skip
    (out / "epochs").mkdir(parents=True)
    for name, path in files.items():
        shutil.move(path, out / "epochs" / epoch_store.subject_file(name))  # data/ may be a mount
    epoch_store.write_epoch_index(out, index, images, description)
    problems.to_parquet(out / "problems.parquet", index=False)
    return IngestedCorpus(description, index, images, list(files))


def split_images(images: pandas.DataFrame, fraction: float, seed: int) -> pandas.Series:
    """Divide images into ``train``, ``validation`` and ``test``.

    Whole concepts validate where the test concepts are others than the training concepts, as in THINGS-EEG2. Where
    they are the same, as in EEGCVPR40, images of every training concept validate.

    Args:
        images: concept and partition; a partition ``validation`` of the corpus's own is kept.
        fraction: fraction of the training concepts, or of the training images of each concept, that validate.
        seed: seed of the draw.

    Returns:
        the split of each image.
    """
    split = images["partition"].replace({"training": "train"})
    if "validation" in set(split):
        return split
    training, random = split == "train", np.random.RandomState(seed)
    concepts = sorted(images.loc[training, "concept"].unique())
    if set(images.loc[split == "test", "concept"]) <= set(concepts) and (split == "test").any():
        rows = [np.flatnonzero(training & (images["concept"] == concept)) for concept in concepts]
        validating = np.concatenate([random.choice(own, int(fraction * len(own)), replace=False) for own in rows])
        split.iloc[validating] = "validation"
    else:
        validating = random.choice(concepts, int(fraction * len(concepts)), replace=False)
        split[training & images["concept"].isin(validating)] = "validation"
    return split


def number_sessions(labels: pandas.Series) -> pandas.Series:
    """Return the sessions as numbers where each label is one of its own, such as ``01``; else the labels as they are.

    Args:
        labels: label of the session of each epoch, missing where it has none.
    """
    present = labels.dropna().unique()
    numbers = {label: int(label) for label in present if label.isdecimal() and len(label) < 10}
    if len(set(numbers.values())) < len(present):
        return labels.astype("string")
    return labels.map(numbers).astype("Int64")


def _corpus_name(root: Path, entry: ImageCorpus) -> str:
    described = root / "corpus.json"
    return json.loads(described.read_text())["corpus"] if described.is_file() else NAMES[entry.layout]


def _unit(entry: ImageCorpus, cutting: Epoching) -> str:
    if (cutting.whitening == "none" and entry.layout == "eegcvpr40") or entry.layout == "things_eeg2_preprocessed":
        return "as delivered"
    return "uV" if cutting.whitening == "none" else "whitened"


def _check_images(corpus: Corpus) -> tuple[pandas.DataFrame, list[Problem]]:
    images = corpus.images.assign(sha256=image_checks.hash_images(corpus.images))
    problems = image_checks.check_files(images) + image_checks.check_repeats(images)
    return images, problems + image_checks.check_concepts(images)


def _write_subjects(
    corpus: Corpus, images: pandas.DataFrame, settings: IngestImages, cutting: Epoching, shared_work: Path
) -> tuple[dict[str, Path], list[SubjectEpochs], list[Problem]]:
    """Write the epochs of each subject, or take those that an interrupted run of the same has left."""
    test = (images["partition"] == "test").to_numpy()
    code = text_hash(mne.__version__, code_hash(write_subject.__module__, *READERS))
    common = EpochCutting(cutting, settings.repetitions, settings.seed, None, things_eeg2.CHANNELS)
    files, subjects, problems = {}, [], []
    for name in (bar := progress(corpus.files, desc="cutting epochs", unit="subject")):
        bar.set_postfix_str(name)
        state = [(path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in corpus.files[name]]
        key = text_hash(asdict(common), state, images["file"].tolist(), test.tolist(), code)
        target = shared_work / f"{name}-{key[:16]}.arrow"
        try:
            blocks = corpus.read(name)
            for block in blocks:
                problems += block.problems
                if block.times is None and block.session is not None:
                    problems += image_checks.check_blocks(block.source, block.image, images["concept"].to_numpy())
            subject = _load_subject(target)
            if subject is None:
                subject = write_subject(blocks, test, common, target.with_suffix(""), target)
                _save_subject(target, subject)
        except InputError as error:
            problems.append(Problem(name, "subject", "epochs", str(error)))
            continue
        common = EpochCutting(cutting, settings.repetitions, settings.seed, subject.channels, things_eeg2.CHANNELS)
        files[name] = target
        subjects.append(subject)
        problems += subject.problems
    return files, subjects, problems


def _save_subject(target: Path, subject: SubjectEpochs) -> None:
    subject.index.to_parquet(target.with_suffix(".parquet"), index=False)
    fields = {"channels": subject.channels, "times": subject.times.tolist(), "trials": subject.trials}
    target.with_suffix(".json").write_text(json.dumps(fields | {"problems": table(subject.problems)}))


def _load_subject(target: Path) -> SubjectEpochs | None:
    path = target.with_suffix(".json")
    if not path.is_file():
        return None
    fields = json.loads(path.read_text())
    problems = [Problem(**row) for row in fields["problems"]]
    index = read_parquet(target.with_suffix(".parquet"))
    return SubjectEpochs(index, fields["channels"], np.array(fields["times"]), fields["trials"], problems)


def _refuse_too_many(problems: pandas.DataFrame, what: str, bad: int, total: int, allowed: float, listed: Path) -> None:
    if total and bad > allowed * total:
        write_table(listed, problems)
        raise InputError(
            f"{bad} of {total} {what} are unusable, more than ingest_images.max_bad_fraction {allowed:g} allows; "
            f"{listed} lists why"
        )
