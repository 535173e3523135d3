"""What each channel of a recording is: by its table ``channels.tsv`` where there is one, else by its name.

Types and columns are those of EEG-BIDS (Pernet et al., Scientific Data 2019).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.text_files import read_tsv

_KINDS = {
    "EOG": r"[HV]?EOG|[HV]EO|[LR]EOG|EOG[HVLR]?|[LR]OC|IO[12]|LO[12]|SO[12]|EYE|PUPIL|GAZE",
    "ECG": r"ECG|EKG|CARDIO",
    "EMG": r"EMG|CHIN|L?LEG|RLEG|[LR]?TIB|[LR]AT|MASS|PLM[LR]?",
    "GSR": r"GSR|EDA|SC[RL]|SKIN",
    "TEMP": r"TEMP(?:ERATURE)?|SKT",
    "RESP": (
        r"RESP(?:IRATION)?|BREATH|FLOW|AIRFLOW|NASAL|THOR(?:AX|RES)?|ABDO?(?:MEN|RES)?|CHEST|BELT|SNOR(?:E|ING)?|CPAP"
        r"|(?:ET)?CO2"
    ),
    "PPG": r"PLE?T|PLETH|PPG|BVP|[ST]PO2|SAO2|O?SAT|PULSE|PULSE ?RATE|HEART ?RATE|BPM|PR|HR|RR|BP|IBI",
    "TRIG": r"TRIG(?:GER)?|TRG|TTL|DIN|STIM?|MKR|STATUS|MARK(?:ER)?|MRK|MK|DIGITAL|EVENT|SYNC|BUTTON|ANNOTATIONS?",
    "AUDIO": r"AUDIO|SOUND|MIC|MICROPHONE",
    "ACCEL": r"ACC|ACCEL|ACCELEROMETER",
    "GYRO": r"GYR|GYRO",
    "REF": r"REF|CMS|DRL|GND|GROUND",
    "MISC": (
        r"EXG?|AUX|MISC|DC|BIP|ERG|PHOTIC|PHOTO|PHOTODIODE|PHO|DIODE|LIGHT|COUNTER|TIMESTAMP|TIME|BATTERY|BAT|QUAT|MAG"
        r"|PACKET|CQ|IMP(?:EDANCE)?|BURSTS?|SUPPR|CAL|DIST|POS|NC|UNUSED|EMPTY|NONE|DUMMY"
    ),
}
"""Beginnings of the names that recorders give channels which are no electrodes, by BIDS's type of such channels."""

# What follows such a beginning: nothing, a number, or another word.
_NAMES = {
    kind: re.compile(rf"(?:{names})(?:[ _.:-]?(?:\d+|[XYZLRUDHV])(?![A-Z0-9+]).*|[ _.:/(+-].*|)", re.IGNORECASE)
    for kind, names in _KINDS.items()
}
_ANYWHERE = {"EOG": "EOG", "ECG": "ECG|EKG", "EMG": "EMG"}
"""What no electrode's name has in it, as in ``R_EOG`` or ``Leg EMG``."""

_PREFIX = re.compile(r"(?:EEG|POL)[ _:-]+(?=\S)", re.IGNORECASE)
_EVENT_CHANNEL = re.compile(r"(?:EDF|BDF)[ _]?ANNOTATIONS|STI ?\d+", re.IGNORECASE)

ELECTRODE = "EEG"
"""BIDS's type of the electrodes on the scalp."""


def auxiliary_kind(name: str) -> str | None:
    """Return what a channel is by its name, in BIDS's types; None where nothing speaks against an electrode.

    Args:
        name: label of the channel, with or without EDF's ``EEG`` before it and a reference behind it. ``EXG1``,
            ``HEOG``, ``EKG1-REF``, ``Temp rectal``, ``Status``, ``A1+A2`` are no electrodes; ``T7``, ``E12`` are.
    """
    text = _PREFIX.sub("", name.strip(), count=1).strip()
    if not re.search(r"[A-Za-z0-9]", text):
        return "MISC"
    if _EVENT_CHANNEL.match(text):
        return "TRIG"
    for kind, pattern in _NAMES.items():
        if pattern.fullmatch(text) or (kind in _ANYWHERE and re.search(_ANYWHERE[kind], text, re.IGNORECASE)):
            return kind
    return "MISC" if "+" in text else None  # the sum of two electrodes


def electrode_name(label: str) -> str:
    """Return an electrode's name without EDF's kind of signal before it."""
    return label.strip().removeprefix("EEG ").strip()


@dataclass(frozen=True)
class TableRow:
    """What ``channels.tsv`` says of a channel.

    Attributes:
        kind: BIDS's type in upper case; None where it is not said.
        unit: text of the unit; None where it is not said.
        bad: whether its status is ``bad``.
    """

    kind: str | None
    unit: str | None
    bad: bool


