import numpy as np
import pytest

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage import splits

SUBJECTS = [f"s{k:02d}" for k in range(23)]


def test_the_references_rule():
    found = splits.split_subjects(SUBJECTS[::-1] + SUBJECTS, ["eval/001", "eval/000"], 0.2, 4523)
    drawn = np.random.RandomState(4523).choice(SUBJECTS, 4, replace=False)
    assert found["validation"] == sorted(drawn)
    assert sorted(found["train"] + found["validation"]) == SUBJECTS
    assert found["test"] == ["eval/000", "eval/001"]
    assert not splits.leaks(found)


def test_an_empty_split_is_refused():
    with pytest.raises(InputError, match=r"validation_fraction 0.2: the validation split"):
        splits.split_subjects(SUBJECTS[:4], ["eval/000"], 0.2, 4523)
    with pytest.raises(InputError, match="the test split"):
        splits.split_subjects(SUBJECTS, [], 0.2, 4523)


def test_a_subject_without_usable_recordings_moves_no_other():
    drawn = splits.split_subjects(SUBJECTS, ["eval/000"], 0.2, 4523)
    lost = drawn["validation"][0]
    kept = splits.having(drawn, set(SUBJECTS) - {lost} | {"eval/000"})
    assert kept == drawn | {"validation": drawn["validation"][1:]}
    with pytest.raises(InputError, match="none of the 1 subjects of test"):
        splits.having(drawn, set(SUBJECTS))


def test_a_leak_is_found_and_refused():
    leaking = {"train": ["a", "b"], "validation": ["c"], "test": ["b"]}
    assert splits.leaks(leaking) == ["b"]
    with pytest.raises(InputError, match="split: b must stand in one split only"):
        splits.manifest(leaking, {}, 0.2, 1)


def test_the_hash_depends_on_subjects_and_content():
    def hash_of(train, content):
        parts = {"train": train, "validation": ["v"], "test": ["t"]}
        return splits.manifest(parts, {"x": content}, 0.2, 1)["hash"]

    assert hash_of(["a"], "1") == hash_of(["a"], "1")
    assert len({hash_of(["a"], "1"), hash_of(["b"], "1"), hash_of(["a"], "2")}) == 3


def _given(**members):
    return {"": [], "train": [], "validation": [], "test": []} | members


def test_splits_that_a_corpus_gives_are_taken_and_the_others_drawn():
    drawn = splits.divide_subjects(_given(**{"": SUBJECTS}), 0.2, 0.25, 4523)
    assert sorted(drawn["train"] + drawn["validation"] + drawn["test"]) == SUBJECTS
    assert [len(drawn[name]) for name in splits.SPLITS] == [15, 4, 4]
    tested = splits.divide_subjects(_given(**{"": SUBJECTS, "test": ["t"]}), 0.2, 0.2, 4523)
    assert tested == splits.split_subjects(SUBJECTS, ["t"], 0.2, 4523), "as TUEV's eval/ is"
    whole = splits.divide_subjects(_given(train=["b", "a"], validation=["c"], test=["d"]), 0.2, 0.2, 4523)
    assert whole == {"train": ["a", "b"], "validation": ["c"], "test": ["d"]}


def test_a_subject_in_two_given_splits_is_refused():
    with pytest.raises(InputError, match="split: b must stand in one split only"):
        splits.divide_subjects(_given(train=["a", "b"], test=["b"]), 0.2, 0.2, 4523)
    with pytest.raises(InputError, match="split: the train split is empty"):
        splits.divide_subjects(_given(validation=["a"], test=["b"]), 0.2, 0.2, 4523)


def test_each_class_that_two_subjects_have_is_in_all_drawn_splits():
    classes_of = {subject: {int(k % 5 == 0)} for k, subject in enumerate(SUBJECTS)}
    blind = splits.divide_subjects(_given(**{"": SUBJECTS}), 0.2, 0.1, 1)
    of_split = {name: {k for subject in blind[name] for k in classes_of[subject]} for name in splits.SPLITS}
    assert of_split["validation"] == {0}, "or this tests nothing"
    heeded = splits.divide_subjects(_given(**{"": SUBJECTS}), 0.2, 0.1, 1, classes_of)
    for name in splits.SPLITS:
        assert {k for subject in heeded[name] for k in classes_of[subject]} == {0, 1}, name
    assert sorted(member for members in heeded.values() for member in members) == SUBJECTS
    assert heeded == splits.divide_subjects(_given(**{"": SUBJECTS[::-1]}), 0.2, 0.1, 1, classes_of)


def test_one_subject_more_validates_where_no_draw_of_fewer_has_all_classes():
    classes_of = {subject: {k % 2} for k, subject in enumerate(SUBJECTS)}
    given = _given(train=SUBJECTS[:10], test=SUBJECTS[10:])
    assert len(splits.divide_subjects(given, 0.2, 0.1, 1)["validation"]) == 1
    assert len(splits.divide_subjects(given, 0.2, 0.1, 1, classes_of)["validation"]) == 2


def test_classes_that_all_or_one_alone_has_change_no_draw():
    blind = splits.divide_subjects(_given(**{"": SUBJECTS}), 0.2, 0.25, 4523)
    alike = {subject: {0, 1, 2} if subject == SUBJECTS[3] else {0, 1} for subject in SUBJECTS}
    assert splits.divide_subjects(_given(**{"": SUBJECTS}), 0.2, 0.25, 4523, alike) == blind
