"""Cut the epochs of a corpus of images and EEG: ``python -m components.ingest_images --corpus NAME``."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import mne
import numpy as np
import pandas
from tqdm import tqdm

from components.ingest_images.settings import ImageCorpus, IngestImages
from components.ingest_images.subject import Cut, Written, write_subject
from eegdiffusion.core.runtime.closure import code_hash
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.hashing import content_hash, text_hash
from eegdiffusion.core.runtime.stage import Stage, stage
from eegdiffusion.core.signal.epoching import Epoching
from eegdiffusion.core.storage.problems import Problem, table
from eegdiffusion.images.corpora import bids_eeg, eegcvpr40, image_checks, things_eeg2
from eegdiffusion.images.corpora.image_corpus import Corpus
from eegdiffusion.images.epochs import epoch_store

READERS = tuple(module.__name__ for module in (bids_eeg, eegcvpr40, things_eeg2))

NAMES = {
    "things_eeg2_raw": "THINGS-EEG2",
    "things_eeg2_preprocessed": "THINGS-EEG2",
    "things_eeg1": "THINGS-EEG1",
    "eegcvpr40": "EEGCVPR40",
    "kilogram": "Kilogram",
}


def open_corpus(settings: ImageCorpus) -> Corpus:
    """Open a corpus by the layout that the settings name."""
    root, images = Path(settings.root), Path(settings.images) if settings.images else None
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; image_corpora.*.root must be the corpus")
    if settings.layout == "eegcvpr40":
        return eegcvpr40.open_corpus(root, images, settings.eegcvpr40)
    openers = {
        "things_eeg2_raw": things_eeg2.open_raw,
        "things_eeg2_preprocessed": things_eeg2.open_preprocessed,
        "things_eeg1": bids_eeg.open_things_eeg1,
        "kilogram": bids_eeg.open_kilogram,
    }
    return openers[settings.layout](root, images)


def split_images(images: pandas.DataFrame, fraction: float, seed: int) -> pandas.Series:
    """Divide images into ``train``, ``validation`` and ``test``: whole concepts validate.

    Args:
        images: concept and partition; a partition ``validation`` of the corpus's own is kept.
        fraction: of the training concepts that validate.
        seed: of the draw.
    """
    split = images["partition"].replace({"training": "train"})
    if "validation" not in set(split):
        concepts = sorted(images.loc[split == "train", "concept"].unique())
        drawn = np.random.RandomState(seed).choice(concepts, int(fraction * len(concepts)), replace=False)
        split[(split == "train") & images["concept"].isin(drawn)] = "validation"
    return split


def _check_images(corpus: Corpus) -> tuple[pandas.DataFrame, list[Problem]]:
    images = corpus.images.assign(sha256=image_checks.hash_images(corpus.images))
    problems = image_checks.check_files(images) + image_checks.check_repeats(images)
    return images, problems + image_checks.check_concepts(images)


def _write_subjects(
    run: Stage, corpus: Corpus, images: pandas.DataFrame, settings: IngestImages, cutting: Epoching
) -> tuple[dict[str, Path], list[Written], list[Problem]]:
    """Write the epochs of each subject, or take those that an interrupted run of the same has left."""
    test = (images["partition"] == "test").to_numpy()
    code = text_hash(mne.__version__, code_hash(write_subject.__module__, *READERS))
    cut = Cut(cutting, settings.repetitions, settings.seed, None, things_eeg2.CHANNELS)
    files, done, problems = {}, [], []
    for name in (bar := tqdm(corpus.files, desc="cutting epochs", unit="subject")):
        bar.set_postfix_str(name)
        state = [(path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in corpus.files[name]]
        seen = text_hash(asdict(cut), state, images["file"].tolist(), test.tolist(), code)
        target = run.shared_work / f"{name}-{seen[:16]}.arrow"
        try:
            blocks = corpus.read(name)
            for block in blocks:
                if block.times is None and block.session is not None:
                    problems += image_checks.check_blocks(block.source, block.image, images["concept"].to_numpy())
            written = _load(target) or _save(target, write_subject(blocks, test, cut, target.with_suffix(""), target))
        except InputError as error:
            problems.append(Problem(name, "subject", "epochs", str(error)))
            continue
        cut = Cut(cutting, settings.repetitions, settings.seed, written.channels, things_eeg2.CHANNELS)
        files[name] = target
        done.append(written)
        problems += written.problems
    return files, done, problems


def _save(target: Path, written: Written) -> Written:
    written.index.to_parquet(target.with_suffix(".parquet"), index=False)
    rest = {"channels": written.channels, "times": written.times.tolist(), "trials": written.trials}
    target.with_suffix(".json").write_text(json.dumps(rest | {"problems": table(written.problems)}))
    return written


def _load(target: Path) -> Written | None:
    described = target.with_suffix(".json")
    if not described.is_file():
        return None
    rest = json.loads(described.read_text())
    problems = [Problem(**row) for row in rest["problems"]]
    index = pandas.read_parquet(target.with_suffix(".parquet"))
    return Written(index, rest["channels"], np.array(rest["times"]), rest["trials"], problems)


def _refuse_too_many(problems: pandas.DataFrame, what: str, bad: int, total: int, allowed: float, run: Stage) -> None:
    if total and bad > allowed * total:
        path = run.shared_work / "problems.csv"
        problems.to_csv(path, index=False)
        raise InputError(
            f"{bad} of {total} {what} are unusable, more than ingest_images.max_bad_fraction {allowed:g} allows; "
            f"{path} lists why"
        )


@stage("ingest_images")
def main(run: Stage) -> None:
    name = run.item["corpus"]
    place, settings = run.settings(ImageCorpus, f"image_corpora.{name}"), run.settings(IngestImages)
    cutting = run.settings(Epoching, f"epochs.{place.epochs}")
    root, out = run.input("corpus"), run.output("store")
    corpus = open_corpus(place)
    if not corpus.files:
        raise InputError(f"{root}: holds no EEG of the layout {place.layout}")
    images, problems = _check_images(corpus)
    problems = corpus.problems + problems
    images["split"] = split_images(images, settings.validation_fraction, settings.seed)
    files, written, found = _write_subjects(run, corpus, images, settings, cutting)
    problems = pandas.DataFrame(table(problems + found), columns=list(Problem.__dataclass_fields__))
    for row in problems.itertuples():
        print(f"{row.severity}: {row.path}: {row.field}: {row.message}")
    if not written:
        raise InputError(f"{root}: no subject is usable; the list above says why")
    missing = int((problems["check"] == "images").where(problems["severity"] == "error", False).sum())
    _refuse_too_many(problems, "images", missing, len(images), settings.max_bad_fraction, run)
    bad = len(corpus.files) - len(written)
    _refuse_too_many(problems, "subjects", bad, len(corpus.files), settings.max_bad_fraction, run)

    index = pandas.concat([one.index for one in written], ignore_index=True)
    absent = images["sha256"].isna() & images["file"].notna()
    index = index[~index["image"].map(absent)].reset_index(drop=True)
    index["concept"] = index["image"].map(images["concept"])
    index["split"] = index["image"].map(images["split"])
    described = root / "corpus.json"
    about = json.loads(described.read_text()) if described.is_file() else {"corpus": NAMES[place.layout]}
    blocks = problems.loc[problems["check"] == "blocks", "message"].unique().tolist()
    units = {"none": "uV", "training": "whitened", "training_and_test": "whitened"}
    if cutting.whitening == "none" and place.layout == "eegcvpr40" or place.layout == "things_eeg2_preprocessed":
        units[cutting.whitening] = "as delivered"
    description = epoch_store.EpochStoreDescription(
        corpus=about["corpus"],
        layout=place.layout,
        channels=written[0].channels,
        times=written[0].times.tolist(),
        sfreq=cutting.rate_hz,
        unit=units[cutting.whitening],
        fingerprint=text_hash(
            asdict(cutting), asdict(settings), index.to_csv(), images.drop(columns="file").to_csv(),
            {name: content_hash(path) for name, path in files.items()},
        ),
        warnings=corpus.warnings + [f"trials: {message}" for message in blocks],
        band=cutting.band and list(cutting.band),
    )  # fmt: skip
    (out / "epochs").mkdir(parents=True)
    for name, path in files.items():
        shutil.move(path, out / "epochs" / epoch_store.file_name(name))  # data/ may be a mount
    epoch_store.write_index(out, index, images, description)
    problems.to_parquet(out / "problems.parquet", index=False)
    counts = index.groupby(["split", "subject"]).size().unstack(fill_value=0)
    shape = f"{len(description.channels)} channels and {len(description.times)} samples"
    print(f"{description.corpus}: {len(files)} subjects, {len(index)} epochs of {shape}, {len(images)} images")
    print(counts.to_string())
    for warning in description.warnings:
        print(f"WARNING: {warning}")


if __name__ == "__main__":
    main()
