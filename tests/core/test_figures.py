"""Figures are checked by what they draw: artists, their data, and that no two texts overlap."""

import itertools

import numpy as np
import pandas
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from eegdiffusion.core.observe.figures.learning_curves import learning_curves
from eegdiffusion.core.observe.figures.metric_bars import metrics_by_model
from eegdiffusion.core.observe.figures.style import COLOURS, LINES
from eegdiffusion.core.signal import spectra
from eegdiffusion.core.statistics.classification_metrics import METRICS
from eegdiffusion.core.statistics.seeds import Summary
from eegdiffusion.events.figures import eeg_figures

CLASSES = ["SPSW", "GPED", "PLED", "EYEM", "ARTF", "BCKG"]
CHANNELS = ["FP1-F7", "A1-T3", "C3-P3"]
RATE = 200.0


def _confusion():
    matrix = np.random.default_rng(0).integers(0, 90, (6, 6)) + 400 * np.eye(6, dtype=int)
    matrix[3] = 0
    return eeg_figures.confusion(matrix, CLASSES, "LFT, confusion matrix (surrogate data)")


def _curves():
    epochs = np.arange(1, 9)
    table = pandas.DataFrame({"epoch": epochs, "train_loss": 1 / epochs, "validation_cohen_kappa": 1 - 1 / epochs})
    models = {name: [table, table + 0.1] for name in ("LFT", "SPaRCNet", "ContraWR", "LFT, shuffled labels")}
    panels = {"train_loss": "training loss", "validation_cohen_kappa": "validation kappa"}
    return learning_curves(models, panels, "Learning curves (surrogate data)")


def _metrics():
    models = ("LFT", "SPaRCNet", "ContraWR", "LFT, shuffled labels")
    results = {m: {name: Summary(0.9 - 0.25 * k, 0.04, 3) for name in METRICS} for k, m in enumerate(models)}
    return metrics_by_model(results, dict(zip(METRICS, "abc", strict=True)), "Metrics (surrogate data)")


def _eeg():
    draw = np.random.default_rng(0)
    return 20 * draw.standard_normal((3, 8, 1000)), 30 * draw.standard_normal((3, 8, 1000))


def _traces():
    return eeg_figures.traces(*_eeg(), CHANNELS, RATE, "Real and generated EEG (surrogate data)")


def _spectra():
    real, generated = _eeg()
    frequencies, density = spectra.welch(real, RATE)
    _, other = spectra.welch(generated, RATE)
    models = {"base": other, "linear": 2 * other, "nolaw": 3 * other}
    return eeg_figures.spectra(frequencies, density, models, CHANNELS, "Power spectra (surrogate data)")


ALL = [_confusion, _curves, _metrics, _traces, _spectra]


def _drawn_texts(figure) -> dict:
    """Every line of text that ends up in the picture, and the box that it takes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, found = canvas.get_renderer(), {}

    def draw_text(gc, x, y, text, prop, angle, ismath=False, mtext=None):
        if mtext is not None:  # lines of a text of several lines come one by one
            found[mtext] = mtext.get_window_extent(renderer)

    renderer.draw_text = draw_text
    figure.draw(renderer)
    return found


@pytest.mark.parametrize("make", ALL)
def test_no_text_overlaps_another_or_leaves_the_figure(make):
    figure = make()
    boxes = _drawn_texts(figure)
    assert len(boxes) > 5
    page = figure.bbox
    for text, box in boxes.items():
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert inside, f"{text.get_text()!r} leaves the figure"
    for (text, box), (other, theirs) in itertools.combinations(boxes.items(), 2):
        assert not box.padded(-1).overlaps(theirs), f"{text.get_text()!r} overlaps {other.get_text()!r}"


def test_confusion_shows_shares_and_counts_and_leaves_a_missing_class_empty():
    figure = eeg_figures.confusion(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]), ["a", "b", "c"], "title")
    ax = figure.axes[0]
    shown = ax.images[0].get_array()
    assert np.allclose(shown[:2], [[0.75, 0.25, 0], [0, 1, 0]])
    # An image masks what is NaN.
    assert np.ma.getmaskarray(shown)[2].all()
    assert [text.get_text() for text in ax.texts[:2]] == ["75%\n3", "25%\n1"]
    assert len(ax.texts) == 6


def test_traces_share_their_scale_and_name_it():
    real, generated = _eeg()
    left, right = _traces().axes
    assert left.get_ylim() == right.get_ylim()
    spacing = 2 * np.quantile(np.abs(np.concatenate([real[:, :2], generated[:, :2]], axis=None)), 0.995)
    drawn = np.stack([line.get_ydata() for line in left.lines])
    assert np.allclose(drawn + spacing * np.arange(6)[:, None], real[:, :2].reshape(6, -1))
    assert [label.get_text() for label in left.get_yticklabels()] == ["FP1-F7"] * 2 + ["A1-T3"] * 2 + ["C3-P3"] * 2
    bar = right.lines[-1].get_ydata()
    assert right.texts[-1].get_text() == f"{bar[1] - bar[0]:g} µV"
    assert bar[1] - bar[0] <= spacing


def test_learning_curves_draw_each_seed_and_name_each_model_once():
    figure = _curves()
    assert [len(ax.lines) for ax in figure.axes] == [8, 8]
    assert [text.get_text() for text in figure.legends[0].get_texts()][:2] == ["LFT", "SPaRCNet"]
    assert len(figure.legends[0].get_texts()) == 4


def test_bars_are_means_and_whiskers_sds():
    figure = metrics_by_model({"m": {"k": Summary(0.5, 0.1, 3)}}, {"k": "kappa"}, "title")
    ax = figure.axes[0]
    assert ax.patches[0].get_height() == 0.5
    assert np.allclose(ax.collections[0].get_segments()[0][:, 1], [0.4, 0.6])


def test_spectra_show_the_bands_of_preprocessing():
    figure = _spectra()
    for ax, channel in zip(figure.axes, CHANNELS, strict=True):
        assert ax.get_title() == channel
        assert len(ax.lines) == 4
        frequencies = ax.lines[0].get_xdata()
        assert (frequencies.min(), frequencies.max()) == (0.5, 75)


def test_every_colour_has_a_line_style_of_its_own():
    assert len(set(COLOURS)) == len(set(map(str, LINES))) == len(COLOURS)


@pytest.mark.parametrize("name", ["Ward $5_$ 10%", "$x$ and $y_$", r"a\$b$", "{$^$}", "$$"])
def test_a_name_with_dollar_signs_stands_as_it_is(name):
    figure = eeg_figures.confusion(np.eye(2, dtype=int), [name, "b"], name)
    FigureCanvasAgg(figure).draw()
    texts = [text.get_text() for text in figure.findobj(match=Text)]
    assert texts.count(name) >= 2
    assert not any(text.get_parse_math() for text in figure.findobj(match=Text) if text.get_text() == name)


def test_powers_of_ten_are_written_out():
    figure = _spectra()
    FigureCanvasAgg(figure).draw()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert any(labels)
    assert not any("$" in text.get_text() for text in figure.findobj(match=Text))
    assert all(float(label) > 0 for label in labels if label)
