"""Depth of pictures, by a model of transformers that the user has in a folder."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from transformers import AutoImageProcessor, AutoModelForDepthEstimation

from eegdiffusion.core.runtime.errors import InputError


class DepthMaps:
    """A depth estimation model, e.g. Depth Anything or DPT.

    Args:
        source: its folder; nothing is downloaded.
        device: e.g. ``cpu``.

    Raises:
        InputError: there is no such model.
    """

    def __init__(self, source: Path, device: torch.device | str = "cpu"):
        try:
            if not source.is_dir():
                raise OSError("there is no such folder")
            self._model = AutoModelForDepthEstimation.from_pretrained(source, local_files_only=True).eval().to(device)
            self._processor = AutoImageProcessor.from_pretrained(source, local_files_only=True)
        except (OSError, ValueError) as error:
            rule = "must be the folder of a depth model of transformers"
            raise InputError(f"embed_images.structure_source: {source}: {rule} ({error})") from error

    @torch.inference_mode()
    def __call__(self, pictures: list[Image.Image], side: int) -> np.ndarray:
        """Estimate depth as the model gives it, each picture's from 0 to 1: (pictures, side, side) float32."""
        inputs = self._processor(images=pictures, return_tensors="pt").to(self._model.device)
        found = self._model(**inputs).predicted_depth.float()[:, None]
        found = functional.interpolate(found, (side, side), mode="bilinear", antialias=True)[:, 0]
        low, high = found.amin((1, 2), keepdim=True), found.amax((1, 2), keepdim=True)
        return ((found - low) / (high - low).clamp(min=1e-6)).cpu().numpy()
