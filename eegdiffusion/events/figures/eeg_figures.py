"""Figures of EEG and of its classification: functions of arrays that return Matplotlib figures."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from eegdiffusion.core.observe.figures.style import COLOURS, LINES, REAL, figure_with_axes
from eegdiffusion.core.signal.spectra import BANDS

SYMBOLS = {"delta": "δ", "theta": "θ", "alpha": "α", "beta": "β", "gamma": "γ"}


def confusion(matrix: np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """Draw a confusion matrix: the share of each label's windows in colour, shares and counts in the cells.

    Args:
        matrix: (classes, classes) counts, labels in rows. The row of a class that does not occur stays empty.
        classes: names.
        title: title of the figure.
    """
    support = matrix.sum(1, keepdims=True)
    shares = np.divide(matrix, support, out=np.full(matrix.shape, np.nan), where=support > 0)
    figure, (ax,) = figure_with_axes(title, 6.6, 5.6)
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*matrix.shape):
        if support[row] > 0:
            ax.text(
                column,
                row,
                f"{shares[row, column]:.0%}\n{matrix[row, column]:.0f}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shares[row, column] > 0.55 else "black",
            )
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(classes)), classes)
    ax.set_xlabel("predicted")
    ax.set_ylabel("labelled")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    figure.colorbar(image, ax=ax, shrink=0.85, label="share of the label's windows")
    return figure


def stack(ax: Axes, signals: np.ndarray, rate_hz: float, spacing: float, colour: str, start_s: float = 0.0) -> None:
    """Draw (rows, samples) one below the other, from the time ``start_s`` on."""
    seconds = start_s + np.arange(signals.shape[1]) / rate_hz
    for row, trace in enumerate(signals):
        ax.plot(seconds, trace - row * spacing, color=colour, linewidth=0.7)


def traces(
    real: np.ndarray, generated: np.ndarray, channels: Sequence[str], rate_hz: float, title: str, each: int = 2
) -> Figure:
    """Draw real signals beside generated ones on the same scale.

    Args:
        real: (channels, signals, samples) in microvolts.
        generated: the same of generated signals.
        channels: names of the channels.
        rate_hz: sampling rate of both.
        title: title of the figure.
        each: signals that are shown of each channel.

    Returns:
        a figure of two columns.
    """
    real, generated = (array[:, :each].reshape(-1, array.shape[-1]) for array in (real, generated))
    # 99.5 % of both kinds of signal stay within their row, and one large wave does not flatten the others.
    spacing = 2 * float(np.quantile(np.abs(np.concatenate([real, generated], axis=1)), 0.995))
    names = [name for name in channels for _ in range(len(real) // len(channels))]
    figure, axes = figure_with_axes(title, 11, 1.2 + 0.75 * len(real), columns=2, sharex=True, sharey=True)
    for ax, signals, kind in zip(axes, (real, generated), ("real", "generated"), strict=True):
        stack(ax, signals, rate_hz, spacing, REAL if kind == "real" else COLOURS[0])
        ax.set_title(kind, fontsize=10)
        ax.set_xlabel("time (s)")
        ax.margins(x=0.01)
        ax.spines["left"].set_visible(False)
    axes[0].set_ylim(-(len(real) - 0.35) * spacing, 0.65 * spacing)
    axes[0].set_yticks(-spacing * np.arange(len(real)), names)
    for ax in axes:
        ax.tick_params(axis="y", length=0)
    scale_bar(axes[1], spacing)
    return figure


def scale_bar(ax: Axes, spacing: float) -> None:
    """Draw a vertical bar of a round number of microvolts, right of the traces."""
    magnitude = 10 ** np.floor(np.log10(spacing))
    height = float(max(step for step in (1, 2, 5) if step * magnitude <= spacing) * magnitude)
    x = ax.get_yaxis_transform()
    ax.plot([1.02, 1.02], [-height / 2, height / 2], transform=x, color="black", linewidth=2, clip_on=False)
    ax.text(1.035, 0, f"{height:g} µV", transform=x, va="center", fontsize=9, clip_on=False)


def spectra(
    frequencies: np.ndarray,
    real: np.ndarray,
    generated: Mapping[str, np.ndarray],
    channels: Sequence[str],
    title: str,
) -> Figure:
    """Draw power spectra of real and generated EEG, a panel for each channel, bands shaded.

    Args:
        frequencies: (bins,), Hz.
        real: (channels, bins), uV^2/Hz.
        generated: model -> (channels, bins), uV^2/Hz.
        channels: names.
        title: title of the figure.
    """
    columns = min(3, len(channels))
    rows = -(-len(channels) // columns)
    figure, axes = figure_with_axes(title, 3.8 * columns, 0.9 + 2.9 * rows, rows, columns, sharex=True, sharey=True)
    shown = (frequencies >= BANDS["delta"][0]) & (frequencies <= BANDS["gamma"][1])
    for c, (ax, channel) in enumerate(zip(axes, channels, strict=False)):
        for k, (band, (low, high)) in enumerate(BANDS.items()):
            ax.axvspan(low, high, color="black", alpha=0.03 if k % 2 else 0.08, linewidth=0)
            ax.text(np.sqrt(low * high), 0.97, SYMBOLS[band], transform=ax.get_xaxis_transform(), ha="center", va="top")
        ax.loglog(frequencies[shown], real[c, shown], color=REAL, linewidth=2, label="real")
        for k, (model, density) in enumerate(generated.items()):
            ax.loglog(
                frequencies[shown],
                density[c, shown],
                color=COLOURS[k % len(COLOURS)],
                linestyle=LINES[k % len(LINES)],
                linewidth=1.4,
                label=f"generated, {model}",
            )
        ax.set_title(channel, fontsize=10)
        ax.set_xticks([1, 4, 8, 13, 30, 70], ["1", "4", "8", "13", "30", "70"])
        ax.minorticks_off()
        ax.margins(x=0, y=0.1)
        ax.set_xlabel("frequency (Hz)")
    for ax in axes[::columns]:
        ax.set_ylabel("power (µV²/Hz)")
        ax.yaxis.set_major_formatter(LogFormatter(labelOnlyBase=True))
    for ax in axes[len(channels) :]:
        ax.set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
