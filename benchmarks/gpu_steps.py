"""Steps of the trainings at the papers' sizes on a GPU: ``python -m benchmarks.gpu_steps`` writes ``gpu_steps.md``.

Each step is that of the stage's own training module, driven by Lightning in a process of its own: forward, backward,
clipping, AdamW, average of the weights. Without a GPU ``--dry`` takes the same steps at tiny sizes on the CPU, and
writes nothing. Rows are left out, and named, where they would begin after ``--minutes``.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).with_name("gpu_steps.md")
MINUTES = 8.0
WARM_UP, MEASURED = 3, 10
PRECISIONS = ("32-true", "bf16-mixed")


@dataclass(frozen=True)
class StepTime:
    """One measured step.

    Attributes:
        stage: stage whose step it is.
        batch: samples in it.
        precision: Lightning's name of the numbers' format.
        compiled: whether the networks were compiled.
        step_s: median seconds of a step.
        first_s: seconds of the first step, with what is compiled or chosen at it.
        peak_gib: memory of the device at most; 0 on the CPU.
        copy_share: share of the step that copying what every step must touch at least takes at the device's copy rate:
            trained weights, gradients and AdamW's two moments once read and once written, frozen weights once read.
        teraflops: operations of matrix products, convolutions and attention a second, in 10^12.
    """

    stage: str
    batch: int
    precision: str
    compiled: bool
    step_s: float
    first_s: float
    peak_gib: float
    copy_share: float
    teraflops: float


def _optimisation(batch: int):
    from eegdiffusion.core.training.settings import EMASettings, Optimisation

    ema = EMASettings(update_after_step=0, update_every=1)
    return Optimisation(batch_size=batch, max_epochs=1, patience=1, learning_rate=1e-5, ema=ema)


def pretrain_ssmdp(dry: bool):
    """EEGDM's backbone on 108 signals of 1000 samples."""
    import torch

    from eegdiffusion import SSMDP
    from eegdiffusion.events.models.diffusion import noise_scheduler
    from eegdiffusion.events.training.pretraining import Pretraining

    small = {"d_model": 16, "d_state": 8, "n_layer": 2, "d_cond_embed": 16, "d_cond": 16}
    batch, length = (4, 200) if dry else (108, 1000)
    model = SSMDP(**small) if dry else SSMDP()
    module = Pretraining(model, noise_scheduler("squaredcos_cap_v2"), True, _optimisation(batch), seed=0)
    data = {"signal": torch.randn(batch, 1, length), "channel": torch.randint(22, (batch,))}
    return module, data, [module.model]


def finetune_lft(dry: bool):
    """EEGDM's LFT on the tokens of 32 windows of 22 channels."""
    import torch

    from eegdiffusion import LFT
    from eegdiffusion.events.training.lft_classification import LFTClassification

    small = {"d_model": 16, "n_layer": 2, "n_fusion": 2, "num_heads": 2, "encoder_blocks": 1}
    batch = 4 if dry else 32
    module = LFTClassification(LFT(**small) if dry else LFT(), _optimisation(batch), 0, label_smoothing=0.1)
    tokens = torch.randn(batch, 2, 5, 22, 16) if dry else torch.randn(batch, 20, 5, 22, 128)
    return module, {"tokens": tokens, "label": torch.randint(6, (batch,))}, [module.model]


def train_eeg_encoder(dry: bool):
    """ATM's encoder, aligned with 1024 features of 1000 images as NICE does, on 63 electrodes of 250 samples."""
    import torch

    from eegdiffusion.images.encoders.alignment import Alignment
    from eegdiffusion.images.encoders.registry import build_encoder

    batch, width = (4, 16) if dry else (1000, 1024)
    encoder = build_encoder("atms", n_chans=63, n_times=250, n_outputs=width, n_subjects=0)
    module = Alignment(encoder, _optimisation(batch), 0, temperature=0.07)
    data = {
        "eeg": torch.randn(batch, 63, 250),
        "subject": torch.full((batch,), -1),
        "features": torch.randn(batch, width),
        "identity": torch.arange(batch),
    }
    return module, data, [module.model.encoder]


def train_structural_vae(dry: bool):
    """The VAE of images and colours."""
    import torch

    from eegdiffusion.images.structure.structural_vae import StructuralVAE
    from eegdiffusion.images.structure.structure_settings import VAELoss
    from eegdiffusion.images.structure.vae_training import StructuralAutoencoding

    batch = 4 if dry else 64
    vae = StructuralVAE("colours", 64, widths=(8, 8, 8, 8)) if dry else StructuralVAE("colours", 64)
    module = StructuralAutoencoding(vae, VAELoss(), 1.0, _optimisation(batch), 0)
    data = {"pixels": torch.rand(batch, 3, 64, 64) * 2 - 1, "structure": torch.rand(batch, 3, 64, 64)}
    return module, data, [module.model]


