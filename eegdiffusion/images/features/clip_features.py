"""CLIP's image features, of a model that the user has: a folder, or a commit of the hub."""

import numpy as np
import torch
from PIL import Image

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.model_hub import model_folder


class ClipImages:
    """A CLIP vision model with its projection (ViT-L/14: 768 wide, ViT-H/14: 1024).

    Args:
        source: folder of the model, or ``owner/name@commit`` of the hub.
        device: device that it runs on.
        setting: name of the setting that named the source, for errors.
        download: whether the hub may be asked for what is not on the disk.

    Raises:
        InputError: no such model can be loaded.
    """

    def __init__(
        self,
        source: str,
        device: torch.device | str = "cpu",
        setting: str = "embed_images.source",
        download: bool = False,
    ):
        from transformers import AutoImageProcessor, CLIPVisionModelWithProjection

        folder = model_folder(source, download, setting, "a CLIP model")
        try:
            model = CLIPVisionModelWithProjection.from_pretrained(folder, local_files_only=True)
            self.model = model.eval().requires_grad_(False).to(device)
            self.processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{setting}: {source}: must be a CLIP model ({error})") from error

    @torch.inference_mode()
    def features(self, images: list[Image.Image]) -> np.ndarray:
        """Compute the projected features, not normalised: (images, width) float32."""
        inputs = self.processor(images=images, return_tensors="pt").to(self.model.device)
        return self.model(**inputs).image_embeds.float().cpu().numpy()
