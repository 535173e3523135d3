"""Figures of how far probabilities come true."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.style import COLOURS, LINES, figure_with_axes
from eegdiffusion.core.statistics.calibration import BINS, Reliability


def reliability_diagram(curves: Mapping[str, Reliability], title: str) -> Figure:
    """Draw the share of right windows by their probability above, and how many windows there are of each below.

    Args:
        curves: name -> windows sorted into bins.
        title: title of the figure.
    """
    figure, (shares, counts) = figure_with_axes(title, 5.6, 6.0, 2, 1, sharex=True, height_ratios=[3, 1])
    shares.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle=":", label="as it should be")
    middles, width = (np.arange(BINS) + 0.5) / BINS, 0.9 / BINS / len(curves)
    for k, (name, curve) in enumerate(curves.items()):
        some = curve.count > 0
        shares.plot(curve.confidence[some], curve.accuracy[some], "o", linestyle=LINES[k], color=COLOURS[k], label=name)
        counts.bar(middles + (k - (len(curves) - 1) / 2) * width, curve.count, width, color=COLOURS[k])
    shares.set_ylabel("share of windows that are right")
    shares.set_ylim(0, 1)
    shares.grid(alpha=0.25)
    shares.legend(frameon=False, fontsize=9)
    counts.set_ylabel("windows")
    counts.set_xlabel("probability of the most probable class")
    counts.set_xlim(0, 1)
    return figure
