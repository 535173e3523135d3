"""Who a header says that a recording is of, and which words give that away elsewhere."""

import re
from dataclasses import dataclass
from pathlib import PurePath

_ANONYMOUS = """
x xx xxx anon anonym anonymous anonymized anonymised deidentified unknown unnamed none na patient subject
surrogate test demo mne_anonymize
"""
_NOBODY = frozenset(_ANONYMOUS.split())
"""Names that name nobody."""

_WORDS = """
eeg ecg ekg eog emg ref edf bdf fif raw rec vhdr vmrk gz train eval test dev data recording recordings corpus
ses sub session subject patient task rest run day part visit file export month year startdate hospital the and
jan feb mar apr may jun jul aug sep oct nov dec male female mne anonymize mne_anonymize surrogate unknown
epilepsy
"""
_GENERIC = frozenset(_WORDS.split())
"""Words of headers and paths that point to nobody."""


def words_of(text: str) -> set[str]:
    """Return the words of a text that may give a person away: of three characters at least, in lower case."""
    words = re.split(r"[\W_]+", text.casefold())
    return {word for word in words if len(word) > 2 and word not in _GENERIC and not re.fullmatch(r"(19|20)\d\d", word)}


def names_somebody(text: str) -> bool:
    """Say whether a field for a name, or a code, has one."""
    return any(char.isalnum() for char in text) and text.strip().casefold() not in _NOBODY


@dataclass(frozen=True)
class Identity:
    """Who a header says that a recording is of; empty where it does not say.

    Attributes:
        code: code of the patient in the hospital.
        name, birthdate: as the header spells them.
        others: further texts about the patient, or about those who recorded.
    """

    code: str = ""
    name: str = ""
    birthdate: str = ""
    others: tuple[str, ...] = ()

    @property
    def key(self) -> str | None:
        """What the recordings of one person have in common; None where the header names nobody."""
        if names_somebody(self.code):
            return f"code {self.code.casefold()}"
        if names_somebody(self.name):
            return f"name {' '.join(sorted(words_of(self.name)) or [self.name.casefold()])} {self.birthdate.casefold()}"
        return None

    @property
    def named_fields(self) -> list[str]:
        """The fields that say who it is, beyond a code."""
        birthdate = "" if re.fullmatch(r"01-JAN-\d{4}", self.birthdate) else self.birthdate  # a year alone
        fields = {"name": self.name, "birth date": birthdate}
        return [field for field, text in fields.items() if names_somebody(text) and text != self.code]

    def words(self, path: PurePath | None = None) -> frozenset[str]:
        """Return the words of the header, and of the path of its file, that give the person away."""
        texts = [self.code, self.name, self.birthdate, *self.others, *(path.parts if path else ())]
        return frozenset(word for text in texts for word in words_of(text))


_SEX = ("M", "F", "X")


def patient_identity(patient: str, recording: str = "") -> Identity:
    """Read EDF's identifications of patient and recording; of plain EDF the first is a text of any kind.

    Args:
        patient: local patient identification: EDF+'s is code, sex, birthdate and name, without blanks in them.
        recording: local recording identification: EDF+'s is ``Startdate``, a date, and who recorded it with what.
    """
    parts, others = patient.split(), tuple(part for part in recording.split()[2:] if names_somebody(part))
    if len(parts) >= 4 and parts[1].upper() in _SEX:
        code, _, birthdate, name = parts[:4]
        return Identity(code, name, birthdate, (*parts[4:], *others))
    return Identity("", patient, "", others)
