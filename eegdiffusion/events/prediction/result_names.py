"""What the results of a folder's recordings are called, so that no two recordings have results of one name."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from eegdiffusion.core.runtime.printable import printable
from eegdiffusion.events.prediction.events_tsv import events_name
from eegdiffusion.events.prediction.recordings_list import LIST


def _key(name: Path) -> str:
    """Return what disks that do not tell upper case from lower, or accents from their parts, make of a name."""
    return unicodedata.normalize("NFC", str(name)).casefold()


def _take(name: Path, path: Path, taken: dict[str, Path]) -> bool:
    """Give a recording a name and that of its table of events, unless one of them is another's."""
    keys = {_key(name), _key(events_name(name))}
    if any(taken.get(key, path) != path for key in keys):
        return False
    taken |= dict.fromkeys(keys, path)
    return True


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, 1000):
        yield path.with_name(f"{path.name}-{number}")


def result_names(endings: Mapping[Path, str], kept: Mapping[Path, str]) -> dict[Path, Path]:
    """Name the results of each recording, without ending: like the recording, or with its ending where names clash.

    Names that differ in the case of letters alone clash too, and so do the list's own name and those of the tables of
    events, ``x_events`` of ``x`` and of ``x_eeg``.

    Args:
        endings: the ending of each recording's file.
        kept: the names that results of an earlier run have, as the list says them, which they keep.
    """
    stems = {path: path.with_name(path.name[: -len(ending)]) for path, ending in endings.items()}
    times = Counter(map(_key, stems.values()))
    taken = {_key(Path(LIST).with_suffix("")): Path()}
    names: dict[Path, Path] = {}
    for path, text in kept.items():
        for name in (stems[path], *_numbered(path)):
            if printable(name) == text and _take(name, path, taken):
                names[path] = name
                break
    for path, stem in stems.items():
        if path in names:
            continue
        candidates = ([stem] if times[_key(stem)] == 1 else []) + list(_numbered(path))
        names[path] = next(name for name in candidates if _take(name, path, taken))
    return names
