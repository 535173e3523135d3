"""What a trained EEG-ConDiffusion leaves behind beside its weights: losses by condition, counts, figures."""

import numpy as np
import pandas
from matplotlib.figure import Figure

from components.train_condiffusion.settings import TrainConDiffusion
from eegdiffusion.core.observe.figures.image_grid import image_grid
from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.images.condiffusion.condiffusion_sampling import Pictures, generate
from eegdiffusion.images.epochs.paired_epochs import PairedEpochs, mismatched
from eegdiffusion.images.generation.image_sampling import seeds_for

SAMPLES = 2
"""Pictures of each epoch in the figure."""


def frozen(sizes: dict[str, int], trained: dict[str, int], adaptation: str) -> dict[str, int]:
    """Count the parameters that stayed as they were.

    Args:
        sizes: parameters of UNet and other networks before training.
        trained: of each part.
        adaptation: whole layers, which are no longer among the frozen, or adapters beside them.
    """
    inside = trained["cross_attention"] if adaptation == "full" else 0
    return sizes | {"unet": sizes["unet"] - inside}


def draw(
    pictures: Pictures, epochs: PairedEpochs, seen: np.ndarray, curves: list[dict[str, float]],
    settings: TrainConDiffusion, facts: dict,
) -> dict[str, Figure]:  # fmt: skip
    """Draw loss curves, and test epochs' pictures beside those seen and those of the controls; by name.

    Args:
        pictures: the trained model.
        epochs: of the test split, as they are stored.
        seen: (images, side, side, 3) uint8.
        curves: a row a round.
        settings: of the stage.
        facts: its ``metrics.json``.
    """
    title = f"EEG-ConDiffusion ({facts['corpus']} data)"
    panels = {"train_loss": "training loss", "validation_loss": "validation loss"}
    table = pandas.DataFrame(curves)
    found = {"curves": learning_curves({"condiffusion": [table]}, panels, title)}
    image = epochs.table["image"].to_numpy()
    rows = np.sort(np.unique(image, return_index=True)[1])[: settings.shown]
    items = epochs.__getitems__(rows.tolist())
    one = seeds_for(len(rows), 1, settings.seed)
    more = seeds_for(len(rows), SAMPLES, settings.seed)
    count = facts["repetitions"]
    trial = "a trial" if count == 1 else f"{count} trials"
    shown = {"seen": np.asarray(seen[image[rows]])}

    def made(eeg: np.ndarray, subject: np.ndarray, seeds: list[int]) -> np.ndarray:
        return generate(pictures, eeg, seeds, settings.sampling, subject)

    drawn = made(items["eeg"], items["subject"], more)
    shown |= {f"from {trial}, {k + 1}": drawn[k::SAMPLES] for k in range(SAMPLES)}
    shown["zeroed EEG"] = made(np.zeros_like(items["eeg"]), items["subject"], one)
    if len(rows) > 1:
        order = mismatched(image[rows], settings.seed)
        shown["another image's"] = made(items["eeg"][order], items["subject"][order], one)
    found["samples"] = image_grid(shown, f"Pictures of test epochs, {title}")
    return found
