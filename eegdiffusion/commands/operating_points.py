"""Choose operating points of a model on predictions of it: ``eeg operating-points``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eegdiffusion.commands.command_line import PATH, Command, SeveralOption
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say

if TYPE_CHECKING:
    from eegdiffusion.events.prediction.sensitivity import OperatingPoints

DEFAULT_RATES = ("spsw=9/h", "gped=9/h", "pled=9/h", "seizure=1/day")


def _wanted(rates: tuple[str, ...], classes: set[str]) -> dict[str, float]:
    """Return the rate of each class, by the hour; of the defaults those of the model's classes."""
    from eegdiffusion.core.runtime.errors import InputError
    from eegdiffusion.events.scoring.operating_points import parse_rates

    try:
        wanted = parse_rates(rates or DEFAULT_RATES)
    except ValueError as error:
        raise InputError(f"--rates: must be CLASS=N/h or CLASS=N/day (found {error})") from error
    known = {label: rate for label, rate in wanted.items() if label in classes}
    if (rates and known != wanted) or not known:
        listed = ", ".join(sorted(classes))
        raise InputError(f"--rates: must be of the model's classes, {listed} (found {', '.join(wanted)})")
    return known


def _say_points(points: "OperatingPoints") -> None:
    from eegdiffusion.events.prediction.prediction_sets import fewest_seconds

    for level, of_level in points.levels.items():
        for label, point in of_level.items():
            finds = "" if point.sensitivity is None else f", finds {point.sensitivity:.0%} of events"
            say(
                f"{label}, {level}: from {point.threshold:.4f} on, {point.false_per_hour:.3g} false an hour (asked: "
                f"{point.rate_per_hour:.3g}){finds}"
            )
    for what, why in points.refused.items():
        say(f"{what}: no point: {why}")
    if (sets := points.sets) is not None:
        fewest = fewest_seconds(sets.coverage)
        for label, least in sets.least.items():
            many = f"plausible from {least:.4f} on" if least else f"always plausible, needs {fewest} s"
            say(f"{label}: {many} ({sets.seconds[label]} s of it, coverage {sets.coverage:.3g})")
    for level, passes in points.coarse.items():
        for each in passes.values():
            kept = f"{each.same:.2%} of the seconds are the same"
            kept += "" if each.detected is None else f", {each.detected:.1%} of the events are found"
            say(f"first pass at {each.step} s, {level}: asks about {each.asked:.0%} of the seconds; {kept}")


@click.command("operating-points", cls=Command, clone=False)
@click.option("--predictions", type=PATH, required=True, help="Results of eeg predict on validation recordings.")
@click.option("--reference", type=PATH, required=True, help="Folder of their true events, as for eeg score.")
@click.option(
    "--rates",
    cls=SeveralOption,
    metavar="CLASS=N/h",
    help="False detections of each class, e.g. spsw=9/h seizure=1/day.",
)
@click.option("--rename", cls=SeveralOption, metavar="OTHER=CLASS", help="Labels of the reference called otherwise.")
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="Share of the seconds of each class whose prediction set shall hold the class.",
)
@click.option("--out", type=PATH, default="operating_points.json", show_default=True, help="File to write, .json.")
def command(
    predictions: Path, reference: Path, rates: tuple[str, ...], rename: tuple[str, ...], coverage: float, out: Path
) -> None:
    """Choose from which probability on a second counts as an event, for a stated rate of false detections.

    Take recordings that trained nothing, and that no score is told of: the validation split. For each class of --rates
    (default: 9 an hour for spikes and periodic discharges, 1 a day for seizures) the threshold is chosen at medium
    sensitivity, at a third of the rate (low) and three times it (high). A rate needs 3 / rate hours without events of
    the class; where there are fewer, the class has no point at that sensitivity, and what the recordings allow is said.
    The file also says from which probability on a class is plausible, so that of the seconds of each class the share
    --coverage has it among the plausible ones; events with more than one plausible class are marked as unsure.
    It also says which first passes at coarser steps lose little, for `eeg predict --coarse`.
    The file is for `eeg predict --operating-points`, which takes it with this very model alone.
    """
    from eegdiffusion.core.runtime.errors import InputError

    if out.suffix != ".json":
        raise InputError(f"--out: must end with .json (found {out})")
    for option, folder in (("--reference", reference), ("--predictions", predictions)):
        if not folder.is_dir():
            raise InputError(f"{option}: must be a folder (found {folder})")
    with loading_modules():
        from eegdiffusion.commands.score import renamed_labels
        from eegdiffusion.core.runtime.files import written_whole
        from eegdiffusion.events.prediction.prediction_sets import calibrate_sets
        from eegdiffusion.events.prediction.sensitivity import OperatingPoints
        from eegdiffusion.events.scoring.coarse_choice import coarse_passes
        from eegdiffusion.events.scoring.operating_points import choose_points, points_by_level
        from eegdiffusion.events.scoring.predicted_seconds import read_predicted_seconds
    read = read_predicted_seconds(predictions, reference, renamed_labels(rename))
    wanted = _wanted(rates, read.classes)
    chosen = {label: choose_points(read.of_class(label), rate) for label, rate in wanted.items()}
    levels, refused = points_by_level(chosen)
    sets = calibrate_sets(*read.labelled(), coverage)
    coarse = coarse_passes(*read.pieces(), levels)
    points = OperatingPoints(read.model, read.model_id, levels, refused, sets, coarse)
    say(f"{read.model}: {len(read.recordings)} recordings, {read.hours:.3g} h")
    _say_points(points)
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(out) as (part,):
        part.write_text(json.dumps(points.document(), indent=2))
    say(out)
    if not any(levels.values()):
        raise InputError(f"{predictions}: recordings: must allow one operating point or more (found none; see above)")
