"""Plots as matplotlib figures; only scripts write them. Made without a screen."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from helpers.files import atomic_path


def new_figure(width=7.0, height=5.0):
    """An empty figure, sizes in inches, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def write_figure(path, figure, dpi=110):
    """Write a figure as PNG at once or not at all; the same figure gives the same bytes."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, metadata={"Software": None})


def plot_precision_recall(curves, aps):
    """Precision over recall, one line a class. curves: name -> `Curve`; aps: name -> AP or None."""
    figure, axes = new_figure()
    for name, curve in curves.items():
        if curve.nr_objects:
            recall = np.concatenate([[0.0], curve.recall])
            precision = np.concatenate([curve.precision[:1], curve.precision])
            axes.plot(recall[: len(precision)], precision, label=f"{name}  AP {aps[name]:.3f}", linewidth=1.5)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02), title="Precision and recall")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=8, loc="lower left")
    return figure


def plot_confusion(matrix, all_classes, threshold):
    """A confusion matrix (K + 1, K + 1), rows the truth; `threshold`: the least score that was counted."""
    side = 2.5 + 0.55 * len(all_classes)
    figure, axes = new_figure(side, side)
    names = ["(none)", *all_classes[1:]]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="found", ylabel="true", title=f"Detections with a score of {threshold:g} or more")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            axes.text(
                column,
                row,
                str(count),
                ha="center",
                va="center",
                color="white" if shares[row, column] > 0.5 else "black",
            )
    return figure
