"""Write recordings without what identifies their patients: ``eeg deidentify``."""

from pathlib import Path

import click

from eegdiffusion.commands.command_line import PATH, Command


@click.command("deidentify", cls=Command, clone=False)
@click.argument("source", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder to write.")
@click.option("--key", type=PATH, required=True, help="File that says what stands for whom (0600); keep it apart.")
@click.option("--keep-text", type=PATH, help="File of labels and annotations that may stay, one a line.")
def command(source: Path, out: Path, key: Path, keep_text: Path | None) -> None:
    """Write SOURCE, a recording or a folder of them, without what identifies its patients.

    EDF, BDF, BrainVision (.vhdr) and FIF, with TUEV's .rec files and BIDS's tables of events and channels. Names, codes
    and birth dates go, dates are shifted back by a secret number of days of each subject, files and folders get new
    names, and free text becomes a code; signals keep every bit. OUT/deidentification.csv says what was changed in each
    recording. docs/deidentify.md lists every field. The same command with the same key goes on where it stopped.

    Exit status: 0 if all is done; 65 if some recordings were refused: the others are done all the same.
    """
    from eegdiffusion.core.deidentification.folder import REPORT, Deidentified, deidentify
    from eegdiffusion.core.deidentification.subject_key import open_key
    from eegdiffusion.core.runtime.errors import InputError
    from eegdiffusion.core.runtime.printable import say

    allowed = _lines(keep_text) if keep_text else []
    done = Deidentified()
    for path, done in deidentify(source, out, open_key(key), allowed):
        if path in done.refused:
            say(f"refused: {done.refused[path]}")
    for path in done.left_out:
        say(f"left out: {path}: is no recording, nor a table that is known")
    kept = f" ({done.kept} were there already)" if done.kept else ""
    say(f"{len(done.changes) + done.kept} recordings are done{kept}: {out / REPORT}; the key: {key}")
    if done.refused:
        raise InputError(f"{source}: {len(done.refused)} recordings were refused")


def _lines(path: Path) -> list[str]:
    from eegdiffusion.core.runtime.errors import InputError

    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--keep-text: {path}: must be a text file ({error})") from error
