"""Real trials with real labels: the text format they come in, and the corpora that are made of them."""

import json

import numpy as np
import pytest

from eegdiffusion.commands import example
from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.surrogate.trials import labelled_trials
from eegdiffusion.surrogate.trials.ts_file import first_occurrences, read_trials
from tests.surrogate_source import CACHE

HEAD = "@problemName x\n@classLabel true a b\n@DATA\n"


def _write(path, body, head=HEAD):
    path.write_text(head + body)
    return path


def test_trials_are_read_with_their_labels(tmp_path):
    signals, labels = read_trials(_write(tmp_path / "x.ts", "1,2,3:4,5,6:a\n\n-1e2,.5,0:7,8,9: b \n"))
    assert signals.tolist() == [[[1, 2, 3], [4, 5, 6]], [[-100, 0.5, 0], [7, 8, 9]]]
    assert labels.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("1,2:3,4:a\n1,2:b\n", r"x.ts, line 5: samples: must be of \(2, 2\) channels and samples"),
        ("1,2:3,4:a\n1,2,3:4,5,6:b\n", r"line 5: samples: must be of \(2, 2\)"),
        ("1,2:3:a\n", "line 4: samples: must be numbers, as many a channel"),
        ("1,?:3,4:a\n", "line 4: samples: must be numbers"),
        ("", "@data: must be followed by trials"),
    ],
)
def test_a_line_that_is_no_trial_is_named(tmp_path, body, message):
    with pytest.raises(InputError, match=message):
        read_trials(_write(tmp_path / "x.ts", body))


def test_a_file_without_its_mark_has_no_trials(tmp_path):
    with pytest.raises(InputError, match="@data"):
        read_trials(_write(tmp_path / "x.ts", "1,2:a\n", head=""))


def test_equal_trials_are_kept_once_within_and_across_groups():
    groups = [np.array([[[1.0]], [[2.0]], [[1.0]]]), np.array([[[2.0]], [[3.0]]])]
    assert [kept.tolist() for kept in first_occurrences(groups)] == [[True, True, False], [False, True]]


def test_the_sets_become_corpora_without_what_is_repeated(tmp_path, capsys):
    example.command.main(
        ["trials", "blink", "scp", "--out", str(tmp_path), "--cache", str(CACHE)], standalone_mode=False
    )
    printed = capsys.readouterr().out
    assert "train.npz: 450 trials of Blink; left out as repeated: 50" in printed
    shapes = {"blink": {"train": (450, 4, 510), "test": (400, 4, 510)}}
    shapes["scp"] = {"train": (268, 6, 896), "test": (293, 6, 896)}
    for name, parts in shapes.items():
        trials, root = labelled_trials.SETS[name], tmp_path / f"trials-{name}/corpus"
        contents = {split: np.load(root / f"{split}.npz", allow_pickle=False) for split in parts}
        for split, shape in parts.items():
            arrays = contents[split]
            assert arrays["X"].shape == shape
            assert (str(arrays["split"]), float(arrays["sfreq"]), str(arrays["unit"])) == (split, trials.sfreq, "uV")
            assert arrays["ch_names"].tolist() == list(trials.channels)
        seen = {trial.tobytes() for trial in contents["train"]["X"]}
        assert not any(trial.tobytes() in seen for trial in contents["test"]["X"])
        described = json.loads((root / "corpus.json").read_text())
        assert described["corpus"] == trials.name
        assert described["synthetic"] == []
    blink, scp = (np.load(tmp_path / f"trials-{name}/corpus/train.npz") for name in ("blink", "scp"))
    recordings, counts = np.unique(blink["subject"], return_counts=True)
    assert len(recordings) == 9
    assert set(counts) == {50}
    assert all(len(set(blink["y"][blink["subject"] == recording])) == 1 for recording in recordings)
    assert np.abs(np.median(blink["X"], axis=-1)).max() < 1e-3, "the headset's offset is off"
    assert set(scp["subject"]) == {""}
    assert sorted(set(scp["y"])) == ["negativity", "positivity"]

    example.command.main(["trials", "blink", "--out", str(tmp_path), "--cache", str(CACHE)], standalone_mode=False)
    assert "in place" in capsys.readouterr().out
    (tmp_path / "trials-scp/corpus/corpus.json").write_text('{"corpus": "mine"}')
    with pytest.raises(InputError, match="holds something that is not a SelfRegulationSCP1 corpus"):
        labelled_trials.build("scp", tmp_path / "trials-scp/corpus", CACHE)


def test_the_command_knows_the_sets():
    assert set(labelled_trials.SETS) == set(example.SETS)
