"""Predictions of a folder second by second, beside the true events of the same recordings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_files import read_json
from eegdiffusion.events.prediction.event_list import background_class
from eegdiffusion.events.prediction.second_probabilities import ONSET, read_second_probabilities
from eegdiffusion.events.scoring.event_tables import (
    NO_EVENT,
    EventTable,
    find_event_tables,
    find_predictions,
    read_label,
)
from eegdiffusion.events.scoring.operating_points import ScoredSeconds
from eegdiffusion.events.scoring.scored_folder import read_pair


@dataclass(frozen=True)
class PredictedSeconds:
    """Probabilities and true events of several recordings.

    Attributes:
        model: what the model is called.
        model_id: its identifier.
        classes: its classes but background, in lower case.
        recordings: name of each recording -> its probabilities, with columns in lower case, and its true events.
    """

    model: str
    model_id: str
    classes: set[str]
    recordings: dict[str, tuple[pandas.DataFrame, EventTable]]

    @property
    def hours(self) -> float:
        """Hours that have a prediction."""
        return sum(int(table.notna().all(axis=1).sum()) for table, _ in self.recordings.values()) / 3600

    def of_class(self, label: str) -> list[ScoredSeconds]:
        """Return the seconds of one class in each recording."""
        return [
            ScoredSeconds(
                table[ONSET].to_numpy(np.float64),
                table[label].to_numpy(np.float64),
                [span for span in truth.spans if span.value == read_label(label)],
            )
            for table, truth in self.recordings.values()
        ]

    def pieces(self) -> tuple[list[np.ndarray], list[str]]:
        """Return the probabilities of each piece without a pause, (seconds, classes), and the classes."""
        pieces, names = [], list[str]()
        for table, _ in self.recordings.values():
            names = [name for name in table if name != ONSET]
            pauses = np.flatnonzero(np.diff(table[ONSET].to_numpy(np.float64)) > 1.5) + 1
            pieces += np.split(table[names].to_numpy(np.float64), pauses)
        return pieces, names

    def labelled(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        """Return the seconds that are of one class, (seconds, classes), the position of that class, and the classes.

        A second is of the class of an event that takes half of it or more, or that lies in it; of background where no
        event touches it. Seconds in between, of two classes, or without a prediction are left out; so is background
        where the model has no such class.
        """
        probabilities, labels, names = [], [], list[str]()
        for table, truth in self.recordings.values():
            names = [name for name in table if name != ONSET]
            background = background_class(names)
            onset_s = table[ONSET].to_numpy(np.float64)
            half = np.zeros((len(table), len(names)), bool)
            touched = np.zeros(len(table), bool)
            for span in truth.spans:
                shared = np.minimum(span.stop_s, onset_s + 1) - np.maximum(span.start_s, onset_s)
                inside = (span.start_s >= onset_s) & (span.stop_s <= onset_s + 1)
                touched |= (shared > 0) | inside
                for k, name in enumerate(names):
                    if read_label(name) == span.value:
                        half[:, k] |= (shared >= 0.5) | inside
            if background in names:
                half[~touched, names.index(background)] = True
            values = table[names].to_numpy(np.float64)
            kept = (half.sum(axis=1) == 1) & np.isfinite(values).all(axis=1)
            probabilities.append(values[kept])
            labels.append(half[kept].argmax(axis=1))
        return np.concatenate(probabilities), np.concatenate(labels), names


def read_predicted_seconds(
    predictions: Path, reference: Path, rename: Mapping[str, str] | None = None
) -> PredictedSeconds:
    """Read the results of ``eeg predict`` below a folder with the reference's events.

    Raises:
        InputError: a recording lacks its reference or its probabilities, they do not go together, or several models
            predicted them.
    """
    tables, references = find_predictions(predictions), find_event_tables(reference)
    read, models = {}, {}
    for name, path in tables.items():
        if name not in references:
            raise InputError(f"{path}: recording: must have a reference below {reference} (found none)")
        seconds, said = path.with_suffix(".parquet"), path.with_suffix(".json")
        for file in (seconds, said):
            if not file.is_file():
                raise InputError(f"{file}: no such file, which eeg predict writes beside {path.name}; predict it anew")
        document = read_json(said)
        if not isinstance(document, dict) or "model_id" not in document:
            raise InputError(f"{said}: model_id: is missing; predict the recording anew")
        if document.get("first_pass"):
            raise InputError(f"{said}: first_pass: must be null, as of every second; predict it without --coarse")
        models[document["model_id"]] = (document.get("model", ""), path)
        table = read_second_probabilities(seconds)
        table.columns = [str(column).lower() for column in table]
        if not table.columns.is_unique:
            raise InputError(f"{seconds}: columns: must differ by more than upper case (found {', '.join(table)})")
        read[name] = table, read_pair(references[name], path, rename)[0]
    if len(models) > 1:
        listed = " and ".join(f"{path} by {model}" for model, path in models.values())
        raise InputError(f"{predictions}: model: must be one for all recordings (found {listed})")
    ((model_id, (model, _)),) = models.items()
    columns = {tuple(table) for table, _ in read.values()}
    classes = set(columns.pop()) - NO_EVENT - {ONSET}
    return PredictedSeconds(model, model_id, classes, read)
