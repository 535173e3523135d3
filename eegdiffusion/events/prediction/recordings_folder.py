"""All recordings below a folder, some of which may be done already."""

from collections import Counter
from pathlib import Path

import pandas
from tqdm import tqdm

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.files import written_whole
from eegdiffusion.events.corpora.tuev import BACKGROUND
from eegdiffusion.events.prediction.prediction import ENDINGS, Classifier, predict
from eegdiffusion.events.prediction.recording import ending_of, read_recording

SUMMARY = "recordings.csv"


def find_recordings(folder: Path) -> dict[Path, Path]:
    """Return the recordings below a folder, and the name of each one's results, without ending; both relative.

    Results are called like the recording, ending included where names differ in nothing else.
    """
    names = {}
    for path in sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file()):
        if (ending := ending_of(path)) and not path.name.startswith("."):
            names[path] = path.with_name(path.name[: -len(ending)])
    if not names:
        raise InputError(f"{folder}: folder: must hold recordings that can be read (found none)")
    times = Counter(names.values())
    return {path: name if times[name] == 1 else path for path, name in names.items()}


def _outputs(out: Path, name: Path) -> dict[str, Path]:
    return {ending: out / name.with_name(f"{name.name}.{ending}") for ending in ENDINGS}


def predict_all(folder: Path, out: Path, classifier: Classifier) -> None:
    """Predict every recording below a folder; refused ones are told and listed, and the others go on.

    ``recordings.csv`` in the folder of the results has a row for each. What it says is done, of the same file by the
    same model and settings, is not done again.

    Raises:
        InputError: some recordings were refused, or the folders do not go together.
    """
    if out.suffix == ".csv" or out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"--out: must be a folder outside {folder}, which is one (found {out})")
    out.mkdir(parents=True, exist_ok=True)
    settings = {
        "model": classifier.model.metadata.model_uuid,
        "threshold": classifier.threshold,
        "rename": " ".join(f"{other}={name}" for other, name in sorted(classifier.rename.items())),
    }
    finished: dict[str, dict] = {}
    if (out / SUMMARY).is_file():
        kept = pandas.read_csv(out / SUMMARY, dtype={"model": str, "rename": str}).fillna({"rename": ""})
        finished = {row["recording"]: row for row in kept.to_dict("records") if row["status"] == "done"}
    recordings = find_recordings(folder)
    rows = {name: finished[name] for name in map(Path.as_posix, recordings) if name in finished}
    refused = 0
    with tqdm(recordings.items(), desc="recordings", unit="recording") as bar:
        for path, name in bar:
            outputs, status = _outputs(out, name), (folder / path).stat()
            made_from = {"bytes": status.st_size, "changed": status.st_mtime_ns} | settings
            row = finished.get(path.as_posix(), {})
            if made_from.items() <= row.items() and all(file.is_file() for file in outputs.values()):
                continue
            row = {"recording": path.as_posix(), "status": "done"}
            try:
                prediction = predict(read_recording(folder / path, classifier.rename), outputs, classifier)
                numbers = {"duration_s": prediction.duration_s, "unusable_s": prediction.unusable_s}
                row |= numbers | prediction.events["label"].value_counts().to_dict()
                tqdm.write(f"{path}: {prediction}")
            except InputError as error:
                refused += 1
                row |= {"status": "refused", "message": str(error)}
                for file in outputs.values():  # of a recording that could be used before
                    file.unlink(missing_ok=True)
                tqdm.write(str(error))
            rows[path.as_posix()] = row | made_from
            _write(out / SUMMARY, rows, [name for name in classifier.preprocessing.classes if name != BACKGROUND])
    print(f"{len(recordings) - refused} of {len(recordings)} recordings are done: {out / SUMMARY}")
    if refused:
        raise InputError(f"{refused} of {len(recordings)} recordings were refused, listed in {out / SUMMARY}")


def _write(path: Path, rows: dict[str, dict], classes: list[str]) -> None:
    columns = ["recording", "status", "message", "duration_s", "unusable_s", *classes]
    columns += ["model", "threshold", "rename", "bytes", "changed"]
    table = pandas.DataFrame([rows[name] for name in sorted(rows)], columns=columns)
    counted = table["status"] == "done"
    table.loc[counted, classes] = table.loc[counted, classes].fillna(0)
    table = table.astype({name: "Int64" for name in classes})
    with written_whole(path) as (part,):
        table.to_csv(part, index=False)
