"""What the docs say of one's own EEG in BIDS, done: its entry and its command, on a tree of real EEG at rest."""

import re
import shlex

import mne
import numpy as np
import pandas
import pytest
import yaml

from eegdiffusion.events.store.window_store import Store
from tests.e2e.workspace import ROOT, command, copy
from tests.recording_files import write_brainvision
from tests.surrogate_source import source_recordings

HALF_S, SUBJECTS = 18, 6
EVENTS = """onset\tduration\ttrial_type
0\t{half}\teyes_open
3.2\tn/a\tblink
7.9\t0\tn/a
{half}\t{half}\tEC
"""


def _write_tree(root) -> None:
    """Write subjects that have each another stretch of real EEG, a bad channel and an eye electrode."""
    source = source_recordings()
    length = round(HALF_S * source.sfreq)
    for k in range(SUBJECTS):
        stem = f"sub-{k + 1:02d}_ses-01_task-rest"
        folder = root / f"sub-{k + 1:02d}/ses-01/eeg"
        folder.mkdir(parents=True)
        halves = [source.resting[task][:, (k + 1) * length : (k + 2) * length] for task in ("EO", "EC")]
        info = mne.create_info(source.electrodes, source.sfreq, "eeg")
        raw = mne.io.RawArray(np.concatenate(halves, axis=1), info, verbose="error")
        write_brainvision(folder / f"{stem}_eeg.vhdr", raw)
        rows = [
            f"{name}\t{'EOG' if name == 'F9' else 'EEG'}\tµV\t{'bad' if name == 'CP1' else 'good'}"
            for name in source.electrodes
        ]
        (folder / f"{stem}_channels.tsv").write_text("\n".join(["name\ttype\tunits\tstatus", *rows]) + "\n")
        (folder / f"{stem}_events.tsv").write_text(EVENTS.format(half=HALF_S))
    (root / "participants.tsv").write_text(
        "participant_id\tsplit\n" + "".join(f"sub-{k + 1:02d}\t{'test' if k < 2 else 'n/a'}\n" for k in range(SUBJECTS))
    )
    (root / "sub-01/ses-01/eeg/sub-01_ses-01_task-rest_old.cnt").write_bytes(b"x")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The workspace after the page's command, and the entry as the page has it."""
    path = copy(tmp_path_factory.mktemp("own"))
    text = (ROOT / "docs/data.md").read_text().partition("### Your own EEG, step by step")[2]
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]
    assert len(block.splitlines()) <= 12
    entry = yaml.safe_load(block)["event_corpora"]
    words = shlex.split(re.search(r"```bash\n(.*?)```", text, re.DOTALL)[1])
    _write_tree(path / "tree")
    params = yaml.safe_load((path / "params.yaml").read_text())
    params["event_corpora"] |= entry | {"alpha": entry["alpha"] | {"root": "tree"}}
    (path / "params.yaml").write_text(yaml.safe_dump(params))
    assert words[0] == ".venv/bin/dvc"
    command(path, "dvc", *words[1:])
    return path, entry["alpha"]


def test_the_windows_have_the_labels_and_times_of_the_tables(example):
    path, entry = example
    index = path / "data/events/alpha/index"
    recordings, events = (pandas.read_parquet(index / f"{name}.parquet") for name in ("recordings", "events"))
    assert recordings["subject"].tolist() == [f"sub-{k + 1:02d}" for k in range(SUBJECTS)]
    splits = recordings.groupby("split")["subject"].agg(list).to_dict()
    assert splits["test"] == ["sub-01", "sub-02"]
    assert sorted(splits) == ["test", "train", "validation"]
    names = list(entry["labels"]["classes"])
    seconds = entry["window_s"]
    starts = np.arange(0, 2 * HALF_S - seconds + 1, seconds)
    shared = np.minimum(starts + seconds, HALF_S) - starts  # seconds with open eyes
    expected = [
        (start, "open" if share >= seconds / 2 else "closed") for start, share in zip(starts, shared, strict=True)
    ]
    for recording in recordings["recording"]:
        rows = events[events["recording"] == recording]
        assert [(row.start_s, names[row.label]) for row in rows.itertuples()] == expected
        assert np.allclose(rows["stop_s"] - rows["start_s"], seconds)


def test_what_is_not_used_is_listed(example):
    path, _ = example
    index = path / "data/events/alpha/index"
    problems = pandas.read_parquet(index / "problems.parquet")
    assert set(problems["severity"]) == {"warning"}
    for words in ("are of no class: 'blink' (1)", "are bad, and are interpolated from the others: CP1", "F9 (EOG)"):
        assert problems["message"].str.contains(words, regex=False).sum() == SUBJECTS, words
    assert problems.loc[problems["path"].str.endswith("_old.cnt"), "message"].str.contains("not read").all()
    files = {file.relative_to(path / "tree").as_posix() for file in (path / "tree").rglob("*_old.cnt")}
    assert files <= set(problems["path"])
    corpus = yaml.safe_load((index / "corpus.json").read_text())
    assert (corpus["files"], corpus["unusable"]) == (SUBJECTS, 0)


def test_the_store_has_the_signals_at_their_times(example):
    path, entry = example
    store = Store(path / "data/events/alpha/store")
    assert len(store.channels) == 20
    assert store.classes == list(entry["labels"]["classes"])
    windows = store.event_windows("test")
    stored = windows[1]["signal"][store.channels.index("C3-CZ")]
    raw = mne.io.read_raw_brainvision(
        path / "tree/sub-01/ses-01/eeg/sub-01_ses-01_task-rest_eeg.vhdr", preload=True, verbose="error"
    )
    raw.filter(0.1, 75.0, verbose="error").notch_filter(50.0, verbose="error").resample(200.0, verbose="error")
    first, second = raw.get_data(["C3", "Cz"])
    expected = 1e4 * (first - second)[800:1600]
    assert np.corrcoef(stored, expected)[0, 1] > 0.99
    assert stored.std() == pytest.approx(expected.std(), rel=0.1)