STABLE_DIFFUSION = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
"""Sizes of Stable Diffusion 1.5's UNet: latents of 64 x 64, pictures of 512 x 512."""

TINY_DIFFUSION = {
    "sample_size": 4,
    "block_out_channels": (8, 16, 16, 16),
    "cross_attention_dim": 16,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}


def train_controlnet(dry: bool):
    """SGDM's ControlNet on a UNet of Stable Diffusion 1.5's shapes, at 512 pixels, with random weights."""
    import torch
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel

    from eegdiffusion.images.generation.denoising_settings import Denoising
    from eegdiffusion.images.generation.generator import Generator, Source
    from eegdiffusion.images.generation.semantic_tokens import SemanticTokens
    from eegdiffusion.images.sgdm.controlnet_training import ControlNetTraining, Guide
    from eegdiffusion.images.sgdm.sgdm import make_controlnet

    sizes = TINY_DIFFUSION if dry else STABLE_DIFFUSION
    side, width, batch = sizes["sample_size"], 16 if dry else 1024, 2 if dry else 32
    unet = UNet2DConditionModel(**sizes).requires_grad_(False).eval()
    blocks = ("DownEncoderBlock2D",) * 4, ("UpDecoderBlock2D",) * 4
    vae = AutoencoderKL(
        down_block_types=blocks[0], up_block_types=blocks[1], block_out_channels=(8,) * 4, norm_num_groups=4
    )  # of no part in a step but for its number of levels
    generator = Generator(Source("", None, 8 * side), vae, unet, torch.nn.Identity(), DDPMScheduler(), None, {})
    guide = Guide(make_controlnet(generator, 3), SemanticTokens(width, 4, sizes["cross_attention_dim"]))
    settings = Denoising(gradient_checkpointing=not dry)
    module = ControlNetTraining(guide, generator, 0.5, 1.0, settings, _optimisation(batch), 0)
    structure, features = torch.rand(batch, 3, 8 * side, 8 * side), torch.randn(batch, width)
    data = {
        "latent": torch.randn(batch, 4, side, side),
        "features": features,
        "eeg_features": features.clone(),
        "structure": structure,
        "eeg_structure": structure.clone(),
    }
    return module, data, [module.model.controlnet, unet]


STEPS: dict[str, Callable] = {
    function.__name__: function
    for function in (pretrain_ssmdp, finetune_lft, train_eeg_encoder, train_structural_vae, train_controlnet)
}


def _seconds_of_steps(module, data: dict, precision: str, accelerator: str, steps: int) -> list[float]:
    """Take steps on one batch, and return the seconds of each."""
    import lightning
    import torch

    class Same(torch.utils.data.IterableDataset):
        def __iter__(self):
            while True:
                yield data

    class Clock(lightning.Callback):
        def on_train_batch_start(self, *_):
            _wait(accelerator)
            self.begun = time.perf_counter()

        def on_train_batch_end(self, *_):
            _wait(accelerator)
            taken.append(time.perf_counter() - self.begun)

    taken: list[float] = []
    loader = torch.utils.data.DataLoader(Same(), batch_size=None, pin_memory=accelerator == "gpu")
    trainer = lightning.Trainer(
        accelerator=accelerator, devices=1, precision=precision, max_steps=steps, limit_val_batches=0, logger=False,
        gradient_clip_val=module.optimisation.clip_norm, callbacks=[Clock()], enable_checkpointing=False,
        enable_model_summary=False, enable_progress_bar=False,
    )  # fmt: skip
    trainer.fit(module, loader)
    return taken


def _wait(accelerator: str) -> None:
    import torch

    if accelerator == "gpu":
        torch.cuda.synchronize()


def copy_rate(device) -> float:
    """Return bytes a second, read and written, of a copy that no cache holds."""
    import torch

    source = torch.ones(2**28 if device.type == "cuda" else 2**24, device=device)
    target, times = torch.empty_like(source), []
    for _ in range(5):
        begun = time.perf_counter()
        target.copy_(source)
        _wait("gpu" if device.type == "cuda" else "cpu")
        times.append(time.perf_counter() - begun)
    return 2 * source.nbytes / median(times)


