"""All recordings below a folder, some of which may be done already; none of them ends the others."""

import contextlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from eegdiffusion.core.recordings.electrode_recording import open_recording
from eegdiffusion.core.recordings.recording_copies import files_of
from eegdiffusion.core.runtime.errors import InputError, UnavailableError
from eegdiffusion.core.runtime.printable import encodable, printable
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.events.prediction.bids_derivative import is_dataset, require_derivative, write_derivative
from eegdiffusion.events.prediction.event_list import background_class
from eegdiffusion.events.prediction.events_tsv import Standard
from eegdiffusion.events.prediction.folder_contents import FolderContents, look_into
from eegdiffusion.events.prediction.output_folder import one_at_a_time, require_folder_outside
from eegdiffusion.events.prediction.prediction import BIDS, Classifier, output_paths, predict, results_of
from eegdiffusion.events.prediction.recordings_list import LIST, agrees, number_of, read_list, write_list
from eegdiffusion.events.prediction.result_names import result_names

Row = dict[str, object]
"""A row of the list, by the names of its columns."""

DONE, DUPLICATE, LEFT_OUT, REFUSED, FAILED = "done", "duplicate", "left out", "refused", "failed"

NUMBERS = ("duration_s", "unusable_s", "threshold", "bytes", "changed")


@dataclass(frozen=True)
class _Work:
    """Where recordings lie and their results go, and by which model.

    Attributes:
        folder, out: of the recordings, of the results.
        classifier: the model.
        contents: what lies below the folder.
        names: name of each recording's results, without ending.
        rows: the list as far as it goes.
        page: whether a page to read each recording on is written.
        tsv: whose table of events is written as well.
    """

    folder: Path
    out: Path
    classifier: Classifier
    contents: FolderContents
    names: Mapping[Path, Path]
    rows: dict[Path, Row]
    page: bool
    tsv: Standard | None

    def outputs(self, path: Path) -> dict[str, Path]:
        """Return the files of a recording's results, by their endings."""
        return output_paths(self.out / self.names[path], self.page, self.tsv)

    def state(self, path: Path) -> Row:
        """Return what a recording's results depend on: its files, the model and how it is asked."""
        parts = [self.folder / part for part, first in self.contents.parts.items() if first == path]
        status = [file.stat() for file in {*files_of(self.folder / path), *parts}]
        files = {"bytes": sum(s.st_size for s in status), "changed": max(s.st_mtime_ns for s in status)}
        return files | {
            "model": self.classifier.model_id,
            "threshold": self.classifier.threshold,
            "sensitivity": self.classifier.sensitivity,
            "rename": " ".join(f"{other}={name}" for other, name in sorted(self.classifier.rename.items())),
        }

    def notes(self, path: Path) -> list[str]:
        """Return what is to be said of a recording beside others."""
        other = self.contents.alike.get(path)
        what = "has the samples of {}, under another header: its events count twice if it is a copy"
        return [what.format(other.as_posix())] if other else []

    def copied(self, path: Path) -> str | None:
        """Return how a recording is the same as another that is done; None where it stands for itself."""
        copy = self.contents.copies.get(path)
        return copy.how if copy and self.rows.get(copy.of, {}).get("status") == DONE else None


