"""Base of registered models that generate images from EEG.

Epochs (n, electrodes, samples) as the epoch store has them -> images (n, side, side, 3) uint8. Parameters of
``predict``: ``seed``, ``arm``, one of the model's :attr:`ImageModel.arms`, and its sampling settings.
"""

from dataclasses import asdict

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature
from mlflow.types import ParamSchema, ParamSpec, Schema, TensorSpec

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.runtime.settings import validate
from eegdiffusion.core.signal.epoch_scaler import EpochInput
from eegdiffusion.images.generation.image_sampling import seeds_for
from eegdiffusion.images.generation.sampling_settings import Sampling

FULL, ZEROED, SHUFFLED = "full", "zeroed_eeg", "shuffled_eeg"

KINDS = {str: "string", int: "long", float: "double"}


def image_signature(example: np.ndarray, side: int, sampling: Sampling) -> ModelSignature:
    """Return the signature of a model that generates images.

    Args:
        example: (n, electrodes, samples) example of epochs.
        side: side of the images in pixels.
        sampling: defaults of the sampling parameters.
    """
    inputs = TensorSpec(np.dtype("float32"), (-1, *example.shape[1:]))
    outputs = TensorSpec(np.dtype("uint8"), (-1, side, side, 3))
    defaults = {"seed": 0, "arm": FULL} | asdict(sampling)
    params = [ParamSpec(name, KINDS[type(value)], value) for name, value in defaults.items()]
    return ModelSignature(Schema([inputs]), Schema([outputs]), ParamSchema(params))


class ImageModel(mlflow.pyfunc.PythonModel):
    """Base of the served models; a subclass sets ``input`` and implements :meth:`generate`.

    Attributes:
        device: what it computes on, see :func:`eegdiffusion.core.training.device.serving_device`.
        options: class of the sampling settings.
        arms: values of ``arm``: the full model, controls, and what else a subclass offers.
        input: filter and scale of the epochs.
    """

    options: type = Sampling
    arms: tuple[str, ...] = (FULL, ZEROED, SHUFFLED)
    input: EpochInput
    device: torch.device

    def generate(self, epochs: np.ndarray, arm: str, seeds: list[int], sampling: Sampling) -> np.ndarray:
        """Generate an image of each epoch.

        Args:
            epochs: (n, electrodes, samples) as the epoch store has them.
            arm: one of :attr:`arms`, but none of the EEG controls, which are made of ``epochs`` before.
            seeds: (n,) seeds of the noise.
            sampling: how images are sampled.

        Returns:
            (n, side, side, 3) uint8.
        """
        raise NotImplementedError

    def structure(self, epochs: np.ndarray) -> np.ndarray | None:
        """Predict the structure of the image seen, drawn as (n, side, side, 3) uint8; None where no part does."""
        return None

    def predict(self, context, model_input, params=None):
        """Generate an image of each epoch.

        Args:
            context: context of MLflow, which is not read.
            model_input: (n, electrodes, samples) epochs as the epoch store has them.
            params: ``seed``, ``arm`` and the sampling settings.

        Returns:
            (n, side, side, 3) uint8.

        Raises:
            InputError: there is no such arm, or a setting is out of range.
        """
        values = dict(params or {})
        seed, arm = values.pop("seed"), values.pop("arm")
        sampling: Sampling = validate(values, self.options, "params")
        epochs = np.ascontiguousarray(model_input, dtype=np.float32)
        if arm not in self.arms:
            raise InputError(f"arm: must be one of {', '.join(self.arms)} (found {arm!r})")
        if arm == ZEROED:
            epochs, arm = np.zeros_like(epochs), FULL
        if arm == SHUFFLED:
            if len(epochs) < 2:
                raise InputError("arm: shuffled_eeg needs two epochs or more (found 1)")
            epochs, arm = np.roll(epochs, 1, axis=0), FULL
        # The same seeds in all arms: they differ by nothing but their conditions.
        return self.generate(epochs, arm, seeds_for(len(epochs), 1, int(seed)), sampling)
