"""Figures of EEG encoders: topographies of evoked potentials and of importance, retrieved images, repetitions."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import mne
import numpy as np
import pandas
from matplotlib.figure import Figure

from eegdiffusion.core.observe.figures.style import COLOURS, LINES, blank_figure
from eegdiffusion.images.encoders.encoder_inspection import FILE, EncoderInspection

MONTAGE = "standard_1005"

MOMENTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)
"""Seconds from the onset of which a topography is drawn, where the epochs reach so far."""


LABEL = 18
"""Number of letters that fit along an image's side."""


def draw_encoder(folder: Path) -> dict[str, Figure]:
    """Draw the figures of an aligned encoder by name; none where the training was not inspected.

    Args:
        folder: folder of a training, as ``train_eeg_encoder`` wrote it.
    """
    if not (folder / FILE).is_file():
        return {}
    inspection, facts = EncoderInspection.load(folder), json.loads((folder / "metrics.json").read_text())
    title = f"{facts['encoder']} ({facts['corpus']} data)"
    figures = {"retrieved": retrieved_images(inspection, f"Seen and retrieved images, {title}")}
    channels = inspection.channels.tolist()
    if positioned(channels):
        unit = {"uV": "µV"}.get(inspection.unit, inspection.unit)
        figures["evoked"] = evoked_topographies(
            inspection.evoked, inspection.times, channels, unit, f"Evoked potential, {title}"
        )
        figures["importance"] = importance_topography(
            inspection.importance, channels, f"Importance of electrodes, {title}"
        )
        figures["saliency"] = saliency_topographies(inspection, channels, f"What retrieval rests on, {title}")
    return figures


def positioned(channels: Sequence[str]) -> bool:
    """Tell whether the positions of all electrodes are known by their names."""
    return set(channels) <= set(mne.channels.make_standard_montage(MONTAGE).ch_names)


def _info(channels: Sequence[str]) -> mne.Info:
    return mne.create_info(list(channels), 100.0, "eeg").set_montage(MONTAGE)


def _topography(values: np.ndarray, info: mne.Info, ax, limits: tuple[float, float], colours: str):
    # Beyond the electrodes nothing is known: the surface ends near them.
    image, _ = mne.viz.plot_topomap(
        values, info, axes=ax, show=False, vlim=limits, cmap=colours, extrapolate="local", contours=4
    )
    return image


