"""Figure of an adaptation to a new subject: retrieval against minutes of EEG, for each method."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.style import COLOURS, LINES, blank_figure
from eegdiffusion.core.storage.result_facts import METRICS
from eegdiffusion.images.adaptation.method_names import MEANING


def draw_adaptation(folder: Path) -> dict[str, Figure]:
    """Draw the curve of an adapted model, by name.

    Args:
        folder: folder of the model, as ``eeg adapt`` wrote it.
    """
    from eegdiffusion.images.adaptation.adapted_folder import read_curve  # needs torch

    facts, table = json.loads((folder / METRICS).read_text()), read_curve(folder)
    scores = [name.removesuffix("_low") for name in table if name.endswith("_low")]
    chance = {score: int(score.removeprefix("top")) / facts["images"] for score in scores}
    return {"curve": adaptation_curves(table, chance, f"{facts['subject']} ({facts['corpus']} data)")}


def adaptation_curves(table: pandas.DataFrame, chance: Mapping[str, float], title: str) -> Figure:
    """Draw retrieval of the test images over minutes of the subject's EEG, a panel for each score.

    Args:
        table: rows of :class:`eegdiffusion.images.adaptation.adaptation_curve.AdaptationCurve`.
        chance: value of each score by chance, in the order of the panels.
        title: title of the figure.
    """
    figure = blank_figure(title, 4.8 * len(chance), 4.4)
    panels = figure.subplots(1, len(chance), squeeze=False)[0]
    methods = [method for method in MEANING if method in set(table["method"])]
    for ax, (score, guess) in zip(panels, chance.items(), strict=True):
        for k, method in enumerate(methods):
            rows = table[table["method"] == method]
            middle = rows[score].to_numpy()
            shifted = rows["minutes"].to_numpy() * 1.03 ** (k - (len(methods) - 1) / 2)  # intervals stand side by side
            spread = [middle - rows[f"{score}_low"].to_numpy(), rows[f"{score}_high"].to_numpy() - middle]
            label = f"{method}: {MEANING[method]}"
            ax.errorbar(
                shifted, middle, spread, color=COLOURS[k], linestyle=LINES[k], marker="o", ms=3, elinewidth=0.8,
                label=label,
            )  # fmt: skip
        chosen = table[table["chosen"]]
        ax.plot(
            chosen["minutes"], chosen[score], "o", ms=10, mfc="none", mec="black", label="chosen by validation blocks"
        )
        ax.axhline(guess, color="black", linewidth=1, linestyle=":", label="chance")
        ax.set_xscale("log")
        ticks = sorted(set(table["minutes"]))
        ax.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        ax.minorticks_off()
        ax.set_ylim(bottom=0)
        ax.set_xlabel("minutes of the subject's EEG")
        ax.set_ylabel(score.replace("top", "top-"))
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize=8)
    return figure
