"""The key of a de-identification: which code, shift of dates and names stand for whom; who has it can undo it."""

import json
import os
import secrets
import stat
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from eegdiffusion.core.runtime.errors import InputError

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
SHIFT_DAYS = (365, 15 * 365)
"""Least and most days by which a subject's dates are shifted back."""


@dataclass
class Subject:
    """What stands for a person.

    Attributes:
        code: of letters and digits, drawn at random.
        shift_days: days by which all dates of this person's recordings are earlier.
        recordings: new path of each recording, by its old one.
        sessions: new label of each of BIDS's sessions.
    """

    code: str
    shift_days: int
    recordings: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)


@dataclass
class SubjectKey:
    """All that was replaced in a folder of recordings.

    Attributes:
        path: file of the key.
        subjects: by what their recordings have in common, such as the code of the hospital.
        texts: code of each annotation that was replaced.
    """

    path: Path
    subjects: dict[str, Subject] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def subject(self, key: str) -> Subject:
        """Return what stands for a person; drawn when asked for the first time."""
        if key not in self.subjects:
            low, high = SHIFT_DAYS
            codes = {subject.code for subject in self.subjects.values()}
            code = next(code for code in iter(_draw_code, None) if code not in codes)
            self.subjects[key] = Subject(code, low + secrets.randbelow(high - low + 1))
        return self.subjects[key]

    def save(self) -> None:
        """Write the key, whole or not at all, so that only its owner can read it."""
        document = {"subjects": {key: asdict(subject) for key, subject in self.subjects.items()}, "texts": self.texts}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=self.path.parent, prefix=".key-")  # 0600
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(document, file, indent=1, ensure_ascii=False)
        os.replace(part, self.path)


def _draw_code() -> str:
    return "s" + "".join(secrets.choice(_ALPHABET) for _ in range(7))


def open_key(path: Path) -> SubjectKey:
    """Read a key, or begin one where there is none.

    Raises:
        InputError: others than its owner can read or write it, or it is no key.
    """
    if not path.exists():
        return SubjectKey(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise InputError(f"{path}: permissions: only the owner may read the key; `chmod 600 {path}`")
    try:
        document = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        subjects = {key: Subject(**subject) for key, subject in document["subjects"].items()}
        texts = {str(text): str(code) for text, code in document["texts"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: content: must be a key that `eeg deidentify` wrote ({error})") from error
    return SubjectKey(path, subjects, texts)
