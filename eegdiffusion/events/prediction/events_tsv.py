"""Events of a recording as tab-separated tables of others: BIDS's ``events.tsv`` with its sidecar, and SzCORE's."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas

from eegdiffusion.core.recordings.edf_header import has_date
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.events.prediction.event_list import CHANNELS, FOCUS, SEPARATOR, UNSURE, UNUSABLE

Standard = Literal["bids", "szcore"]

SEIZURES = ("seizure", "sz", "seiz")
"""Names of the class that SzCORE scores."""

SZCORE = ("onset", "duration", "eventType", "confidence", "channels", "dateTime", "recordingDuration")
"""Columns of SzCORE's table."""

HED_VERSION = "score_2.1.0"
"""HED schema of the tags: the library SCORE, partnered with the standard one."""

HED = {
    "spsw": "Data-feature, Spike-and-slow-wave",
    "gped": "Data-feature, Generalized-periodic-discharges",
    "pled": "Data-feature, Lateralized-periodic-discharges",
    "eyem": "Data-feature, Eye-movement-artifact",
    "artf": "Data-feature, Data-artifact",
    **dict.fromkeys(SEIZURES, "Data-feature, Epileptic-seizure"),
}
"""Class, in lower case -> HED tags, as Attia et al. (HED-SCORE) translate the labels of the TUH corpora."""

_EEG = "_eeg"


def events_name(results: Path) -> Path:
    """Return what the table of a recording's events is called, ``<recording>_events``, from the name of its results."""
    return results.with_name(f"{results.name.removesuffix(_EEG)}_events")


def bids_table(events: pandas.DataFrame) -> str:
    """Write events as BIDS's ``events.tsv``, with the column ``trial_type``; stretches without a prediction too.

    Args:
        events: ``onset``, ``duration`` in seconds, ``label``, ``probability``, and the columns that name channels.
    """
    table = events.rename(columns={"label": "trial_type", CHANNELS: "channel"}).replace("", "n/a")
    return table.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%.10g", lineterminator="\n")


def bids_sidecar(classes: Sequence[str], background: str, model: str, coverage: float | None = None) -> str:
    """Describe the columns of BIDS's ``events.tsv`` as JSON, with HED tags of the classes that SCORE has terms for.

    Args:
        classes: names of the model's classes.
        background: the one that is no event.
        model: what the model is called.
        coverage: of the prediction sets by which events are unsure; None where there are none.
    """
    levels = {name: f"events of the class {name}" for name in classes if name != background}
    document: dict[str, object] = {
        "trial_type": {
            "Description": f"Class of the event, predicted by {model}",
            "HED": {name: HED[name.lower()] for name in levels if name.lower() in HED},
            "Levels": levels | {UNUSABLE: "no prediction: channels are constant or clipped, or nothing was recorded"},
        },
        "probability": {"Description": "Mean probability of the class over the seconds of the event, from 0 to 1"},
        "channel": {
            "Description": "Derivations that carry the event, the strongest first: what they add to its log-odds",
            "Delimiter": SEPARATOR,
        },
        FOCUS: {"Description": "Electrode whose derivations carry the event most, or generalised"},
    }
    if coverage is not None:
        document[UNSURE] = {
            "Description": f"Other plausible classes, by prediction sets of coverage {coverage:g}; n/a for none",
            "Delimiter": SEPARATOR,
        }
    return json.dumps(document, indent=2)


def require_seizures(classes: Sequence[str]) -> str:
    """Return the class of seizures.

    Raises:
        InputError: the model has none.
    """
    seizure = next((name for name in classes if name.lower() in SEIZURES), None)
    if seizure is None:
        raise InputError(
            f"--tsv szcore: the model must have a class {' or '.join(SEIZURES)} (found {', '.join(classes)})"
        )
    return seizure


def szcore_table(events: pandas.DataFrame, seizure: str, start: datetime | None, duration_s: float) -> str:
    """Write seizures as SzCORE's table; a recording without one has one row of background.

    Args:
        events: ``onset``, ``duration`` in seconds, ``label``, ``probability``, ``channels``.
        seizure: label of the seizures; other events are left out, as SzCORE has no type for them.
        start: clock at the recording's first sample, if it is known.
        duration_s: seconds of the recording.
    """
    seizures = events[events["label"] == seizure]
    rows = [
        (event.onset, event.duration, "sz", event.probability, event.channels or "n/a")
        for event in seizures.itertuples()
    ]
    clock = f"{start:%Y-%m-%d %H:%M:%S}" if start is not None and has_date(start) else "n/a"
    table = pandas.DataFrame(
        [(*row, clock, duration_s) for row in rows or [(0.0, duration_s, "bckg", float("nan"), "n/a")]], columns=SZCORE
    )
    return table.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%.10g", lineterminator="\n")