def predict_all(
    folder: Path, out: Path, classifier: Classifier, page: bool = False, tsv: Standard | None = None
) -> None:
    """Predict every recording below a folder; those that cannot be are listed with the reason, and the others go on.

    ``recordings.csv`` in the folder of the results has a row for each, with its status: ``done``; ``duplicate``, done
    too, of the same samples as another; ``left out``, such as the further parts of a split recording; ``refused``, for
    what is wrong with the file; ``failed``, for what went wrong with the program or the machine. What is done, of the
    same file by the same model and settings, is not done again. Of a BIDS dataset the tables in BIDS's words
    are a derivative, which says so.

    Args:
        folder: where the recordings are.
        out: where the results go.
        classifier: the model.
        page: whether a page to read each recording on is written.
        tsv: whose table of events is written as well.

    Raises:
        InputError: some recordings were refused or failed, or the folders do not go together.
    """
    require_folder_outside(out, folder)
    as_derivative = tsv == BIDS and is_dataset(folder)
    if as_derivative:
        require_derivative(out)
    with one_at_a_time(out):
        if as_derivative:
            write_derivative(out, folder, classifier.name)
        kept = _kept_rows(out / LIST, folder)
        contents = look_into(folder)
        rows: dict[Path, Row] = {path: _row(path, LEFT_OUT, why) for path, why in contents.left_out.items()}
        rows |= {path: _row(path, REFUSED, f"{path}: {why}") for path, why in contents.unreachable.items()}
        _say_rows(rows)
        if not contents.endings and not contents.unreachable:
            raise InputError(f"{folder}: folder: must hold recordings that can be read (found none{_listed(rows)})")
        _predict_rows(rows, contents, kept, folder, out, classifier, page, tsv)
    _summarise(rows, out / LIST)


def _listed(rows: Mapping[Path, Row]) -> str:
    return "".join(f"; {row['recording']} {row['message']}" for row in rows.values())


def _row(path: Path, status: str, message: object = "") -> Row:
    return {"recording": printable(path.as_posix()), "status": status, "message": printable(message)}


