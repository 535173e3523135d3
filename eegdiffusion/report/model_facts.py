"""Names, in words, of what the stages of the image models measured."""

from collections.abc import Mapping

MEASURED = {
    "caption_concept": "pictures of held-out captions whose concept a judge names, share",
    "caption_colour": "pictures of held-out captions whose colour a judge names, share",
    "true_caption_concept": "true pictures of these captions whose concept the judge names, share",
    "true_caption_colour": "true pictures of these captions whose colour the judge names, share",
    "validation_loss": "validation loss",
    "validation_loss_shuffled": "validation loss with shuffled EEG",
    "validation_loss_null": "validation loss without EEG",
    "predictor_validation_loss": "validation loss of the predictor of structure",
    "test_loss": "test loss",
    "test_loss_shuffled": "test loss with shuffled EEG",
    "test_loss_null": "test loss without EEG",
    "gain": "test loss that the EEG saves, relative",
    "train_cosine": "cosine to the image's features, training split",
    "validation_cosine": "cosine to the image's features, validation split",
    "test_cosine": "cosine to the image's features, test split",
    "picture_mse": "mean squared error of the pictures",
    "kl": "Kullback-Leibler divergence of the latents, nats",
    "vae_score": "structure of the picture, reconstructed: score",
    "vae_mean_field_score": "structure by the mean map of the training images: score",
    "vae_correlation": "structure of the picture, reconstructed: correlation",
    "vae_gain": "structure of the picture, reconstructed: share of the mean map's loss that is saved",
    "vae_two_way": "structure of the picture, reconstructed: two-way identification",
    "eeg_score": "structure from EEG: score",
    "eeg_mean_field_score": "structure by the mean map, beside that from EEG: score",
    "eeg_correlation": "structure from EEG: correlation",
    "eeg_gain": "structure from EEG: share of the mean map's loss that is saved",
    "eeg_two_way": "structure from EEG: two-way identification",
    "eeg_variance_ratio": "variance of structure from EEG over that of the pictures",
    "eeg_latent_gain": "share of the latents' variance that the EEG explains",
}
"""Metric of ``metrics.json`` -> its name in words."""

SIZES = {
    "training_images": "training images",
    "test_images": "test images",
    "pictures": "pictures",
    "held_out": "held-out pictures",
    "windows": "test windows",
    "repetitions": "repetitions averaged",
    "image_size": "image size, px",
    "side": "image size, px",
    "best_epoch": "best epoch",
    "seed": "seed",
    "predictor_parameters": "parameters of the predictor",
}
"""Size of ``metrics.json`` -> its name in words."""


def number(value: object) -> float | None:
    """Return a value of ``metrics.json`` that is a number, and no truth value; else None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def measured(facts: Mapping[str, object]) -> dict[str, str]:
    """Return what was measured, in words, each value with its interval where it has one."""
    values = {}
    for key, value in facts.items():
        if (mean := number(value)) is None or key in SIZES or key in ("parameters", "frozen"):
            continue
        if key.endswith(("_low", "_high")) and key.rpartition("_")[0] in facts:
            continue
        low, high = (number(facts.get(f"{key}_{end}")) for end in ("low", "high"))
        interval = "" if low is None or high is None else f" ({low:.4g} to {high:.4g})"
        values[MEASURED.get(key, key.replace("_", " "))] = f"{mean:.4g}{interval}"
    return values


def sizes(facts: Mapping[str, object]) -> dict[str, str]:
    """Return sizes of the training and of its data, in words."""
    return {
        SIZES[key]: f"{value:,.0f}"
        for key, fact in facts.items()
        if key in SIZES and (value := number(fact)) is not None
    }
