"""What all figures share: colours, line styles, a blank figure, axes, and how they are saved."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Names of files, corpora and subjects stand in figures as they are: two dollar signs in one enclose no formula.
rcParams["text.parse_math"] = False

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
"""Okabe and Ito's palette, which colour-blind readers can tell apart."""

LINES = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1))]
"""Line styles that go with the colours, so that a print in grey can be read."""

REAL = "#404040"
"""Colour of real EEG, wherever generated EEG stands beside it."""

DPI = 110
"""Dots per inch of figures that are saved for themselves."""


def save_figures(figures: Mapping[str, Figure], folder: Path) -> None:
    """Save figures by their names as PNG files below ``figures`` of a folder, which is made."""
    target = folder / "figures"
    target.mkdir(parents=True)
    for name, figure in figures.items():
        figure.savefig(target / f"{name}.png", dpi=DPI)


def blank_figure(title: str, width: float, height: float) -> Figure:
    """Make a figure with a title and nothing else; sizes are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, fontsize=12, fontweight="bold")
    return figure


def figure_with_axes(
    title: str, width: float, height: float, rows: int = 1, columns: int = 1, **options
) -> tuple[Figure, list[Axes]]:
    """Make a figure with a grid of axes without upper and right spines.

    Args:
        title: title of the figure.
        width: width of the figure in inches.
        height: height of the figure in inches.
        rows: rows of the grid.
        columns: columns of the grid.
        **options: passed to :meth:`matplotlib.figure.Figure.subplots`.

    Returns:
        the figure, and its axes row by row.
    """
    figure = blank_figure(title, width, height)
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    for ax in grid.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    return figure, list(grid.flat)