def evoked_topographies(
    evoked: np.ndarray, times: np.ndarray, channels: Sequence[str], unit: str, title: str
) -> Figure:
    """Draw an evoked potential over time and as topographies.

    Args:
        evoked: (electrodes, samples).
        times: (samples,) seconds from the onset of the image.
        channels: electrodes whose positions are known.
        unit: unit of the values.
        title: title of the figure.
    """
    moments = [moment for moment in MOMENTS if times[0] <= moment <= times[-1]]
    figure = blank_figure(title, 1.7 * max(5, len(moments)) + 0.8, 5.4)
    grid = figure.add_gridspec(2, len(moments) + 1, height_ratios=[1.1, 1], width_ratios=[1] * len(moments) + [0.07])
    ax = figure.add_subplot(grid[0, :-1])
    for k, trace in enumerate(evoked):
        ax.plot(1000 * times, trace, linewidth=0.7, color="#404040", alpha=0.5, label="electrodes" if not k else None)
    ax.plot(1000 * times, evoked.std(0), linewidth=2, color=COLOURS[0], label="sd over electrodes")
    for moment in moments:
        ax.axvline(1000 * moment, color=COLOURS[1], linewidth=0.8, linestyle=":")
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("time from the onset of the image (ms)")
    ax.set_ylabel(f"evoked potential ({unit})")
    ax.legend(frameon=False, fontsize=9, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
    ax.margins(x=0)
    info, limit = _info(channels), float(np.abs(evoked).max())
    for k, moment in enumerate(moments):
        panel = figure.add_subplot(grid[1, k])
        image = _topography(evoked[:, np.abs(times - moment).argmin()], info, panel, (-limit, limit), "RdBu_r")
        panel.set_title(f"{1000 * moment:.0f} ms", fontsize=10)
    figure.colorbar(image, cax=figure.add_subplot(grid[1, -1]), label=unit)
    return figure


def importance_topography(importance: np.ndarray, channels: Sequence[str], title: str) -> Figure:
    """Draw the importance of electrodes as a topography, and the electrodes that matter most.

    Args:
        importance: (electrodes,) share of the margin that is lost without each.
        channels: electrodes whose positions are known.
        title: title of the figure.
    """
    figure = blank_figure(title, 8.4, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
    limit = float(np.abs(importance).max()) or 1.0
    image = _topography(importance, _info(channels), left, (-limit, limit), "PuOr_r")
    figure.colorbar(image, ax=left, shrink=0.8, label="share of the margin lost")
    order = np.argsort(importance)[::-1][:10][::-1]
    right.barh([channels[k] for k in order], importance[order], color=COLOURS[0])
    right.set_xlabel("share of the margin lost")
    right.set_title("the electrodes that matter most", fontsize=10)
    right.spines[["top", "right"]].set_visible(False)
    right.tick_params(labelsize=9)
    return figure


def saliency_topographies(inspection: EncoderInspection, channels: Sequence[str], title: str) -> Figure:
    """Draw what retrieval loses without each electrode in stretches of time and in bands, below what all lose at once.

    Args:
        inspection: what is drawn.
        channels: electrodes whose positions are known.
        title: title of the figure.
    """
    times = [f"{1000 * start:.0f} to {1000 * stop:.0f} ms" for start, stop in inspection.windows]
    bands = [f"{low:g} to {high:g} Hz" for low, high in inspection.bands]
    rows = [(names, values) for names, values in ((times, inspection.by_window), (bands, inspection.by_band)) if names]
    columns = max(len(names) for names, _ in rows)
    figure = blank_figure(title, 1.45 * columns + 0.8, 3.6 * len(rows))
    grid = figure.add_gridspec(
        2 * len(rows), columns + 1, height_ratios=[0.7, 1] * len(rows), width_ratios=[1] * columns + [0.07]
    )
    info = _info(channels)
    for k, (names, values) in enumerate(rows):
        together, each = values[:, -1], values[:, :-1]
        limit, highest = float(np.abs(each).max()) or 1.0, max(0.0, float(together.max())) or 1.0
        for column, name in enumerate(names):
            ax = figure.add_subplot(grid[2 * k, column])
            ax.bar([0], [together[column]], color=COLOURS[0], width=0.6)
            ax.axhline(0, color="black", linewidth=0.8)
            ax.set(ylim=(min(0.0, float(together.min())), 1.1 * highest), xlim=(-1, 1), xticks=[])
            ax.set_title(name, fontsize=8)
            ax.tick_params(labelsize=7, labelleft=not column)
            ax.spines[["top", "right"]].set_visible(False)
            if not column:
                ax.set_ylabel("all hidden", fontsize=8)
            panel = figure.add_subplot(grid[2 * k + 1, column])
            image = _topography(each[column], info, panel, (-limit, limit), "PuOr_r")
        bar = figure.colorbar(image, cax=figure.add_subplot(grid[2 * k + 1, -1]))
        bar.set_label("share of the margin lost", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return figure


def retrieved_images(inspection: EncoderInspection, title: str) -> Figure:
    """Draw images that were seen, and beside each what its EEG retrieved; the right one is framed."""
    rows, count = inspection.seen, inspection.retrieved.shape[1]
    figure = blank_figure(title, 1.35 * (count + 1) + 0.6, 1.45 * len(rows) + 0.8)
    grid = figure.subplots(len(rows), count + 1, squeeze=False)
    for k, axes in enumerate(grid):
        for ax in axes:
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
        axes[0].imshow(inspection.seen[k])
        axes[0].set_ylabel(textwrap.fill(str(inspection.concepts[k]), LABEL), fontsize=8)
        for ax, image, right in zip(axes[1:], inspection.retrieved[k], inspection.right[k], strict=True):
            ax.imshow(image)
            if right:
                ax.spines[:].set(visible=True, color=COLOURS[2], linewidth=4)
    grid[0, 0].set_title("seen", fontsize=10)
    for k, ax in enumerate(grid[0, 1:]):
        ax.set_title(f"retrieved {k + 1}", fontsize=10)
    return figure


def repetition_curves(curves: Mapping[str, pandas.DataFrame], chance: Mapping[str, float], title: str) -> Figure:
    """Draw retrieval over the number of averaged repetitions, a panel for each score.

    Args:
        curves: table of each model by name, with a row for each number of repetitions: ``repetitions``, and of each
            score its mean and interval, ``<score>``, ``<score>_low``, ``<score>_high``.
        chance: value of each score by chance, in the order of the panels.
        title: title of the figure.
    """
    figure = blank_figure(title, 4.6 * len(chance), 4.2)
    panels = figure.subplots(1, len(chance), squeeze=False)[0]
    for ax, (score, guess) in zip(panels, chance.items(), strict=True):
        for k, (model, table) in enumerate(curves.items()):
            # A second round of colours has other lines; intervals stand side by side, as areas would cover each other.
            colour, line = COLOURS[k % len(COLOURS)], LINES[(k + k // len(COLOURS)) % len(LINES)]
            mean, shifted = table[score], table["repetitions"] * 1.04 ** (k - (len(curves) - 1) / 2)
            spread = [mean - table[f"{score}_low"], table[f"{score}_high"] - mean]
            ax.errorbar(
                shifted, mean, spread, color=colour, linestyle=line, marker="o", ms=3, elinewidth=0.8, label=model
            )
        ax.axhline(guess, color="black", linewidth=1, linestyle=":", label="chance")
        ax.set_xscale("log")
        ticks = sorted({count for table in curves.values() for count in table["repetitions"]})
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        ax.set_ylim(bottom=0)
        ax.set_xlabel("repetitions averaged")
        ax.set_ylabel(score.replace("top", "top-"))
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    return figure
