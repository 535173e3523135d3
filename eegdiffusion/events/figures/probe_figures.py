"""Figures of probes of frozen features."""

import numpy as np
import pandas
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from eegdiffusion.core.observe.figures.style import COLOURS, LINES, figure_with_axes


def probe_curves(table: pandas.DataFrame, title: str, lines: dict[str, float] | None = None) -> Figure:
    """Draw the balanced accuracy of probes by the share of labels on the left, by channels on the right.

    Args:
        table: a row for each probe: features, probe, fraction, channels, balanced_accuracy, low, high.
        title: title of the figure.
        lines: levels that are drawn across, by name, such as that of a trained classifier.
    """
    figure, (by_labels, by_channels) = figure_with_axes(title, 9.6, 4.4, 1, 2)
    for k, (name, rows) in enumerate(table.groupby("features", sort=False)):
        # Of several probes on all labels, the one that was trained on fractions of them too.
        kind = rows.sort_values("fraction", kind="stable")["probe"].iloc[0]
        rows = rows[rows["probe"] == kind]
        curve = rows[rows["channels"] == "all"].sort_values("fraction")
        shares, scores = 100 * curve["fraction"], curve["balanced_accuracy"]
        by_labels.plot(shares, scores, marker="o", color=COLOURS[k], linestyle=LINES[k], label=f"{name}, {kind}")
        by_labels.fill_between(shares, curve["low"], curve["high"], color=COLOURS[k], alpha=0.15)
        subsets = rows[rows["fraction"] == 1]
        places = np.arange(len(subsets)) + 0.12 * (k - 1)
        errors = np.abs(subsets[["low", "high"]].to_numpy().T - subsets["balanced_accuracy"].to_numpy())
        by_channels.errorbar(places, subsets["balanced_accuracy"], errors, fmt="o", color=COLOURS[k], capsize=3)
        by_channels.set_xticks(range(len(subsets)), subsets["channels"])
    for k, (name, level) in enumerate((lines or {}).items()):
        for ax in (by_labels, by_channels):
            ax.axhline(level, color="black", linewidth=1, linestyle=LINES[k % len(LINES)], label=name)
    by_labels.set_xscale("log")
    ticks = sorted(100 * table["fraction"].unique())
    by_labels.set_xticks(ticks, [f"{share:g}" for share in ticks], minor=False)
    by_labels.xaxis.set_minor_locator(NullLocator())
    by_labels.set_xlabel("share of the training labels (%)")
    by_channels.set_xlabel("derivations")
    for ax in (by_labels, by_channels):
        ax.set_ylabel("balanced accuracy")
        ax.grid(alpha=0.25)
    handles, names = by_labels.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