def read_channel_table(path: Path) -> dict[str, TableRow]:
    """Read a file ``channels.tsv`` of BIDS: what it says of each channel, by name.

    Raises:
        InputError: it is no table, it has no column ``name``, a name stands in it twice, or a status is neither good
            nor bad.
    """
    table = read_tsv(path, trim=True)
    table.columns = [str(column).strip().lower() for column in table]
    if "name" not in table:
        raise InputError(f"{path}: name: is missing (found {', '.join(table)})")
    table = table.map(lambda cell: cell.strip() if isinstance(cell, str) else "")
    rows: dict[str, TableRow] = {}
    for record in table.to_dict("records"):
        name = record["name"]
        kind, unit, status = (
            None if (cell := record.get(column, "")).lower() in ("", "n/a") else cell
            for column in ("type", "units", "status")
        )
        if name in rows:
            raise InputError(f"{path}: name: must occur once (found {name} twice)")
        if status is not None and status.lower() not in ("good", "bad"):
            raise InputError(f"{path}: status: of {name} must be good, bad or n/a (found {status})")
        rows[name] = TableRow(kind and kind.upper(), unit, status is not None and status.lower() == "bad")
    return rows


@dataclass(frozen=True)
class ChosenChannels:
    """The electrodes of a recording, and what is not one.

    Attributes:
        electrodes: labels of the electrodes, in the order of the recording.
        bad: those of them that are marked as bad.
        units: text of the unit by label, of the electrodes whose table says it.
        left_out: type of each other channel, by label.
        doubts: sentences on what table and recording do not agree in.
    """

    electrodes: list[str]
    bad: list[str]
    units: dict[str, str]
    left_out: dict[str, str]
    doubts: list[str] = field(default_factory=list)


def choose_electrodes(
    kinds: Mapping[str, str], table: Mapping[str, TableRow] | None, marked: Sequence[str], where: Path
) -> ChosenChannels:
    """Choose the electrodes of a recording: by its table where that has the channel, else by kind and name.

    Args:
        kinds: kind that the reader of the file gives each channel (MNE's ``eeg``, ``stim``, ...), by label.
        table: rows of ``channels.tsv``; None where there is none.
        marked: labels of channels that the file itself marks as bad.
        where: file of the recording, for errors.

    Raises:
        InputError: no channel is an electrode, or the table is of other channels.
    """
    rows = _rows_of(kinds, table or {})
    if table and not rows:
        listed = ", ".join(list(table)[:8])
        raise InputError(f"{where}: channels.tsv: must name the recording's channels (found {listed}, ...)")
    types = {label: _type_of(label, kind, rows.get(label)) for label, kind in kinds.items()}
    electrodes = [label for label, kind in types.items() if kind == ELECTRODE]
    if not electrodes:
        listed = ", ".join(f"{label} ({kind})" for label, kind in types.items())
        raise InputError(f"{where}: channels: must have electrodes (found {listed})")
    return ChosenChannels(
        electrodes,
        [label for label in electrodes if label in marked or (label in rows and rows[label].bad)],
        {label: unit for label in electrodes if label in rows and (unit := rows[label].unit)},
        {label: kind for label, kind in types.items() if kind != ELECTRODE},
        list(_doubts(kinds, table, rows, electrodes)),
    )


def _type_of(label: str, kind: str, row: TableRow | None) -> str:
    """Return BIDS's type of a channel."""
    if row is not None and row.kind is not None:
        return row.kind
    return auxiliary_kind(label) or (ELECTRODE if kind == "eeg" else kind.upper())


def _rows_of(labels: Mapping[str, str], table: Mapping[str, TableRow]) -> dict[str, TableRow]:
    """Return the table's row of each label: that of its name, else of its name but for case and EDF's additions."""
    plain = {_plain(name): row for name, row in table.items()}
    rows = {label: table.get(label) or plain.get(_plain(label)) for label in labels}
    return {label: row for label, row in rows.items() if row is not None}


def _plain(name: str) -> str:
    return re.sub(r"-(?:REF|LE|AVG?|CAR)$", "", _PREFIX.sub("", name.strip()).upper()).replace(" ", "")


def _doubts(
    kinds: Mapping[str, str],
    table: Mapping[str, TableRow] | None,
    rows: Mapping[str, TableRow],
    electrodes: list[str],
) -> Iterator[str]:
    """Yield what table and recording do not agree in."""
    if table is None:
        return
    if lacking := [label for label in kinds if label not in rows]:
        yield f"are not in channels.tsv, and are taken by their names: {', '.join(lacking)}"
    present = {_plain(label) for label in kinds} | set(kinds)
    if absent := [name for name in table if name not in present and _plain(name) not in present]:
        yield f"are in channels.tsv alone: {', '.join(absent)}"
    by_table = [label for label in electrodes if label in rows and rows[label].kind == ELECTRODE]
    if doubtful := [f"{label} ({kind})" for label in by_table if (kind := auxiliary_kind(label))]:
        yield f"are EEG by channels.tsv, and something else by their names: {', '.join(doubtful)}"
