"""Depth of images, estimated by a model of transformers that the user has in a folder."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from eegdiffusion.core.runtime.errors import InputError


class DepthMaps:
    """A depth estimation model, e.g. Depth Anything or DPT.

    Args:
        source: folder of the model; nothing is downloaded.
        device: device that it runs on.

    Raises:
        InputError: there is no such model.
    """

    def __init__(self, source: Path, device: torch.device | str = "cpu"):
        from transformers import AutoImageProcessor, AutoModelForDepthEstimation

        options = {"local_files_only": True, "trust_remote_code": False}
        try:
            if not source.is_dir():
                raise OSError("there is no such folder")
            self._model = AutoModelForDepthEstimation.from_pretrained(source, use_safetensors=True, **options).eval()
            self._model.to(device)
            self._processor = AutoImageProcessor.from_pretrained(source, **options)
        except (OSError, ValueError) as error:
            rule = "must be the folder of a depth model of transformers"
            raise InputError(f"embed_images.structure_source: {source}: {rule} ({error})") from error

    @torch.inference_mode()
    def __call__(self, images: list[Image.Image], side: int) -> np.ndarray:
        """Estimate depth as the model gives it, scaled from 0 to 1 in each image: (images, side, side) float32."""
        inputs = self._processor(images=images, return_tensors="pt").to(self._model.device)
        depth = self._model(**inputs).predicted_depth.float()[:, None]
        depth = functional.interpolate(depth, (side, side), mode="bilinear", antialias=True)[:, 0]
        low, high = depth.amin((1, 2), keepdim=True), depth.amax((1, 2), keepdim=True)
        return ((depth - low) / (high - low).clamp(min=1e-6)).cpu().numpy()
