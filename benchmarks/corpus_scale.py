"""Ingestion and preprocessing of corpora of TUEV's and of CHB-MIT's shape: time, peak memory, disk.

``python -m benchmarks.corpus_scale --recordings 500 --minutes 20`` makes a corpus of noise (33 channels, 250 Hz) in a
temporary folder, runs both stages there as their users do, and prints a table. With ``--layout chbmit`` it has the
23 channels of CHB-MIT at 256 Hz and a seizure a recording.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import yaml

from eegdiffusion.surrogate.chbmit.case_files import summary
from eegdiffusion.surrogate.chbmit.cases import DERIVATIONS, SFREQ, CaseRecording
from eegdiffusion.surrogate.chbmit.seizures import Seizure
from eegdiffusion.surrogate.tuev.corpus_tree import write_signals
from tests.tuev_fixture import write_edf, write_rec

ROOT = Path(__file__).parents[1]
EXTRA = tuple(f"EEG {20 + k}-REF" for k in range(10))


def make_corpus(root: Path, recordings: int, minutes: int) -> None:
    """Write recordings that differ in content, three to a subject, a fifth of them in eval/."""
    seconds = 60 * minutes
    rows = [(k % 22, 5.0 * k + 2, 5.0 * k + 3, k % 6 + 1) for k in range(seconds // 5 - 1)]
    first = root / "base.edf"
    write_edf(first, seconds=seconds, extra=EXTRA)
    content = bytearray(first.read_bytes())
    for k in range(recordings):
        subject = k // 3
        if k % 5:
            path = root / "train" / f"s{subject:07d}" / f"s{subject:07d}_{k:08d}.edf"
        else:
            path = root / "eval" / f"{k:03d}" / f"bckg_{k:03d}_a_.edf"
        path.parent.mkdir(parents=True, exist_ok=True)
        content[-2000:] = np.random.default_rng(k).integers(0, 100, 1000).astype("<i2").tobytes()
        path.write_bytes(content)
        write_rec(path.with_suffix(".rec"), rows)
    first.unlink()


def make_cases(root: Path, recordings: int, minutes: int) -> None:
    """Write five cases of CHB-MIT's layout or more, with ten recordings each at most that differ in content."""
    samples = 60 * minutes * SFREQ
    noise = 30e-6 * np.random.default_rng(0).standard_normal((len(DERIVATIONS), samples))
    first = root / "base.edf"
    root.mkdir(parents=True)
    noise[-1] = noise[DERIVATIONS.index("T8-P8")]
    write_signals(first, DERIVATIONS, noise + np.roll(noise, 1, 1), SFREQ, "noise")
    content = bytearray(first.read_bytes())
    first.unlink()
    several = min(10, max(1, recordings // 5))
    for begin in range(0, recordings, several):
        case = f"chb{begin // several + 1:02d}"
        members = [
            CaseRecording(case, f"{case}_{k + 1:02d}.edf", DERIVATIONS, noise, [Seizure(30, 90)], 3600 * k)
            for k in range(min(several, recordings - begin))
        ]
        (root / case).mkdir()
        (root / case / f"{case}-summary.txt").write_text(summary(members))
        for k, member in enumerate(members, begin):
            content[-2000:] = np.random.default_rng(k).integers(0, 100, 1000).astype("<i2").tobytes()
            (root / case / member.name).write_bytes(content)


def measure(workspace: Path, stage: str) -> tuple[float, float]:
    """Run a stage: seconds, and peak memory of its processes together in GiB (proportional set size)."""
    process = subprocess.Popen([sys.executable, "-m", f"components.{stage}", "--corpus", "scale"], cwd=workspace)
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            total = 0
            for member in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
                try:
                    total += member.memory_full_info().pss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total / 2**30)

    start = time.monotonic()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    status = process.wait()
    ended.set()
    if status:
        raise SystemExit(status)
    return time.monotonic() - start, peak[0]


def size_gb(path: Path) -> float:
    """Bytes of a folder in GB."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e9


def main() -> None:
    """Ingest and preprocess a corpus of the asked size, and print its time, memory and disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layout", choices=["tuev", "chbmit"], default="tuev")
    parser.add_argument("--protocol", choices=["events", "paper"], default="events")
    parser.add_argument("--recordings", type=int, default=500)
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    workspace = Path(tempfile.mkdtemp(prefix="corpus-scale-"))
    try:
        {"tuev": make_corpus, "chbmit": make_cases}[options.layout](
            workspace / "edf", options.recordings, options.minutes
        )
        document = yaml.safe_load((ROOT / "params.yaml").read_text())
        entry = {"root": "edf", "layout": options.layout}
        if options.layout == "chbmit":
            entry |= {"montage": "double_banana_16", "window_s": 10, "protocol": options.protocol}
        document["event_corpora"] = {"scale": entry}
        document["ingest_events"] = {"test_fraction": 0.4, "validation_fraction": 0.4}  # of five subjects
        document["preprocess_events"]["workers"] = options.workers
        (workspace / "params.yaml").write_text(yaml.safe_dump(document))
        for package in ("components", "eegdiffusion"):
            (workspace / package).symlink_to(ROOT / package)
        rows = [(stage, *measure(workspace, stage)) for stage in ("ingest_events", "preprocess_events")]
        hours = options.recordings * options.minutes / 60
        print(f"\n{options.recordings} recordings of {options.minutes} min, {hours:.0f} h, {options.workers} workers")
        print("| stage | s | s per recorded hour | peak GiB |\n|---|---|---|---|")
        for stage, seconds, peak in rows:
            print(f"| {stage} | {seconds:.0f} | {seconds / hours:.2f} | {peak:.2f} |")
        store = workspace / "data/events/scale/store"
        print(f"corpus {size_gb(workspace / 'edf'):.1f} GB, store {size_gb(store):.1f} GB")
    finally:
        shutil.rmtree(workspace)


if __name__ == "__main__":
    main()
