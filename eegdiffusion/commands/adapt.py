"""Adapt a registered aligned encoder to a new subject: ``eeg adapt``."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.command_line import PATH, Command
from eegdiffusion.commands.registered_models import address, require_registry, unsigned_option
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.names import require_name
from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    from eegdiffusion.images.adaptation.adapted_encoder import AlignedModel

STORES, FEATURES = Path("data/images"), Path("data/image_features")


@contextmanager
def _opened(model: str, unsigned: bool) -> "Iterator[tuple[AlignedModel, dict[str, str]]]":
    """Read the model, the folder of a training or a version, and what an adapted one says of its origin."""
    from eegdiffusion.images.adaptation.adapted_encoder import read_aligned_model
    from eegdiffusion.operations.registry.verified_version import verified_files

    if Path(model).is_dir() and (Path(model) / "metrics.json").is_file():
        yield read_aligned_model(Path(model), model), {"adapted.from": Path(model).as_posix()}
        return
    uri = address(model)
    require_registry(uri)
    with ExitStack() as stack:
        files = stack.enter_context(verified_files(uri, "eeg adapt", unsigned))
        origin = {"adapted.from": uri, "adapted.files": str(files)}
        if files.version is not None:  # an alias moves, a version does not
            origin["adapted.from"] = f"models:/{files.version.name}/{files.version.version}"
        yield read_aligned_model(files.folder / "artifacts", uri), origin


def _step_s(corpus: str, subject: str) -> float:
    """Return the seconds from an image to the next in the recordings of a subject.

    Raises:
        InputError: the recordings are not here, or come cut.
    """
    from eegdiffusion.core.runtime.settings import read
    from eegdiffusion.images.corpora.corpus_layouts import ImageCorpus, open_corpus
    from eegdiffusion.images.corpora.image_corpus import Continuous

    try:
        blocks = open_corpus(read(f"image_corpora.{corpus}", ImageCorpus)).read(subject)
    except (InputError, KeyError) as error:
        rule = "must say the seconds from an image to the next"
        raise InputError(f"--step: {rule}, as the recordings cannot be read: {error}") from error
    steps = [block.trials.step / block.sfreq for block in blocks if isinstance(block.trials, Continuous)]
    steps = sorted(step for step in steps if math.isfinite(step))
    if not steps:
        raise InputError(f"--step: must say the seconds from an image to the next, as epochs of {corpus} come cut")
    return steps[len(steps) // 2]


@click.command("adapt", cls=Command)
@click.argument("subject")
@click.option("--corpus", required=True, help="Entry of image_corpora in params.yaml that has the subject.")
@click.option("--model", default="eeg-aligned", show_default=True, help="Registered model, or folder of a training.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="EEG that is used, from the first on [all].")
@click.option("--block", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True, help="Its seconds.")
@click.option("--step", type=click.FloatRange(0, min_open=True), help="Seconds from an image to the next [recordings].")
@click.option("--out", type=PATH, help="Folder to write; default: models/adapted/NAME.")
@click.option("--name", help="Name of the registered model; default: eeg-adapted-CORPUS-SUBJECT.")
@click.option("--replace", is_flag=True, help="Replace the folder, where it is of an earlier adaptation.")
@click.option("--register/--no-register", default=True, show_default=True, help="Make it a version of NAME.")
@unsigned_option
def command(
    subject: str,
    corpus: str,
    model: str,
    minutes: float | None,
    block: float,
    step: float | None,
    out: Path | None,
    name: str | None,
    replace: bool,
    register: bool,
    unsigned: bool,
) -> None:
    """Adapt an aligned encoder of EEG to SUBJECT, sub-XX, whom it has not seen, from minutes of the person's EEG.

    The first blocks adapt, the last fifth of them chooses: an input layer of the subject's own with all else frozen, a
    ridge regression from the model's embeddings to the known features, a ridge regression without the model, or the
    model as it stands. Test images are of the corpus's test split and choose nothing. Writes the model that was chosen
    and the curve of retrieval against minutes (curve.csv, curve.png). A registered version is signed and has no alias:
    no adapted model becomes champion.
    """
    name = require_name(name or f"eeg-adapted-{require_name(corpus, '--corpus')}-{subject}", "--name")
    out = out or Path("models/adapted", name)
    store_path, features_path = STORES / corpus, FEATURES / corpus
    for path, file in ((store_path, "store.json"), (features_path, "features.json")):
        if not (path / file).is_file():
            raise InputError(f"--corpus: {path}/{file}: no such file; run `eeg repro embed_images@{corpus}`")
    if out.exists() and not (replace and (out / "curve.csv").is_file()):
        why = "holds no earlier adaptation" if replace else "is there already; choose another, or --replace it"
        raise InputError(f"--out: {out}: {why}")

    with loading_modules():
        from eegdiffusion.core.observe.figures.style import DPI
        from eegdiffusion.images.adaptation.adaptation_curve import SCORES, adapt
        from eegdiffusion.images.adaptation.adapted_folder import replaced_folder, write_adapted, write_curve
        from eegdiffusion.images.adaptation.method_names import MEANING, UNSEEN
        from eegdiffusion.images.adaptation.subject_blocks import SubjectBlocks
        from eegdiffusion.images.epochs.epoch_store import EpochStore
        from eegdiffusion.images.features.image_features import ImageFeatures
        from eegdiffusion.images.figures.adaptation_figures import adaptation_curves
    store = EpochStore(store_path)
    features = ImageFeatures(features_path, store.description.fingerprint)
    with _opened(model, unsigned) as (aligned, origin):
        for doubt in aligned.check_store(store, subject, STORES):
            say(f"WARNING: {model}: {doubt}")
        target = aligned.features_of(features)
        step = step or _step_s(corpus, subject)
        blocks = SubjectBlocks(store, subject, target, aligned.input, step, block)
        curve = adapt(aligned.encoder, blocks, blocks.blocks_within(minutes))
        row, improved = curve.row, curve.chosen.method != UNSEEN
        with replaced_folder(out) as part:
            if improved:
                write_adapted(part, aligned, origin["adapted.from"], blocks, curve, features.description.model)
            else:
                part.mkdir()
                write_curve(part, curve)
            title = f"{origin['adapted.from']} adapted to {subject} ({store.description.corpus} data)"
            adaptation_curves(curve.table, curve.chance, title).savefig(part / "curve.png", dpi=DPI)
    for _, point in curve.table[curve.table["minutes"] == row["minutes"]].iterrows():
        scores = ", ".join(f"{s} {point[s]:.3f} ({point[f'{s}_low']:.3f} to {point[f'{s}_high']:.3f})" for s in SCORES)
        say(f"{point['minutes']:.3g} min, {point['method']}{' (chosen)' if point['chosen'] else ''}: {scores}")
    chance = ", ".join(f"{score} {value:.3f}" for score, value in curve.chance.items())
    say(f"{curve.images} test images, {curve.repetitions} repetitions averaged; by chance {chance}")
    say(f"chosen by validation blocks: {curve.chosen.method}, {MEANING[curve.chosen.method]}", out / "curve.png")
    for warning in store.description.warnings:
        say(f"WARNING: {warning}")
    if not improved:
        say(f"{subject}: no adaptation is better than the model as it stands, on validation blocks; none is written")
    elif register:
        from eegdiffusion.operations.registry.adapted_version import register_adapted

        say(register_adapted(name, out, origin))
