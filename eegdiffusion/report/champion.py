"""The registry's champion beside the LFT of the report, on the same test windows."""

import numpy as np

from eegdiffusion.events.results.champion_predictions import ChampionPredictions
from eegdiffusion.report.classifier_results import WINDOW, ClassifierResults


def compare_champion(
    lft: ClassifierResults, champion: ChampionPredictions | None
) -> tuple[dict[str, ClassifierResults], list[str]]:
    """Read a champion's predictions as results that can be compared with the LFT's.

    Args:
        lft: the LFT of the report.
        champion: what the champion said of its test windows; None: there is none, or it is not kept here.

    Returns:
        its results by name, empty where they do not compare; and remarks that say why, or whose they are.
    """
    if champion is None:
        return {}, []
    name = f"champion (version {champion.version})"
    tables = list(champion.predictions.values())
    if not all(table[WINDOW].equals(lft.windows) for table in tables):
        return {}, [f"The {name} was tested on other windows and is not compared"]
    classes = [f"p{k}" for k in range(lft.probabilities.shape[-1])]
    probabilities = np.stack([table[classes].to_numpy() for table in tables])
    if np.array_equal(probabilities, lft.probabilities):
        return {}, [f"This is the {name}"]
    seeds = list(range(len(tables)))
    return {name: ClassifierResults(seeds, lft.parameters, lft.windows, probabilities, [])}, []
