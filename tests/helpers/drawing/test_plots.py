"""Protects the plots: nothing is cut off or hidden, whatever the number of classes and the length of their names."""

import importlib

import numpy as np
import pytest

from fastRCNN.evaluation import Curve
from helpers.artifacts.training_log import plot_history
from helpers.drawing.plots import plot_confusion, plot_precision_recall

LONG = ["a class name of many words that goes on and on until it is far too long for a line", "Allosaurus_" * 9, "x"]


def names_of(count):
    return LONG if count == len(LONG) else [f"class {number}" for number in range(count)]


def curve(precision):
    return Curve(np.array(precision, float), np.linspace(0.25, 1, len(precision)), np.linspace(1, 0, len(precision)), 4)


def curves_of(names, precision=(1, 1, 1, 1)):
    return {name: curve(precision) for name in names}


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def is_inside(figure, artist, slack=1.0):
    """Whether an artist lies inside of its figure."""
    box, width, height = artist.get_window_extent(), *figure.canvas.get_width_height()
    return box.x0 >= -slack and box.y0 >= -slack and box.x1 <= width + slack and box.y1 <= height + slack


def texts(figure):
    """All titles, labels and entries of legends that show something."""
    for axes in figure.axes:
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label)
        for axis, place in ((axes.xaxis, 0), (axes.yaxis, 1)):
            low, high = sorted(axis.get_view_interval())
            yield from (
                label
                for label in axis.get_ticklabels()
                if label.get_visible() and low <= label.get_position()[place] <= high
            )
    for legend in figure.legends:
        yield from legend.get_texts()
    yield from (text for text in (figure._suptitle, figure._supxlabel, figure._supylabel) if text)


def assert_whole(figure):
    pixels(figure)
    cut = [text.get_text() for text in texts(figure) if text.get_text() and not is_inside(figure, text)]
    assert cut == []


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3, 8, 25])
def test_nothing_is_cut_off(count):
    names = names_of(count)
    assert_whole(plot_precision_recall(curves_of(names), dict.fromkeys(names, 1.0)))
    assert_whole(plot_confusion(np.eye(count + 1, dtype=int) * 8, ("__background__", *names), 0.5))


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_the_legend_lies_beside_the_curves(count):
    figure = plot_precision_recall(curves_of(names_of(count)), dict.fromkeys(names_of(count), 1.0))
    pixels(figure)
    assert figure.legends[0].get_window_extent().x0 >= figure.axes[0].get_window_extent().x1
    assert figure.axes[0].get_window_extent().width > 400  # the legend takes no room from the curves


@pytest.mark.parametrize("count", [2, 5, 8])
def test_equal_curves_are_all_to_be_seen(count):
    figure = plot_precision_recall(curves_of(names_of(count)), dict.fromkeys(names_of(count), 1.0))
    for line in figure.legends[0].get_lines():
        line.set_visible(False)
    picture = pixels(figure).reshape(-1, 3)
    for line in figure.axes[0].lines:
        color = np.round(np.multiply(line.get_color(), 255)).astype(int)
        assert (np.abs(picture - color).max(axis=1) <= 2).sum() > 50, line.get_label()


def test_a_curve_that_covers_part_of_another_leaves_a_rim_of_it():
    curves = {"a": curve([1, 1, 1, 1]), "b": curve([1, 1, 1, 0.75])}
    figure = plot_precision_recall(curves, {"a": 1.0, "b": 0.9})
    first, second = figure.axes[0].lines
    assert first.get_linewidth() > second.get_linewidth()


def test_many_classes_have_axes_of_their_own():
    names = names_of(25)
    figure = plot_precision_recall(curves_of(names), dict.fromkeys(names, 0.5))
    assert sum(len(axes.lines) for axes in figure.axes) == 25
    assert [axes.get_title() for axes in figure.axes[:2]] == ["class 0  AP 0.500", "class 1  AP 0.500"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 9])
def test_names_are_shown_as_they_are(count):
    names = ["_hidden", "$100$", "$\\bad{$", *names_of(25)][:count]
    figure = plot_precision_recall(curves_of(names), dict.fromkeys(names, 1.0))
    assert_whole(figure)
    shown = " ".join(text.get_text() for text in texts(figure))
    assert all(name in shown for name in names)
    assert_whole(plot_confusion(np.eye(count + 1, dtype=int), ("__background__", *names), 0.5))


def test_classes_without_objects_have_no_curve():
    curves = {"a": curve([1, 1]), "b": Curve(np.zeros(0), np.zeros(0), np.zeros(0), 0)}
    assert len(plot_precision_recall(curves, {"a": 1.0, "b": None}).axes[0].lines) == 1
    assert not plot_precision_recall({"b": curves["b"]}, {"b": None}).legends


def test_the_confusion_matrix_sets_one_in_eight_off_and_says_what_colours_are():
    matrix = np.array([[0, 0, 0], [0, 7, 1], [0, 0, 8]])
    figure = plot_confusion(matrix, ("__background__", "a", "b"), 0.5)
    image = figure.axes[0].images[0]
    none, one, most, all_of_them = (image.cmap(image.norm(share))[:3] for share in (0, 1 / 8, 7 / 8, 1))
    for first, second in ((none, one), (one, most), (one, all_of_them)):
        assert np.abs(np.subtract(first, second)).max() > 0.2
    assert "shares of the row" in figure._suptitle.get_text() and figure.axes[1].get_ylabel() == "share of the row"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["(none)  0", "a  8", "b  8"]


def history(count):
    measures = {
        "loss": 1.0,
        "classification loss": 0.6,
        "box-regression loss": 0.4,
        "accuracy": 0.9,
        "foreground recall": 0.9,
        "mAP": 0.5,
    }
    return [measures] * count


@pytest.mark.parametrize("count", [1, 2, 5, 30])
def test_epochs_are_whole_numbers_and_the_legend_lies_beside(count):
    figure = plot_history(history(count))
    assert_whole(figure)
    ticks = [tick for tick in figure.axes[0].get_xticks() if 0.5 <= tick <= count + 0.5]
    assert ticks and all(tick == int(tick) for tick in ticks)
    assert figure.legends[0].get_window_extent().x0 >= figure.axes[0].get_window_extent().x1
    assert len(figure.legends[0].get_texts()) == 6


def test_b1_keeps_equal_curves_apart():
    b1 = importlib.import_module("B1_evaluateRois")
    values = list(np.linspace(0.9, 0.2, 10))
    figure = b1.plot_recall({50: values, 500: values, None: values}, "test")
    assert_whole(figure)
    dashes = [line._unscaled_dash_pattern for line in figure.axes[0].lines]  # no public way to ask for it
    assert dashes[0][1] is None and dashes[1] != dashes[2] and None not in (dashes[1][1], dashes[2][1])
