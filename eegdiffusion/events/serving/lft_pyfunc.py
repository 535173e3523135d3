"""A registered LFT with its frozen backbone as an MLflow model: windows -> class probabilities."""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

import mlflow
import numpy as np
import torch
from mlflow.models import ModelSignature

from eegdiffusion.core.runtime.errors import InputError
from eegdiffusion.core.storage.input_example import read_input_example
from eegdiffusion.core.storage.model_hub import load_folder
from eegdiffusion.core.training.classification_head import class_probabilities
from eegdiffusion.core.training.device import serving_device
from eegdiffusion.core.training.inference import in_parts_that_fit
from eegdiffusion.events.models import signal_transform
from eegdiffusion.events.models.latent_settings import Latents
from eegdiffusion.events.models.lft import LFT
from eegdiffusion.events.results.decision import DECISION, read_decision
from eegdiffusion.events.results.tested_subsets import SUBSETS
from eegdiffusion.events.results.window_input import PREPROCESSING, read_preprocessing
from eegdiffusion.events.serving.window_signature import CHANNELS, subset_signature, window_signature


def package(folder: Path) -> tuple[dict[str, Path], ModelSignature, np.ndarray]:
    """Return the files, signature and input example of a folder that finetune_lft wrote."""
    example = read_input_example(folder)
    classes = max(2, LFT.load_config(folder / "lft")["n_class"])  # one logit tells two classes apart
    artifacts = {name: folder / name for name in ("lft", "backbone")} | {"latents": folder / "latents.json"}
    artifacts["preprocessing"] = folder / PREPROCESSING
    if (folder / DECISION).is_file():
        artifacts["decision"] = folder / DECISION
    if not (folder / SUBSETS).is_file():  # an LFT that takes all channels alone
        return artifacts, window_signature(example, classes), example
    channels = read_preprocessing(folder / PREPROCESSING).channels
    return artifacts | {"subsets": folder / SUBSETS}, subset_signature(example, classes, channels), example


class EventClassifier(mlflow.pyfunc.PythonModel):
    """Classifies windows (n, channels, samples) in 100 uV; returns probabilities (n, classes).

    Rows sum to 1, unless the model has ``thresholds``.

    Attributes:
        preprocessing: fields of ``eegdiffusion.core.signal.preprocessing.Preprocessing``: how recordings become
            windows.
        subsets: fields of ``eegdiffusion.events.results.tested_subsets.TestedSubsets``: on which of its channels it was
            tested; None where it takes all of them alone.
        device: what it computes on, see :func:`eegdiffusion.core.training.device.serving_device`.
        thresholds: class -> least probability of it, where a window may be of several classes, or of none; else None.
    """

    def load_context(self, context) -> None:
        """Read backbone, LFT, latents and preprocessing from the model's artifacts."""
        self.device = serving_device()
        self.backbone, self.transform = signal_transform.load(Path(context.artifacts["backbone"]))
        self.backbone.to(self.device)
        self.lft = load_folder(LFT, Path(context.artifacts["lft"])).eval().to(self.device)
        recipe = json.loads(Path(context.artifacts["latents"]).read_text())["recipe"]
        self.preprocessing = asdict(read_preprocessing(Path(context.artifacts["preprocessing"])))
        self.latents = Latents(**{field.name: recipe[field.name] for field in fields(Latents) if field.name in recipe})
        self.channel_ids = recipe.get("channel_ids")  # imported by version 0.1: those of its backbone
        self.parts = recipe.get("parts", "physical")
        subsets = context.artifacts.get("subsets")
        self.subsets = None if subsets is None else json.loads(Path(subsets).read_text())

        decision = context.artifacts.get("decision")
        self.thresholds = None if decision is None else read_decision(Path(decision)).thresholds

    @torch.inference_mode()
    def predict(self, context, model_input, params=None):
        """Return the probabilities of windows (n, channels, samples) in 100 uV: (n, classes) float32.

        The parameter ``channels`` names the windows' channels where they are some of the model's, in any order.
        """
        named = (params or {}).get(CHANNELS)
        multi_label = self.thresholds is not None
        return self._in_parts(
            lambda tokens: class_probabilities(self.lft(tokens), multi_label=multi_label),
            model_input,
            None if named is None else list(named),
        )

    @torch.inference_mode()
    def classify_subsets(self, windows, channels, subsets):
        """Classify windows by subsets of their channels; the backbone, which takes most of the time, runs once.

        Args:
            windows: (n, channels, samples) in 100 uV.
            channels: names of their channels.
            subsets: (subsets, channels) of bool, which channels are seen; of each as many as the model was tested on.

        Returns:
            (n, subsets, classes) float32.

        Raises:
            InputError: the channels are not the model's, or a subset has fewer than it was tested on.
        """
        subsets = np.asarray(subsets, bool)
        for count in subsets.sum(axis=1).tolist():
            self._require_enough(count)
        chosen = [np.flatnonzero(subset) for subset in subsets]

        def classify(tokens: torch.Tensor) -> torch.Tensor:
            seen = [self.lft(tokens[:, :, :, places]) for places in chosen]
            return class_probabilities(torch.stack(seen, 1), multi_label=self.thresholds is not None)

        return self._in_parts(classify, windows, list(channels))

    def _in_parts(
        self, classify: Callable[[torch.Tensor], torch.Tensor], windows: np.ndarray, named: list[str] | None
    ) -> np.ndarray:
        """Classify windows by their tokens (n, layers, pools, channels, width), as many at once as the device holds."""
        signals = torch.as_tensor(np.ascontiguousarray(windows, dtype=np.float32))
        positions = self._positions(signals.shape[1], named)
        ids = range(len(self.preprocessing["channels"])) if self.channel_ids is None else self.channel_ids

        def classify_part(part: torch.Tensor) -> torch.Tensor:
            return classify(
                signal_transform.tokens(
                    self.backbone,
                    self.transform,
                    self.latents,
                    part.to(self.device),
                    torch.Generator().manual_seed(0),
                    [ids[k] for k in positions],
                    parts=self.parts,
                )
            )

        if self.latents.noise == "random":  # which is drawn for all windows at once
            return classify_part(signals).cpu().numpy()
        return in_parts_that_fit(classify_part, signals).numpy()

    def _positions(self, count: int, named: list[str] | None) -> list[int]:
        """Return the places of the windows' channels in the model's montage.

        Raises:
            InputError: they are not the model's channels, or fewer than it was tested on.
        """
        montage = list(self.preprocessing["channels"])
        names = montage if named is None else named
        if unknown := sorted({name for name in names if name not in montage or names.count(name) > 1}):
            rule = f"must be of the model's channels, {', '.join(montage)}, each once"
            raise InputError(f"{CHANNELS}: {rule} (found {', '.join(unknown)})")
        if count != len(names):
            rule = f"must have {len(names)} channels, or {CHANNELS} must name those that they have"
            raise InputError(f"windows: {rule} (found {count})")
        self._require_enough(count)
        return [montage.index(name) for name in names]

    def _require_enough(self, count: int) -> None:
        whole = len(self.preprocessing["channels"])
        fewest = whole if self.subsets is None else min(each["count"] for each in self.subsets["subsets"])
        if count < fewest:
            raise InputError(
                f"{CHANNELS}: must be {fewest} or more, as the model was tested on no fewer (found {count})"
            )


mlflow.models.set_model(EventClassifier())
