"""Arrays that are written batch by batch: what is in the file, and what an interruption leaves."""

import multiprocessing
import time

import numpy as np
import pytest

from eegdiffusion.core.storage.batched_array import array_batches, write_batches

ROWS = np.arange(7 * 2 * 3, dtype=np.float32).reshape(7, 2, 3)


def _interrupted(rows: int):
    """Return batches of two of :data:`ROWS` that fail once some rows were made, and a list of where they began."""
    began = []

    def batches(first):
        began.append(first)
        for k in range(first, len(ROWS), 2):
            if k >= rows:
                raise KeyboardInterrupt
            yield ROWS[k : k + 2]

    return batches, began


def test_a_file_is_the_array(tmp_path):
    path = tmp_path / "rows.npy"
    write_batches(path, ROWS.shape, np.float32, array_batches(ROWS, 2), 2)
    assert np.array_equal(np.load(path), ROWS)
    np.save(tmp_path / "saved.npy", ROWS)
    assert path.read_bytes() == (tmp_path / "saved.npy").read_bytes()
    assert [each.name for each in tmp_path.iterdir() if "partial" in each.name] == []


def test_rows_may_be_counted_along_several_axes(tmp_path):
    path, flat = tmp_path / "rows.npy", ROWS.reshape(14, 3)
    write_batches(path, ROWS.shape, np.int16, array_batches(flat, 4), 4, axes=2)
    assert np.array_equal(np.load(path), ROWS)
    assert np.load(path).dtype == np.int16


@pytest.mark.parametrize("rows", [0, 2, 4, 6])
def test_an_interrupted_file_is_gone_on_with(tmp_path, rows):
    path = tmp_path / "rows.npy"
    batches, _ = _interrupted(rows)
    with pytest.raises(KeyboardInterrupt):
        write_batches(path, ROWS.shape, np.float32, batches, 2)
    assert not path.exists()
    batches, began = _interrupted(100)
    write_batches(path, ROWS.shape, np.float32, batches, 2)
    assert began == [rows]
    assert np.array_equal(np.load(path), ROWS)
    write_batches(path, ROWS.shape, np.float32, batches, 2)
    assert began == [rows], "a complete file is left alone"


@pytest.mark.parametrize("cut", [1, 12, 24, 30, 49, 400])
def test_a_batch_that_was_cut_is_made_anew(tmp_path, cut):
    path, partial = tmp_path / "rows.npy", tmp_path / "rows.npy.partial"
    batches, _ = _interrupted(6)
    with pytest.raises(KeyboardInterrupt):
        write_batches(path, ROWS.shape, np.float32, batches, 2)
    partial.write_bytes(partial.read_bytes()[:-cut])
    batches, began = _interrupted(100)
    write_batches(path, ROWS.shape, np.float32, batches, 2)
    assert began == [max(0, (6 * 24 - cut) // 48 * 2 if cut < 6 * 24 else 0)]
    assert np.array_equal(np.load(path), ROWS)


def test_what_was_begun_for_another_array_is_thrown_away(tmp_path):
    path = tmp_path / "rows.npy"
    with pytest.raises(KeyboardInterrupt):
        write_batches(path, ROWS.shape, np.float32, _interrupted(4)[0], 2)
    batches, began = _interrupted(100)
    write_batches(path, ROWS.shape, np.float64, batches, 2)
    assert began == [0]
    assert np.load(path).dtype == np.float64


def _write_in_turn(path, began):
    def batches(first):
        with began.get_lock():
            began.value += 1
        for k in range(first, len(ROWS), 2):
            time.sleep(0.02)
            yield ROWS[k : k + 2]

    write_batches(path, ROWS.shape, np.float32, batches, 2)


def test_of_several_processes_one_writes(tmp_path):
    context = multiprocessing.get_context("fork")
    began = context.Value("i", 0)
    processes = [context.Process(target=_write_in_turn, args=(tmp_path / "rows.npy", began)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert began.value == 1
    assert np.array_equal(np.load(tmp_path / "rows.npy"), ROWS)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]


@pytest.mark.parametrize("shape", [(6, 2, 3), (8, 2, 3), (7, 3, 2)])
def test_rows_other_than_announced_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match="rows"):
        write_batches(tmp_path / "rows.npy", shape, np.float32, array_batches(ROWS, 2), 2)
    assert not (tmp_path / "rows.npy").exists()
