"""The checks of public benchmark suites on the modules: NeuralBench's of every task, Open EEG Bench's own trainings.

``make suites`` runs this in an environment of its own, which has the suites and the project's wheel.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eegdiffusion import Backbone, Classifier
from eegdiffusion.events.models.lft_network import LFTSizes
from eegdiffusion.events.models.ssmdp_network import SSMDPSizes

SIZES = SSMDPSizes(d_model=8, d_state=8, n_layer=2, d_cond=16, d_cond_embed=16)
FUSION = LFTSizes(n_fusion=2, num_heads=2, encoder_blocks=1, token_scale=30.0)
CHANNELS = ("Fp1", "Fp2", "C3", "C4", "O1", "O2")
SFREQ, SAMPLES = 100.0, 500
SETTINGS = ("USER", "ENTITY_NAME", "PROJECT_NAME", "WANDB_HOST", "SLURM_PARTITION", "SLURM_CONSTRAINT")


def check_neuralbench(folder: Path) -> int:
    """Push each task's shapes through a backbone, without a wrapper; returns the number of rows, all of them ok."""
    document: dict[str, Any] = {name: str(folder / name) for name in ("CACHE_DIR", "SAVE_DIR", "DATA_DIR")}
    document |= dict.fromkeys(SETTINGS, "none") | {"N_CPUS": 1}
    for name in ("CACHE_DIR", "SAVE_DIR", "DATA_DIR"):
        (folder / name).mkdir()
    (folder / "config.json").write_text(json.dumps(document))
    os.environ["NEURALBENCH_CONFIG"] = str(folder / "config.json")
    import neuralbench

    # Its signals are divided by their interquartile range, which in EEG is about 20 uV.
    rows = neuralbench.check_model(Backbone(sfreq=120.0, unit=2e-5, sizes=SIZES), "eeg", "all")
    other = rows[rows["status"] != "ok"]
    assert len(rows) > 100, rows
    assert other.empty, other.to_string()
    return len(rows)


def waves(windows: int, seed: int) -> torch.utils.data.TensorDataset:
    """Make windows in volts of two classes, that differ in the rhythm at the back of the head."""
    draw, time = np.random.default_rng(seed), np.arange(SAMPLES) / SFREQ
    labels = np.arange(windows) % 2
    signals = 1e-5 * draw.standard_normal((windows, len(CHANNELS), SAMPLES))
    rhythm = np.sin(2 * np.pi * np.where(labels, 10, 4)[:, None] * time + draw.uniform(0, 6, (windows, 1)))
    signals[:, 4:] += 3e-5 * rhythm[:, None]
    return torch.utils.data.TensorDataset(torch.from_numpy(signals).float(), torch.from_numpy(labels))


class LocalDataset:
    """What an experiment of Open EEG Bench asks of a dataset, without its hub."""

    n_classes = 2

    def setup(self, normalization: object) -> tuple:
        """Return all windows, those of each split, and what the model is built for."""
        parts = [waves(windows, seed) for seed, windows in enumerate((48, 24, 24))]
        info = {
            "n_chans": len(CHANNELS), "n_times": SAMPLES, "n_outputs": 2, "sfreq": SFREQ,
            "chs_info": [{"ch_name": name, "loc": np.full(12, np.nan)} for name in CHANNELS],
        }  # fmt: skip
        return None, *parts, info


def check_open_eeg_bench(folder: Path) -> dict[str, float]:
    """Probe, adapt and train a classifier as Open EEG Bench does; returns the balanced accuracy of each strategy."""
    from open_eeg_bench.backbone import PretrainedBackbone
    from open_eeg_bench.experiment import Experiment
    from open_eeg_bench.finetuning import Frozen, LoRA
    from open_eeg_bench.head import FlattenHead, LinearHead
    from open_eeg_bench.training import RidgeProbingTraining, Training

    torch.manual_seed(0)
    channels = LocalDataset().setup(None)[-1]["chs_info"]
    stored = Classifier(2, chs_info=channels, n_times=SAMPLES, sfreq=SFREQ, sizes=SIZES, fusion=FUSION)
    stored.save_pretrained(folder / "hub")
    # The suite reads a checkpoint of PyTorch's; the project itself writes none.
    torch.save(stored.state_dict(), folder / "weights.pth")
    backbone = PretrainedBackbone(
        model_cls="eegdiffusion.Classifier",
        model_kwargs={"pretrained": str(folder / "hub")},
        checkpoint_path=str(folder / "weights.pth"),
    )
    epochs = Training(max_epochs=15, batch_size=8, lr=1e-2, device="cpu")
    strategies = {
        "ridge_probe": (FlattenHead(), Frozen(), RidgeProbingTraining(batch_size=8)),
        "frozen": (LinearHead(), Frozen(), epochs),
        "lora": (LinearHead(), LoRA(r=2), epochs),
    }
    scores = {}
    for name, (head, finetuning, training) in strategies.items():
        experiment = Experiment.model_construct(
            dataset=LocalDataset(), backbone=backbone, head=head, finetuning=finetuning, training=training, seed=0,
            verbose=0,
        )  # fmt: skip
        scores[name] = float(experiment.run()["test_balanced_accuracy"])
    assert min(scores.values()) > 0.9, scores
    return scores


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        print(f"NeuralBench: check_model is ok in all {check_neuralbench(Path(temporary))} rows")
        scores = check_open_eeg_bench(Path(temporary))
        print(*(f"Open EEG Bench: {name}: balanced accuracy {score:.2f}" for name, score in scores.items()), sep="\n")
