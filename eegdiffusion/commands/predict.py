"""Find the EEG events of recordings with a registered model: ``eeg predict``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.command_line import PATH, Choice, Command, SeveralOption
from eegdiffusion.commands.registered_models import (
    UNSIGNED_NOTE,
    address,
    choose_device,
    device_option,
    load_classifier,
    require_device,
    require_known,
    tested_subsets,
    unsigned_option,
)
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.events.prediction.output_folder import require_folder_outside, require_writable

if TYPE_CHECKING:
    from eegdiffusion.events.prediction.events_tsv import Standard


class _Time(click.ParamType):
    """Seconds, or hours, minutes and seconds."""

    name = "time"

    def convert(self, value, param, ctx):
        """Return seconds, or raise an error that says how they are written."""
        from eegdiffusion.events.prediction.stretch import seconds_of

        try:
            return value if isinstance(value, float) else seconds_of(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write seconds, or H:MM:SS.", param, ctx)


TIME = _Time()

WRITTEN = (".edf", ".png", ".json", ".parquet", ".csv")
"""Endings of the files that a prediction writes, the table last."""


def _check_output(out: Path, recording: Path) -> None:
    from eegdiffusion.core.runtime.errors import InputError

    if out.suffix != ".csv":
        raise InputError(f"--out: must end with .csv (found {out})")
    if out.is_dir():
        raise InputError(f"--out: must be a table to write, as {recording} is one recording ({out} is a folder)")
    if recording.resolve() in [out.with_suffix(ending).resolve() for ending in WRITTEN]:
        raise InputError(f"--out: {recording.resolve()} would be overwritten; choose another name")


def _renamed(pairs: tuple[str, ...]) -> dict[str, str]:
    from eegdiffusion.core.runtime.errors import InputError
    from eegdiffusion.core.signal.montage import ELECTRODES

    names = {}
    for pair in pairs:
        other, _, name = pair.upper().partition("=")
        if name not in ELECTRODES:
            raise InputError(f"--rename: must be OTHER=ELECTRODE, one of {', '.join(ELECTRODES)} (found {pair})")
        names[other] = name
    return names


@click.command("predict", cls=Command, clone=False)
@click.argument("recording", type=PATH)
@click.option("--model", default="models:/lft@champion", show_default=True, help="It, lft/3, or MLflow's address.")
@click.option(
    "--out",
    type=PATH,
    required=True,
    help="Table to write, .csv (.edf, .png, .json go beside it), or a folder's results.",
)
@click.option("--threshold", type=click.FloatRange(0, 1), default=0.0, help="Least probability of an event's seconds.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, help="Windows in a batch.")
@click.option(
    "--rename", cls=SeveralOption, metavar="OTHER=ELECTRODE", help="Electrodes called otherwise, e.g. M1=A1 M2=A2."
)
@click.option("--operating-points", type=PATH, help="File of eeg operating-points, whose thresholds decide.")
@click.option(
    "--sensitivity", type=Choice(("low", "medium", "high")), default="medium", show_default=True, help="Which of them."
)
@click.option(
    "--coarse",
    type=click.IntRange(2, 5),
    metavar="STEP",
    help="Begin at steps of STEP seconds (--operating-points).",
)
@click.option("--page", is_flag=True, help="Write a page to read the recording on as well (.html).")
@click.option("--tsv", type=Choice(("bids", "szcore")), help="Write BIDS's or SzCORE's table too (_events.tsv).")
@click.option("--start", type=TIME, default="0", help="Where to begin: seconds, or H:MM:SS, from the first sample.")
@click.option("--stop", type=TIME, help="Where to end, likewise; default: the end.")
@device_option
@unsigned_option
def command(
    recording: Path,
    model: str,
    out: Path,
    threshold: float,
    batch: int,
    rename: tuple[str, ...],
    operating_points: Path | None,
    sensitivity: str,
    coarse: int | None,
    page: bool,
    tsv: "Standard | None",
    start: float,
    stop: float | None,
    device: str,
    unsigned: bool,
) -> None:
    """Find the EEG events of RECORDING, a file or a folder of files, with a registered model.

    `eeg example recording RECORDING` writes one to try; the demo's lie in data/raw/surrogate-tuev/edf/eval.

    Reads EDF, BDF, BrainVision (.vhdr), EEGLAB (.set) or FIF, and writes the events as a table, the recording with them
    as an EDF+ file, a figure, the probabilities of each second (.parquet), and which channels were used (.json). The
    model brings its filters and montage; what of the montage a recording lacks is left out and said, down to the fewest
    channels that the model was tested on. Every second is classified from the window around it, so the first and last
    have none. Of a folder all recordings below it are read, and --out is a folder too; the same command goes on where
    it stopped. Works without a clone.

    Exit status: 0 if all is done; 65 if the recording was refused, or if some of a folder's were refused or failed: the
    others are done all the same, and recordings.csv there says of each whether it is done, a duplicate, left out,
    refused or failed, and why; 75 if results cannot be written.
    """
    from eegdiffusion.core.runtime.errors import InputError

    if not recording.exists():  # before the model, which takes seconds
        raise InputError(f"{recording}: file: there is no such file")
    electrodes, folder = _renamed(rename), recording.is_dir()
    if folder and (start or stop is not None):
        raise InputError(f"--start, --stop: must be of one recording ({recording} is a folder)")
    if tsv == "szcore" and (start or stop is not None):
        raise InputError("--tsv szcore: must be of a whole recording, as its table cannot say which stretch was read")
    if stop is not None and stop <= start:
        raise InputError(f"--stop: must be later than --start (found {start:g} to {stop:g} s)")
    if coarse is not None and operating_points is None:
        raise InputError("--coarse: must come with --operating-points, whose file says what it may skip")
    if folder:
        require_folder_outside(out, recording)
    else:
        _check_output(out, recording)
        require_writable(out.parent)
    model = address(model)
    choose_device(device)
    require_known(model)

    with loading_modules():
        from eegdiffusion.core.recordings.electrode_recording import open_recording

        # Before the model, which takes seconds: a file that cannot be used is refused at once.
        whole = None if folder else open_recording(recording, electrodes)

        from eegdiffusion.events.prediction.events_tsv import require_seizures
        from eegdiffusion.events.prediction.operating_classifier import with_points
        from eegdiffusion.events.prediction.prediction import Classifier, output_paths, predict
        from eegdiffusion.events.prediction.recordings_folder import predict_all
        from eegdiffusion.events.prediction.sensitivity import read_operating_points
        from eegdiffusion.events.prediction.stretch import Stretch

        points = None if operating_points is None else read_operating_points(operating_points)
        loaded, preprocessing = load_classifier(model, unsigned, "eeg predict")
        require_device(loaded.unwrap_python_model(), device)
        tested = tested_subsets(loaded, model)
    name = f"{model}, trained on {preprocessing.corpus} data{UNSIGNED_NOTE if unsigned else ''}"
    if tsv == "szcore":
        require_seizures(preprocessing.classes)
    ask_subsets = getattr(loaded.unwrap_python_model(), "classify_subsets", None) if tested else None
    classifier = Classifier(
        name, loaded, preprocessing, threshold, batch, electrodes, tested, classify_subsets=ask_subsets
    )
    if points is not None and operating_points is not None:
        classifier = with_points(classifier, points, sensitivity, operating_points, coarse)
    if whole is None:
        predict_all(recording, out, classifier, page, tsv)
        return
    outputs = output_paths(out.with_suffix(""), page, tsv)
    say(f"{name}: {predict(whole, outputs, classifier, Stretch(start, stop))}")
    say(*outputs.values())
