"""The head in YAML of a model card, by which hubs of models list, filter and compare."""

from collections.abc import Mapping

import yaml

from eegdiffusion.core.statistics.seeds import Summary
from eegdiffusion.operations.registry.registry_config import SURROGATE, RegisteredModelConfig

CLASSIFICATION = ("time-series-classification", "classification of EEG")
GENERATION = ("image-generation", "images from EEG")

TASKS = {
    "ssmdp_pyfunc": ("feature-extraction", "representation of EEG"),
    "lft_pyfunc": CLASSIFICATION,
    "baseline_pyfunc": CLASSIFICATION,
    "aligned_pyfunc": ("image-retrieval", "retrieval of images by EEG"),
    "classifier_pyfunc": CLASSIFICATION,
    "structure_pyfunc": ("feature-extraction", "structure of images"),
    "condiffusion_pyfunc": GENERATION,
    "sgdm_pyfunc": GENERATION,
}
"""Module that serves a model -> the name of its task, as hubs write it, and in words."""


def card_head(
    name: str, config: RegisteredModelConfig, corpus: str, split: str | None, scores: Mapping[str, Summary]
) -> str:
    """Write the head of a card, between lines of three dashes.

    Args:
        name: name of the registered model.
        config: its configuration.
        corpus: name of the corpus.
        split: split that the scores are of.
        scores: metric -> summary over seeds.
    """
    task, words = TASKS.get(config.serving.rpartition(".")[2], ("other", config.description))
    dataset = {"type": corpus.lower().replace(" ", "-"), "name": corpus} | ({"split": split} if split else {})
    metrics = [
        {"type": metric, "name": f"{metric}, mean of {summary.n} seeds", "value": round(float(summary.mean), 4)}
        for metric, summary in scores.items()
        if summary.mean == summary.mean
    ]
    document: dict[str, object] = {
        "license": "other",
        "license_name": "terms-of-the-corpus",
        "library_name": "eegdiffusion",
        **({"pipeline_tag": task} if task == "feature-extraction" else {}),  # hubs have none for the others
        "tags": ["eeg", "diffusion", *([SURROGATE] if corpus.startswith(SURROGATE) else [])],
        "datasets": [dataset["type"]],
        "metrics": [metric["type"] for metric in metrics],
    }
    if metrics:
        results = [{"task": {"type": task, "name": words}, "dataset": dataset, "metrics": metrics}]
        document["model-index"] = [{"name": name, "results": results}]
    return f"---\n{yaml.safe_dump(document, sort_keys=False, allow_unicode=True)}---\n"