def _kept_rows(path: Path, folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of an earlier run by recording; a file that is no list of recordings is put aside.

    Raises:
        InputError: the list is of the recordings of another folder, or is no file that can be read.
    """
    if not path.exists():
        return {}
    aside = path.with_name("recordings-unread.csv")
    try:
        rows = read_list(path)
        if rows is None:
            shutil.copy(path, aside)
    except OSError as error:
        raise InputError(f"{path}: must be the list of recordings that can be read ({error.strerror})") from error
    if rows is None:
        _say(f"{path}: cannot be read as a list of recordings; it is kept as {aside}, and all recordings are done anew")
        return {}
    here = printable(folder.resolve())
    for other in {row.get("folder", "") for row in rows} - {"", here}:
        if os.path.isdir(other):  # of whatever a cell holds
            raise InputError(f"--out: {path.parent} holds the results of {other}; choose another folder")
    return {row["recording"]: row for row in rows if "recording" in row}


def _predict_rows(
    rows: dict[Path, Row],
    contents: FolderContents,
    kept: Mapping[str, dict[str, str]],
    folder: Path,
    out: Path,
    classifier: Classifier,
    page: bool,
    tsv: Standard | None,
) -> None:
    earlier = {path: kept[key] for path in contents.endings if (key := printable(path.as_posix())) in kept}
    finished = {path: row for path, row in earlier.items() if row.get("status") in (DONE, DUPLICATE)}
    classes = _event_classes(classifier)
    names = result_names(contents.endings, {path: row.get("results", "") for path, row in finished.items()})
    rows |= {path: _with_numbers(row, classes) for path, row in finished.items()}
    work = _Work(folder, out, classifier, contents, names, rows, page, tsv)
    # Copies come after what they are copies of, and what failed, or ended the program, after what did not.
    failed = {path for path, row in earlier.items() if row.get("status") == FAILED}
    order = sorted(contents.endings, key=lambda path: (path in contents.copies, path in failed))
    with progress(order, desc="recordings", unit="recording") as bar:
        for path in bar:
            if path in finished and _is_finished(path, finished[path], work):
                continue
            rows[path] = _row(path, FAILED, f"{path}: the program ended while it read or predicted this recording")
            _write(out / LIST, rows, folder, classes)
            rows[path] = _attempt(path, work)
    _write(out / LIST, rows, folder, classes, last=True)


def _event_classes(classifier: Classifier) -> list[str]:
    classes = classifier.preprocessing.classes
    return [name for name in classes if name != background_class(classes)]


def _with_numbers(row: Mapping[str, str], classes: list[str]) -> Row:
    """Return a row whose numbers are written as this program writes them."""
    return {name: number_of(cell) if name in (*NUMBERS, *classes) and cell else cell for name, cell in row.items()}


def _is_finished(path: Path, row: Mapping[str, str], work: _Work) -> bool:
    try:
        expected = work.state(path) | {"results": printable(work.names[path])}
        expected["status"] = DUPLICATE if work.copied(path) else DONE
        return agrees(row, expected) and all(file.is_file() for file in work.outputs(path).values())
    except OSError:
        return False


def _attempt(path: Path, work: _Work) -> Row:
    """Predict one recording and return its row, whatever happens."""
    outputs = work.outputs(path)
    earlier = results_of(outputs)
    try:
        state = work.state(path)
        _require_own_place(outputs, work)
        prediction = predict(open_recording(work.folder / path, work.classifier.rename), outputs, work.classifier)
    except Exception as error:
        for file in earlier:  # of a recording that could be used before
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
        explained = isinstance(error, InputError | UnavailableError)
        message = error if explained else f"{path}: {type(error).__name__}: {error}"
        _say(message)
        return _row(path, REFUSED if isinstance(error, InputError) else FAILED, message)
    _say(f"{path}: {prediction}")
    results = state | {"results": printable(work.names[path])}
    if copied := work.copied(path):  # its numbers are counted once, with the other's
        _say(f"{path}: {copied}")
        return _row(path, DUPLICATE, copied) | results
    counts = prediction.events["label"].value_counts()
    row = (
        _row(path, DONE, "; ".join([*prediction.notes, *work.notes(path)]))
        | results
        | {name: int(counts.get(name, 0)) for name in _event_classes(work.classifier)}
    )
    return row | {"duration_s": prediction.duration_s, "unusable_s": prediction.unusable_s}


def _require_own_place(outputs: Mapping[str, Path], work: _Work) -> None:
    """Refuse a recording whose results would take the place of the list, or lie among the recordings."""
    place = outputs["csv"].parent
    if place.resolve().is_relative_to(work.folder.resolve()):
        raise InputError(f"{place}: results: must not lie among the recordings; choose another --out")
    if work.out / LIST in place.parents or place == work.out / LIST:
        raise InputError(f"{place}: results: must not take the place of the list; give the folder another name")


def _write(path: Path, rows: Mapping[Path, Row], folder: Path, classes: list[str], last: bool = False) -> None:
    """Write the list; where that fails in between, as on a full disk, the recordings go on all the same."""
    columns = ["recording", "status", "message", "duration_s", "unusable_s", *classes, "results"]
    columns += ["model", "threshold", "sensitivity", "rename", "bytes", "changed", "folder"]
    here = {"folder": printable(folder.resolve())}
    try:
        write_list(path, [rows[name] | here for name in sorted(rows)], columns)
    except UnavailableError:
        if last:
            raise


def _say(text: object) -> None:
    tqdm.write(encodable(text, sys.stdout))


def _say_rows(rows: Mapping[Path, Row]) -> None:
    for path, row in sorted(rows.items()):
        _say(f"{row['status']}: {path}: {row['message']}" if row["status"] == LEFT_OUT else row["message"])


def _summarise(rows: Mapping[Path, Row], path: Path) -> None:
    """Print how many recordings are done; raise an error if some are not."""
    times = Counter(row["status"] for row in rows.values())
    total = len(rows) - times[LEFT_OUT]
    notes = {"of them twice": times[DUPLICATE], "files left out": times[LEFT_OUT]}
    listed = ", ".join(f"{count} {what}" for what, count in notes.items() if count)
    _say(f"{times[DONE] + times[DUPLICATE]} of {total} recordings are done{listed and f' ({listed})'}: {path}")
    bad = {"were refused": times[REFUSED], "failed": times[FAILED]}
    if any(bad.values()):
        counted = " and ".join(f"{count} of {total} recordings {what}" for what, count in bad.items() if count)
        raise InputError(f"{counted}, listed in {path}")
