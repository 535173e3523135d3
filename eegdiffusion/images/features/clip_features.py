"""CLIP's image features, of a model that the user has: a folder, or a commit of the hub."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.model_hub import load_folder, model_folder
from eegdiffusion.images.features.image_features import OUTPUT


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
            model = load_folder(CLIPVisionModelWithProjection, folder)
            self.model = model.eval().requires_grad_(False).to(device)
            self.processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{setting}: {source}: must be a CLIP model ({error})") from error

    @property
    def layer_names(self) -> list[str]:
        """Names of the layers, from shallow to deep: the blocks of the transformer, and the projected features."""
        return [*(f"block{number}" for number in range(1, self.model.config.num_hidden_layers + 1)), OUTPUT]

    @torch.inference_mode()
    def layers(self, images: list[Image.Image], names: Sequence[str]) -> dict[str, np.ndarray]:
        """Compute activations of some layers, (images, width) float32 each, not normalised.

        Those of a block are its class token; those of ``output`` are the projected features.
        """
        inputs = self.processor(images=images, return_tensors="pt").to(self.model.device)
        outputs = self.model(**inputs, output_hidden_states=any(name != OUTPUT for name in names))
        values = {OUTPUT: outputs.image_embeds}
        values |= {f"block{k}": state[:, 0] for k, state in enumerate(outputs.hidden_states or ()) if k}
        return {name: values[name].float().cpu().numpy() for name in names}

    def features(self, images: list[Image.Image]) -> np.ndarray:
        """Compute the projected features, not normalised: (images, width) float32."""
        return self.layers(images, [OUTPUT])[OUTPUT]