def measure(stage: str, precision: str, compiled: bool, dry: bool) -> StepTime:
    """Measure the step of a stage in this process.

    Args:
        stage: key of :data:`STEPS`.
        precision: Lightning's name of the numbers' format.
        compiled: whether the networks are compiled; dry, they are only traced.
        dry: take tiny sizes and the CPU.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.manual_seed(0)
    module, data, networks = STEPS[stage](dry)
    batch = len(next(iter(data.values())))
    accelerator, device = ("cpu", torch.device("cpu")) if dry else ("gpu", torch.device("cuda"))
    with FlopCounterMode(display=False) as counter:
        _seconds_of_steps(module, data, precision, accelerator, 1)
    if compiled:
        for network in networks:
            network.compile(**({"backend": "aot_eager"} if dry else {}))
    if not dry:
        torch.cuda.reset_peak_memory_stats()
    first, *times = _seconds_of_steps(module, data, precision, accelerator, 2 if dry else WARM_UP + MEASURED)
    step_s = median(times[min(len(times), WARM_UP) - 1 :])
    trained = sum(p.nbytes for p in module.model.parameters() if p.requires_grad)
    frozen = sum(
        p.nbytes for network in (module.model, *module.frozen) for p in network.parameters() if not p.requires_grad
    )
    least = 2 * 4 * trained + frozen
    peak = 0.0 if dry else torch.cuda.max_memory_allocated() / 2**30
    return StepTime(
        stage, batch, precision, compiled, step_s, first, peak, least / copy_rate(device) / step_s,
        counter.get_total_flops() / step_s / 1e12,
    )  # fmt: skip


def rows(dry: bool, minutes: float) -> tuple[list[StepTime], list[str]]:
    """Measure all steps, each in a process of its own.

    Args:
        dry: take tiny sizes and the CPU.
        minutes: after which no other begins.

    Returns:
        what was measured, and a line for each that was left out or failed.
    """
    ends, measured, missing = time.monotonic() + 60 * minutes, [], []
    for compiled in (False, True):
        for precision in PRECISIONS[1:] if compiled else PRECISIONS:
            for stage in STEPS:
                name = f"{stage}, {precision}{', compiled' * compiled}"
                left = ends - time.monotonic()
                if left < 0:
                    missing.append(f"{name}: left out, {minutes:g} minutes were over")
                    continue
                words = [sys.executable, "-m", "benchmarks.gpu_steps", "--one", stage, precision, str(int(compiled))]
                try:
                    done = subprocess.run(
                        [*words, *(["--dry"] if dry else [])], capture_output=True, text=True, timeout=left + 5
                    )
                except subprocess.TimeoutExpired:
                    missing.append(f"{name}: ended, {minutes:g} minutes were over")
                    continue
                if done.returncode:
                    missing.append(f"{name}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
                    continue
                measured.append(StepTime(**json.loads(done.stdout.splitlines()[-1])))
                print(f"{name}: {measured[-1].step_s:.4f} s", file=sys.stderr, flush=True)
    return measured, missing


def table(measured: list[StepTime], missing: list[str], device: str) -> str:
    """Return the page of results."""
    lines = [
        "# Steps of the trainings on a GPU",
        "",
        f"{device}; written by `python -m benchmarks.gpu_steps`, whose docstrings say what each column is.",
        "",
        "| stage | batch | precision | compiled | step, ms | first, s | memory, GiB | share of copying | TFLOP/s |",
        "|---|--:|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in measured:
        lines.append(
            f"| {row.stage} | {row.batch} | {row.precision} | {'yes' * row.compiled} | {1e3 * row.step_s:.1f} | "
            f"{row.first_s:.1f} | {row.peak_gib:.1f} | {row.copy_share:.2f} | {row.teraflops:.1f} |"
        )
    return "\n".join([*lines, "", *(f"* {line}" for line in missing)]).rstrip() + "\n"


def main(argv: list[str] | None = None) -> int:
    """Measure all steps, or one; return the exit status."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_steps", description=__doc__)
    parser.add_argument("--dry", action="store_true", help="tiny sizes on the CPU; nothing is written")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which no other step begins")
    parser.add_argument("--one", nargs=3, metavar=("STAGE", "PRECISION", "COMPILED"), help="print one as JSON")
    options = parser.parse_args(argv)
    if not options.dry and not torch.cuda.is_available():
        parser.error("there is no GPU here; --dry takes tiny steps on the CPU")
    if options.one:
        stage, precision, compiled = options.one
        print(json.dumps(asdict(measure(stage, precision, compiled == "1", options.dry))))
        return 0
    measured, missing = rows(options.dry, options.minutes)
    device = "CPU, tiny sizes" if options.dry else torch.cuda.get_device_name()
    text = table(measured, missing, f"{device}, PyTorch {torch.__version__}")
    print(text)
    if not options.dry:
        RESULTS.write_text(text)
    return int(options.dry and bool(missing))


if __name__ == "__main__":
    raise SystemExit(main())
