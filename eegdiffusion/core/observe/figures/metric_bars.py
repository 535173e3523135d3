"""Metrics of several models side by side."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.style import COLOURS, figure_with_axes
from eegdiffusion.core.statistics.seeds import Summary


def metrics_by_model(results: Mapping[str, Mapping[str, Summary]], labels: Mapping[str, str], title: str) -> Figure:
    """Draw metrics of models side by side, bars from zero, with the standard deviation over seeds.

    Args:
        results: model -> metric -> summary.
        labels: metric -> how to call it.
        title: title of the figure.
    """
    figure, (ax,) = figure_with_axes(title, 8.6, 4.0)
    width = 0.8 / len(results)
    for k, (model, summaries) in enumerate(results.items()):
        positions = np.arange(len(labels)) + (k - (len(results) - 1) / 2) * width
        means = np.array([summaries[metric].mean for metric in labels])
        spreads = np.nan_to_num([summaries[metric].sd for metric in labels])
        ax.bar(positions, means, width * 0.92, color=COLOURS[k % len(COLOURS)], label=model)
        ax.errorbar(positions, means, spreads, fmt="none", ecolor="black", elinewidth=1, capsize=3)
        for x, mean, spread in zip(positions, means, spreads, strict=True):
            ax.text(x, max(mean + spread, 0) + 0.015, f"{mean:z.2f}", ha="center", va="bottom", fontsize=8)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(len(labels)), labels.values())
    ax.set_ylim(top=1.1)
    ax.grid(axis="y", alpha=0.25)
    ax.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
