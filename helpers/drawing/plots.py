"""Plots as matplotlib figures; only scripts write them. Made without a screen."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from helpers.base.files import atomic_path
from helpers.config.labels import BACKGROUND
from helpers.drawing.boxes import class_color
from helpers.drawing.fonts import drawable_names, plot_families

THINNEST, WIDER = 1.6, 0.7  # points: the width of the last curve, and what each one before it has more
DASH = 5.0  # widths of the line: a dash of each of several equal curves
MOST_CURVES = 8  # in one pair of axes: with more classes each has its own
NAME_LENGTH = 28  # letters of a class name in a line; longer ones are broken


class Curve(Protocol):
    """Precision over recall of a class: float arrays (D,), each after one more detection; `fastRCNN.evaluation`'s."""

    @property
    def recall(self) -> np.ndarray: ...
    @property
    def precision(self) -> np.ndarray: ...
    @property
    def nr_objects(self) -> int: ...


def new_figure(width: float = 7.0, height: float = 5.0) -> tuple[Figure, Axes]:
    """An empty figure, sizes in inches, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def write_figure(path: Path, figure: Figure, dpi: int = 110) -> None:
    """Write a figure as PNG at once or not at all; the same figure gives the same bytes."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, metadata={"Software": None})


def set_curves_off(lines: Sequence[Line2D]) -> None:
    """Let no curve hide another: each is thinner than those before it, equal ones share a line by dashes in turn."""
    groups: dict[bytes, list[Line2D]] = {}
    for line in lines:
        groups.setdefault(_points_of(line), []).append(line)
    for index, line in enumerate(lines):
        group = groups[_points_of(line)]
        place = group.index(line)
        line.set_linewidth(THINNEST + WIDER * (len(lines) - 1 - (index if place == 0 else lines.index(group[0]))))
        if place:
            line.set_linestyle((DASH * (len(group) - place), (DASH, DASH * (len(group) - 1))))
            line.set_dash_capstyle("butt")


def _points_of(line: Line2D) -> bytes:
    return np.asarray(line.get_xydata()).tobytes()


def add_legend(figure: Figure, lines: Sequence[Line2D], title: str | None = None) -> None:
    """A legend beside the axes, and as much wider a figure as it needs."""
    labels = [wrap(str(line.get_label())) for line in lines]
    longest = max(len(row) for label in labels for row in label.split("\n"))
    figure.set_figwidth(figure.get_figwidth() + 0.6 + 0.075 * longest)
    samples = [Line2D([], [], color=line.get_color(), linewidth=2.5, marker=line.get_marker()) for line in lines]
    figure.legend(samples, labels, title=title, fontsize=8, title_fontsize=8, loc="outside right upper")


def wrap(text: str, width: int = NAME_LENGTH) -> str:
    """The text in lines of at most `width` letters."""
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False)) or text


def whole_numbers(axis: Axis) -> None:
    """Ticks at whole numbers only."""
    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def plot_precision_recall(curves: Mapping[str, Curve], aps: Mapping[str, float | None]) -> Figure:
    """Precision over recall of each class: in one pair of axes, or of many classes in one each.

    Args:
        curves: name -> `Curve`.
        aps: name -> AP or None.
    """
    names = _names((BACKGROUND, *curves))
    shown = {names[k]: (_color(k), curve) for k, curve in enumerate(curves.values(), 1) if curve.nr_objects}
    aps = {names[k]: aps[name] for k, name in enumerate(curves, 1)}
    if len(shown) > MOST_CURVES:
        return _plot_each(shown, aps)
    figure, axes = new_figure(6.0, 5.0)
    for name, (color, curve) in shown.items():
        # the AP first: matplotlib leaves labels that begin with _ out of its legends
        axes.plot(*_points(curve), label=f"AP {aps[name]:.3f}  {name}", color=color)
    set_curves_off(axes.lines)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.03), title="Precision and recall")
    axes.grid(alpha=0.3)
    if axes.lines:
        add_legend(figure, axes.lines)
    return figure


def _names(all_classes: Sequence[str]) -> tuple[str, ...]:
    """Class names as they can be drawn, with fonts that have their letters in force; "$" begins no formula."""
    names = drawable_names(tuple(all_classes))
    matplotlib.rcParams.update({"font.family": plot_families(names), "text.parse_math": False})
    return names


def _color(class_id: int) -> tuple[float, ...]:
    """The class's colour in pictures, as matplotlib writes it."""
    return tuple(value / 255 for value in class_color(class_id))


def _points(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision, from recall 0 on."""
    recall = np.concatenate([[0.0], curve.recall])
    precision = np.concatenate([curve.precision[:1], curve.precision])
    return recall[: len(precision)], precision


def _plot_each(shown: Mapping[str, tuple[tuple[float, ...], Curve]], aps: Mapping[str, float | None]) -> Figure:
    columns = 5
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(2.1 * columns, 2.1 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (name, (color, curve)) in zip(grid.flat, shown.items(), strict=False):
        axes.plot(*_points(curve), color=color, linewidth=2)
        axes.set(xlim=(0, 1.02), ylim=(0, 1.03))
        axes.set_title(wrap(f"{name}  AP {aps[name]:.3f}"), fontsize=8)
        axes.grid(alpha=0.3)
    for place in range(len(shown), rows * columns):
        grid.flat[place].set_axis_off()
        grid.flat[place - columns].tick_params(labelbottom=True)  # the lowest of its column
    figure.supxlabel("recall", fontsize=10)
    figure.supylabel("precision", fontsize=10)
    figure.suptitle("Precision and recall", fontsize=12)
    return figure


def plot_confusion(matrix: np.ndarray, all_classes: Sequence[str], threshold: float) -> Figure:
    """A confusion matrix (K + 1, K + 1), rows the truth; `threshold`: the least score that was counted.

    Colours are shares of the row, on a scale that sets one object in eight off from none and from all.
    """
    names = [wrap(name) for name in ("(none)", *_names(all_classes)[1:])]
    longest = max(len(row) for name in names for row in name.split("\n"))
    rows = max(name.count("\n") + 1 for name in names)
    cells, letters = max(0.55, 0.17 * rows) * len(names), 0.075 * longest
    figure, axes = new_figure(max(4.8, cells + letters + 2.2), max(3.6, cells + 0.75 * letters + 1.6))
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals[:, None], 1)
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    title = f"Detections with a score of {threshold:g} or more,\nnumbers; colours: shares of the row"
    axes.set(xlabel="found as", ylabel="ground truth, with its number")
    figure.suptitle(title, fontsize=11)
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest <= 14 else {"rotation": 90}
    axes.set_xticks(range(len(names)), names, fontsize=9, **turned)
    labels = [f"{name}  {total}" for name, total in zip(names, totals, strict=True)]
    axes.set_yticks(range(len(names)), labels, fontsize=9)
    figure.colorbar(image, ax=axes, label="share of the row", ticks=(0, 0.05, 0.125, 0.25, 0.5, 0.75, 1))
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            color = "white" if shares[row, column] > 0.3 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=color)
    return figure
