"""The benchmark of steps on a GPU, dry: the same modules take the same steps at tiny sizes on the CPU."""

import subprocess
import sys

import pytest

from benchmarks.gpu_steps import RESULTS, STEPS, StepTime, measure, rows, table
from eegdiffusion.core.runtime import contract


@pytest.mark.slow
@pytest.mark.parametrize("stage", STEPS)
def test_a_step_of_each_training_is_taken_dry(stage):
    contract.read(stage)  # there is such a stage
    step = measure(stage, "bf16-mixed", compiled=False, dry=True)
    assert step.step_s > 0
    assert step.batch > 1
    assert step.teraflops > 0
    assert step.copy_share > 0


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain_ssmdp", "finetune_lft"])
def test_compiled_networks_take_a_step_in_half_precision(stage):
    assert measure(stage, "bf16-mixed", compiled=True, dry=True).compiled


def test_what_would_begin_too_late_is_left_out_and_named():
    measured, missing = rows(dry=True, minutes=-1)
    assert measured == []
    assert len(missing) == 3 * len(STEPS)
    assert "train_controlnet, bf16-mixed, compiled: left out, -1 minutes were over" in missing
    text = table([StepTime("a", 2, "32-true", True, 0.01, 1.0, 3.0, 0.5, 7.0)], missing, "GPU")
    assert "| a | 2 | 32-true | yes | 10.0 | 1.0 | 3.0 | 0.50 | 7.0 |" in text
    assert missing[0] in text


@pytest.mark.slow
def test_without_a_gpu_it_says_so_and_writes_nothing():
    before = RESULTS.exists()
    words = [sys.executable, "-m", "benchmarks.gpu_steps"]
    done = subprocess.run(words, capture_output=True, text=True, env={"CUDA_VISIBLE_DEVICES": "", "PATH": ""})
    assert done.returncode == 2
    assert "there is no GPU here; --dry takes tiny steps on the CPU" in done.stderr
    assert RESULTS.exists() == before
