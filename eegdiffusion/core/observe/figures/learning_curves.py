"""Learning curves: metrics over epochs, of several models and seeds."""

from collections.abc import Mapping, Sequence

import pandas
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.style import COLOURS, LINES, figure_with_axes


def learning_curves(curves: Mapping[str, Sequence[pandas.DataFrame]], panels: Mapping[str, str], title: str) -> Figure:
    """Draw metrics over epochs, a panel for each metric, a colour for each model, a line for each of its seeds.

    Args:
        curves: model -> a table for each seed, with the column ``epoch`` and the metrics.
        panels: column -> label of its axis.
        title: title of the figure.
    """
    figure, axes = figure_with_axes(title, 4.6 * len(panels), 3.8, columns=len(panels), sharex=True)
    for ax, (column, label) in zip(axes, panels.items(), strict=True):
        for k, (model, tables) in enumerate(curves.items()):
            for seed, table in enumerate(tables):
                ax.plot(
                    table["epoch"],
                    table[column],
                    color=COLOURS[k % len(COLOURS)],
                    linestyle=LINES[k % len(LINES)],
                    linewidth=1.4,
                    alpha=0.85,
                    marker="o" if len(table) == 1 else None,
                    label=model if seed == 0 else None,
                )
        ax.set_xlabel("epoch")
        ax.set_ylabel(label)
        ax.grid(alpha=0.25)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
