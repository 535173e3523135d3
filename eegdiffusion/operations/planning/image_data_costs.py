"""What the stages take that read corpora of images and EEG, and describe the images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eegdiffusion.core.signal.epoching import Epoching
from eegdiffusion.images.features import efficientnet_lite
from eegdiffusion.images.features.efficientnet_lite import EfficientNetLite0
from eegdiffusion.images.structure.structure_kinds import KINDS
from eegdiffusion.operations.planning.corpus_size import ImageCorpusSize
from eegdiffusion.operations.planning.counted_operations import META, Operations, count, matrix_products, weight_bytes
from eegdiffusion.operations.planning.stage_cost import Phase, Planned, StageCost
from eegdiffusion.operations.planning.training_cost import inference, together

READ_BYTES_S = 500_000_000
"""Bytes a second of a recording that are read, scaled and cut."""

LATE_BYTES = 80_000_000
"""Memory of libraries that are loaded when the first covariance is computed."""

COPIES = 2.3
"""Memory of a recording while it is cut, over its file."""

TRIAL_S = 1.5e-5
"""Seconds of the reference machine to cut, quantise and write a trial, beside its samples."""

TRIAL_SAMPLE_S = 2.5e-8
"""Seconds of the reference machine for each sample of a channel of a trial, as it is recorded."""

PIXEL_S = 9e-9
"""Seconds of the reference machine to open and decode a pixel of an image's file."""

RESIZE_S = 0.005
"""Seconds of the reference machine to bring an image to a side."""

CLIP_VIT_H = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16,
              "patch_size": 14, "projection_dim": 1024}  # fmt: skip
"""Sizes of CLIP ViT-H/14, which stand for a model that is not on this disk."""


def epoch_shape(planned: Planned, corpus: str) -> tuple[int, int]:
    """Return channels and samples of the epochs of an entry of ``image_corpora``."""
    entry = planned.settings(f"image_corpora.{corpus}")
    cutting: Epoching = planned.settings(f"epochs.{entry.epochs}")
    begin = max(cutting.tmin_s, cutting.tmin_s if cutting.keep_from_s is None else cutting.keep_from_s)
    return planned.image_corpus(corpus).channels, round((cutting.tmax_s - begin) * cutting.rate_hz)


def epoch_bytes(planned: Planned, corpus: str) -> int:
    """Return the bytes of an epoch in the store: 16 bits a sample, a scale for each channel."""
    channels, samples = epoch_shape(planned, corpus)
    return 2 * channels * samples + 4 * channels


