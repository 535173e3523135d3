"""What SzCORE runs: the seizures of ``/data/$INPUT``, an EDF file, as a table ``/output/$OUTPUT``.

``detect.py DATA OUTPUT REGISTERED`` does the same for other folders. REGISTERED holds the files of a model of seizures
in ``model``, and may hold its operating points in ``operating_points.json``.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

BAD_INPUT = 65


def place(variable: str, folder: Path) -> Path:
    """Return the file that an environment variable names, below a folder.

    Raises:
        SystemExit: it names none, or one elsewhere.
    """
    name = os.environ.get(variable, "")
    path = folder / name
    if not name or not path.resolve().is_relative_to(folder.resolve()) or path.is_dir():
        print(f"{variable}: must name a file below {folder} (found {name!r})", file=sys.stderr)
        raise SystemExit(BAD_INPUT)
    return path


def main(data: Path, output: Path, registered: Path) -> int:
    """Detect the seizures of one recording; return the exit status of ``eeg predict``, whose message is on stderr."""
    recording, table = place("INPUT", data), place("OUTPUT", output)
    words = ["predict", str(recording), "--tsv", "szcore", "--model", str(registered / "model")]
    points = registered / "operating_points.json"
    if points.is_file():
        words += ["--operating-points", str(points)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "recording.csv")
        done = subprocess.run([sys.executable, "-m", "eegdiffusion.commands", *words, "--out", str(out)])
        if done.returncode == 0:
            table.parent.mkdir(parents=True, exist_ok=True)
            # Into a file that may be there already: SzCORE makes it, in a folder that is not this user's.
            table.write_text(out.with_name("recording_events.tsv").read_text())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
