"""Put corpora of one's own in the place of the demo's."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import things_eeg2

EVENTS = "tuev"
"""Entry of ``event_corpora`` that the demo has."""

IMAGES = "things"
"""Entry of ``image_corpora`` that the demo has."""

DEMO = ("data/raw/surrogate-", "data/raw/trials-")
"""How the roots of the demo's corpora begin."""

PARTITIONS = ("train", "eval")
"""Folders of TUEV's ``edf``."""

EVENTS_MATRIX = {
    "backbones": ("base", "linear", "nolaw"),
    "labels": ("recorded", "shuffled"),
    "probes": ("base",),
    "baselines": ("sparcnet", "contrawr", "band_power"),
}
"""Items of the branch of events; all are empty where there is no corpus for it."""

EVENTS_LATENTS = {"base": {"backbone": "base", "corpus": EVENTS}}

BY_CORPUS = ("eeg_encoders", "sgdm", "condiffusion")
"""Sections whose entries name a corpus of images."""

BY_EVENT_CORPUS = ("latents", "probe_tasks", "event_tasks")
"""Sections whose entries name a corpus of events, and stand beside what is trained on ``finetune_lft.corpus``."""


def _require_folder(root: Path, rule: str) -> None:
    if not root.is_dir():
        raise InputError(f"{root}: {'is no folder' if root.exists() else 'no such folder'}; {rule}")


def layout_of(root: Path) -> str:
    """Tell the layout of a THINGS corpus by its files.

    Raises:
        InputError: there is no such folder, or it has those of none.
    """
    _require_folder(root, "--things (THINGS_ROOT) must be a corpus of THINGS")
    layouts = {"things_eeg2_raw": things_eeg2.RAW, "things_eeg2_preprocessed": things_eeg2.PREPROCESSED}
    for layout, pattern in layouts.items():
        if things_eeg2.find_partition_files(root, pattern)[0]:
            return layout
    subjects = [path.name for path in root.glob("sub-*")]
    if find_files(root, lambda name: name.lower().endswith("_events.tsv"), subjects)[0]:
        return "things_eeg1"
    raise InputError(f"{root}: holds neither THINGS-EEG2's raw_eeg_*.npy or preprocessed_eeg_*.npy nor a BIDS corpus")


def check_tuev(root: Path) -> None:
    """Check that a folder is TUEV's ``edf``.

    Raises:
        InputError: there is no such folder, or it holds no ``train`` and ``eval``.
    """
    _require_folder(root, "--tuev (TUEV_ROOT) must be TUEV's edf/ folder")
    if missing := [name for name in PARTITIONS if not (root / name).is_dir()]:
        inner = f"; is it {root / 'edf'}?" if all((root / "edf" / name).is_dir() for name in PARTITIONS) else ""
        raise InputError(
            f"{root}: --tuev (TUEV_ROOT) must hold train/ and eval/ (missing: {', '.join(missing)}){inner}"
        )


def _is_of_demo(corpus: dict) -> bool:
    return str(corpus["root"]).startswith(DEMO)


def give(document: dict, tuev: Path | None, things: Path | None) -> None:
    """Change a parsed ``params.yaml``: what is given takes the demo's place.

    What is not given is taken out where it is the demo's, and what is trained on it: a surrogate does not stand beside
    real data unasked. A branch of events that was taken out so comes back with ``tuev``.

    Args:
        document: the parsed file, which is changed in place.
        tuev: TUEV's ``edf`` folder.
        things: a THINGS corpus.

    Raises:
        InputError: neither is given, a folder does not exist, or it is not of such a corpus.
    """
    if tuev is None and things is None:
        raise InputError("--tuev, --things: give one of them, or both")
    # In a variable, or in quotes, no shell has expanded it.
    tuev, things = (path and path.expanduser() for path in (tuev, things))
    if tuev is not None:
        check_tuev(tuev)
        document["event_corpora"][EVENTS] = {"root": str(tuev), "layout": "tuev"}
        if not document["matrix"]["labels"]:
            document["matrix"] |= {name: list(values) for name, values in EVENTS_MATRIX.items()}
            document["latents"] = dict(EVENTS_LATENTS)
    _take_out_events(document)
    corpora = document["image_corpora"]
    if things is not None:
        corpora[IMAGES] = {"root": str(things), "layout": layout_of(things), "epochs": "nice"}
    for name in [name for name, corpus in corpora.items() if _is_of_demo(corpus)]:
        del corpora[name]
    _take_out_rows(document, BY_CORPUS, corpora)
    generated = document["matrix"].get("generated", [])
    document["matrix"]["generated"] = [name for name in generated if name in corpora]


def _take_out_rows(document: dict, sections: Sequence[str], corpora: Mapping) -> None:
    """Take out the entries of sections whose corpus is not there."""
    for section in sections:
        rows = document.get(section, {})
        for name in [name for name, row in rows.items() if row["corpus"] not in corpora]:
            del rows[name]


def _take_out_events(document: dict) -> None:
    """Take out the demo's corpora of events, and the whole branch where it is trained on one of them."""
    corpora = document["event_corpora"]
    for name in [name for name, corpus in corpora.items() if _is_of_demo(corpus)]:
        del corpora[name]
    _take_out_rows(document, BY_EVENT_CORPUS, corpora)
    if document["finetune_lft"]["corpus"] not in corpora:
        document["matrix"] |= {name: [] for name in EVENTS_MATRIX}
        document |= {"latents": {}, "ablations": {}, "lft_tests": {}}
