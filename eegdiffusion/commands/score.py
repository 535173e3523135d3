"""Score predicted events against a reference: ``eeg score``."""

from dataclasses import replace
from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Choice, Command, SeveralOption
from eegdiffusion.core.runtime.loading import loading_modules
from eegdiffusion.core.runtime.printable import say

RULES = ("szcore", "overlap")
SECONDS = click.FloatRange(0)


def renamed_labels(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return what labels stand for, in lower case, from ``OTHER=CLASS``.

    Raises:
        InputError: a pair is written otherwise.
    """
    from eegdiffusion.core.runtime.errors import InputError

    names = {}
    for pair in pairs:
        other, separator, label = pair.lower().partition("=")
        if not (other and separator and label):
            raise InputError(f"--rename: must be OTHER=CLASS (found {pair!r})")
        names[other] = label
    return names


@click.command("score", cls=Command, clone=False)
@click.option("--reference", type=PATH, required=True, help="Folder of the true events.")
@click.option("--predictions", type=PATH, required=True, help="Folder of predicted events, e.g. of eeg predict.")
@click.option("--rule", type=Choice(RULES), default="szcore", show_default=True, help="When an event is found.")
@click.option("--tolerance-start", type=SECONDS, help="Seconds before an event in which a prediction finds it.")
@click.option("--tolerance-end", type=SECONDS, help="Seconds after an event in which a prediction finds it.")
@click.option("--shortest-gap", type=SECONDS, help="Events that are closer, in seconds, are one.")
@click.option("--longest", type=click.FloatRange(1), help="Longer events, in seconds, are several.")
@click.option("--rename", cls=SeveralOption, metavar="OTHER=CLASS", help="Labels called otherwise, e.g. seiz=sz.")
@click.option("--out", type=PATH, help="Table to write, .csv: all rows, with those of each subject.")
def command(
    reference: Path,
    predictions: Path,
    rule: str,
    tolerance_start: float | None,
    tolerance_end: float | None,
    shortest_gap: float | None,
    longest: float | None,
    rename: tuple[str, ...],
    out: Path | None,
) -> None:
    """Score predicted events against a reference's, by events and by seconds.

    Both folders hold a file for each recording, at the same place: tables of `eeg predict`, BIDS's or SzCORE's .tsv,
    TUH's .csv_bi and .csv, TUEV's .rec, or EDF+ annotations. Prints sensitivity, precision, F1 and false detections,
    means over subjects with 95 % intervals. The counts are those of the package timescoring. `szcore` finds an event
    from 30 s before to 60 s after it, joins events closer than 90 s and splits those longer than 5 min; `overlap` takes
    events as they are, for spikes and the like. A stretch without a prediction counts as none.

    Exit status: 0 if all recordings are scored; 65 if some cannot be: the others are scored all the same.
    """
    from eegdiffusion.core.runtime.errors import InputError

    if out is not None and out.suffix != ".csv":
        raise InputError(f"--out: must end with .csv (found {out})")
    for option, folder in (("--reference", reference), ("--predictions", predictions)):
        if not folder.is_dir():
            raise InputError(f"{option}: must be a folder (found {folder})")
    names = renamed_labels(rename)
    with loading_modules():
        from eegdiffusion.core.storage.spreadsheet import write_table
        from eegdiffusion.events.scoring.event_scores import ALL, METRICS, OVERLAP, EventRule, score_table
        from eegdiffusion.events.scoring.scored_folder import score_folders
    chosen = {
        "tolerance_start_s": tolerance_start,
        "tolerance_end_s": tolerance_end,
        "shortest_gap_s": shortest_gap,
        "longest_s": longest,
    }
    base = EventRule() if rule == "szcore" else OVERLAP
    scored = score_folders(
        reference,
        predictions,
        replace(base, **{name: value for name, value in chosen.items() if value is not None}),
        names,
    )
    table = score_table(scored.counts)
    for (label, unit), rows in table.groupby(["class", "unit"], sort=False):
        whole = rows[rows["subject"] == ALL].iloc[0]
        say(
            f"{label}, by {unit}: {whole['detected']} of {whole['reference']} found, {whole['false']} false in "
            f"{whole['hours']:.3g} h of {whole['recordings']} recordings, {len(rows) - 1} subjects"
        )
        for metric in METRICS:
            ends = [whole.get(f"{metric}_{end}", float("nan")) for end in ("low", "high")]
            interval = f"   ({ends[0]:.4g} to {ends[1]:.4g})" if ends[0] == ends[0] else ""
            say(f"  {metric.replace('_', ' '):<16}{whole[metric]:>9.4g}{interval}")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_table(out, table)
        say(out)
    if scored.refused:
        listed = "\n".join(scored.refused)
        raise InputError(f"{len(scored.refused)} recordings are not scored, {len(scored.recordings)} are:\n{listed}")