def ingest_images(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """The trials of every subject are cut, whitened by session, and written; images are hashed."""
    corpus = item["corpus"]
    size, entry = planned.image_corpus(corpus), planned.settings(f"image_corpora.{corpus}")
    cutting: Epoching = planned.settings(f"epochs.{entry.epochs}")
    channels, samples = epoch_shape(planned, corpus)
    trials = size.subjects * size.trials()
    cut = round((cutting.tmax_s - cutting.tmin_s) * size.raw_rate_hz)
    # A matrix product cuts and resamples; covariance and whitening are products of channels.
    whitened = 0 if cutting.whitening == "none" else 4
    products = matrix_products((channels, cut, samples), *[(channels, channels, samples)] * whitened)
    recording = COPIES * size.raw_bytes / max(size.subjects, 1) / size.sessions
    return StageCost(
        phases=[
            Phase("subject", size.subjects, reference_s=0.2 + size.raw_bytes / size.subjects / READ_BYTES_S),
            Phase("trial", trials, products, TRIAL_S + TRIAL_SAMPLE_S * channels * cut, on_gpu=False),
            Phase("image", size.all_images, reference_s=2e-4),
        ],
        host_bytes=LATE_BYTES + round(recording) + 16 * 1024 * channels * samples + 300 * trials,
        output_bytes=trials * (epoch_bytes(planned, corpus) + 12) + 120 * size.all_images,
        work_bytes=trials * epoch_bytes(planned, corpus),
    )


@dataclass(frozen=True)
class FeatureNetwork:
    """A frozen network of image features.

    Attributes:
        operations: of a batch of images.
        weights: bytes of its weights.
        width: length of its features.
        layer_widths: widths of the layers that can be kept beside.
        note: what is assumed of it; empty for nothing.
    """

    operations: Operations
    weights: int
    width: int
    layer_widths: list[int]
    note: str = ""


def lite0(planned: Planned, batch: int) -> FeatureNetwork:
    """Return EfficientNet-lite0 for a batch of images."""

    def counted() -> FeatureNetwork:
        with torch.device(META):
            network = EfficientNetLite0().eval()
            pixels = torch.empty(batch, 3, efficientnet_lite.SIZE, efficientnet_lite.SIZE)
        with torch.no_grad():
            operations = count(lambda: network.layers(pixels))
        widths = [blocks[-1] * efficientnet_lite.GRID**2 for blocks in efficientnet_lite.BLOCKS]
        return FeatureNetwork(operations, weight_bytes(network), efficientnet_lite.WIDTH, widths)

    return planned.once(("lite0", batch), counted)


def clip(planned: Planned, source: str | None, batch: int) -> FeatureNetwork:
    """Return a CLIP vision model for a batch of images: that of a folder, or ViT-H/14 where it is not there."""

    def counted() -> FeatureNetwork:
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        known = source is not None and Path(source).is_dir()
        if known:
            config = CLIPVisionConfig.from_pretrained(source, local_files_only=True)
        else:
            config = CLIPVisionConfig(**CLIP_VIT_H)
        with torch.device(META):
            network = CLIPVisionModelWithProjection(config).eval()
            pixels = torch.empty(batch, 3, config.image_size, config.image_size)
        with torch.no_grad():
            operations = count(lambda: network(pixel_values=pixels))
        note = "" if known else f"{source}: is not there, sizes of CLIP ViT-H/14 are assumed"
        layers = [config.hidden_size] * config.num_hidden_layers
        return FeatureNetwork(operations, weight_bytes(network), config.projection_dim, layers, note)

    return planned.once(("clip", source, batch), counted)


def feature_network(planned: Planned) -> FeatureNetwork:
    """Return the network of ``embed_images``."""
    settings = planned.settings("embed_images")
    if settings.model == "clip":
        return clip(planned, settings.source, settings.batch_size)
    return lite0(planned, settings.batch_size)


def structure_channels(planned: Planned) -> int:
    """Return the channels of the structure maps of ``embed_images``."""
    kind = planned.settings("embed_images").structure
    return KINDS["colours" if kind == "auto" else kind].channels


def opened(size: ImageCorpusSize) -> float:
    """Return the seconds of the reference machine to read an image of a corpus and bring it to a side."""
    return PIXEL_S * size.image_side**2 + RESIZE_S


def embed_images(planned: Planned, item: Mapping[str, Any]) -> StageCost:
    """Every image goes through the frozen network once, and its structure map is made."""
    settings, size = planned.settings("embed_images"), planned.image_corpus(item["corpus"])
    network, images = feature_network(planned), size.all_images
    count_ = min(
        settings.layers if isinstance(settings.layers, int) else len(settings.layers), len(network.layer_widths)
    )
    kept = np.linspace(0, len(network.layer_widths) - 1, count_).round().astype(int)
    widths = network.width + sum(network.layer_widths[k] for k in kept)
    maps = structure_channels(planned) * settings.structure_size**2
    run = inference("image", images, settings.batch_size, network.operations, network.weights, 2 * opened(size) + 1e-3)
    held = images * (4 * 2 * widths + 4 * structure_channels(planned) * settings.structure_size**2)
    notes = [network.note] if network.note else []
    return together(run, host_bytes=held, output_bytes=images * (4 * widths + maps), notes=notes)
