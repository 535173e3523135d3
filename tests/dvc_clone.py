"""A clone with a tiny graph of real DVC stages, which are named as the project's and write what those write."""

import json
import subprocess
from pathlib import Path

import pandas
import yaml

from eegdiffusion.core.runtime.hashing import content_hash
from tests.e2e.workspace import environment

RECORDINGS = {"aaa/aaa_1.edf": "train", "aaa/aaa_2.edf": "train", "bbb/bbb_1.edf": "test"}

GRAPH = {
    "stages": {
        "ingest_events": {
            "foreach": ["mini"],
            "do": {
                "cmd": "mkdir -p data/events && cp -r prepared/index data/events/mini_index",
                "deps": ["corpus", "components/ingest_events"],
                "outs": ["data/events/mini_index"],
            },
        },
        "preprocess_events": {
            "foreach": ["mini"],
            "do": {
                "cmd": "mkdir -p data/events/mini_store/a && cat corpus/*/*.edf > data/events/mini_store/a/x",
                "deps": ["corpus", "data/events/mini_index"],
                "outs": ["data/events/mini_store"],
            },
        },
        "finetune_lft": {
            "matrix": {"labels": ["recorded", "shuffled"], "seed": [0, 1]},
            "cmd": "mkdir -p models/lft/${item.labels}/seed-${item.seed} && "
            "cp prepared/${item.labels}.json models/lft/${item.labels}/seed-${item.seed}/metrics.json",
            "deps": ["data/events/mini_store/a"],
            "outs": ["models/lft/${item.labels}/seed-${item.seed}"],
        },
        "report": {
            "cmd": "mkdir reports && cp prepared/report.json reports/metrics.json",
            "deps": ["models/lft"],
            "outs": ["reports"],
        },
    }
}


def run(folder: Path, *words: str) -> str:
    """Run a command in the clone, in the environment of the tests."""
    process = subprocess.run(words, cwd=folder, env=environment(warm=False), capture_output=True, text=True)
    assert process.returncode == 0, f"{words}: {process.stdout}{process.stderr}"
    return process.stdout


def make_clone(folder: Path) -> Path:
    """Make the clone and run its stages by ``dvc repro``."""
    for name in RECORDINGS:
        path = folder / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 3)
    prepared = folder / "prepared"
    (prepared / "index").mkdir(parents=True)
    rows = [
        {
            "recording": name.removesuffix(".edf"),
            "path": name,
            "sha256": content_hash(folder / "corpus" / name),
            "split": split,
            "duration_s": 34.0,
            "subject": name[:3],
        }
        for name, split in RECORDINGS.items()
    ]
    pandas.DataFrame(rows).to_parquet(prepared / "index" / "recordings.parquet", index=False)
    for labels, kappa in (("recorded", 0.6), ("shuffled", 0.01)):
        (prepared / f"{labels}.json").write_text(json.dumps({"cohen_kappa": kappa}))
    numbers = {"lft_cohen_kappa_mean": 0.6, "lft_shuffled_labels_cohen_kappa_mean": 0.01, "corpus": "mini"}
    (prepared / "report.json").write_text(json.dumps(numbers))
    (folder / "components" / "ingest_events").mkdir(parents=True)
    (folder / "components" / "ingest_events" / "compute.py").write_text("pass\n")
    (folder / "dvc.yaml").write_text(yaml.safe_dump(GRAPH, sort_keys=False))
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "repro", "-q")
    return folder
