"""Put corpora of one's own in the place of the demo's."""

from pathlib import Path

from eegdiffusion.core.recordings.recording_files import find_files
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.images.corpora import things_eeg2

EVENTS = "tuev"
"""Entry of ``event_corpora`` that the demo has."""

IMAGES = "things"
"""Entry of ``image_corpora`` that the demo has."""

SURROGATES = "data/raw/surrogate-"
"""How the roots of the demo's corpora begin."""

BY_CORPUS = ("eeg_encoders", "image_generation")
"""Sections whose entries name a corpus of images."""


def layout_of(root: Path) -> str:
    """Tell the layout of a THINGS corpus by its files.

    Raises:
        InputError: it has those of none.
    """
    layouts = {"things_eeg2_raw": things_eeg2.RAW, "things_eeg2_preprocessed": things_eeg2.PREPROCESSED}
    for layout, pattern in layouts.items():
        if things_eeg2.find_partition_files(root, pattern)[0]:
            return layout
    subjects = [path.name for path in root.glob("sub-*")]
    if find_files(root, lambda name: name.lower().endswith("_events.tsv"), subjects)[0]:
        return "things_eeg1"
    raise InputError(f"{root}: holds neither THINGS-EEG2's raw_eeg_*.npy or preprocessed_eeg_*.npy nor a BIDS corpus")


def give(document: dict, tuev: Path | None, things: Path | None) -> None:
    """Change a parsed ``params.yaml``: what is given takes the demo's place.

    Without ``things`` the demo's corpora of images are taken out, and what is trained on them: a surrogate does not
    stand beside real data unasked.

    Args:
        document: the parsed file, which is changed in place.
        tuev: TUEV's ``edf`` folder.
        things: a THINGS corpus.
    """
    if tuev is not None:
        document["event_corpora"][EVENTS] = {"root": str(tuev), "layout": "tuev"}
    corpora = document["image_corpora"]
    if things is not None:
        corpora[IMAGES] = {"root": str(things), "layout": layout_of(things), "epochs": "nice"}
        for config in document.get("image_generation", {}).values():
            if config["corpus"] == IMAGES:
                config["pictures"] = str(things)
        return
    for name in [name for name, corpus in corpora.items() if corpus["root"].startswith(SURROGATES)]:
        del corpora[name]
    for section in BY_CORPUS:
        rows = document.get(section, {})
        for name in [name for name, row in rows.items() if row["corpus"] not in corpora]:
            del rows[name]
