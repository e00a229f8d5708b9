"""Class-wise ridge regression from ROI features to better boxes (R-CNN, appendix C).

A proposal that overlaps an object by half is enough to recognise it, not to frame it. For each class, a linear map
from the ROI's features to the four offsets of `boxes.encode` learns how to shift and stretch the proposal.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fastRCNN import boxes as box_ops
from fastRCNN.linear_algebra import as_numbers, gram, product, solve_positive
from fastRCNN.structures import GroundTruth

HELD_NUMBERS = 2**27  # features and sums of features in memory at once: 1 GB, and as much again while one is solved
BLOCK = 1000  # rows that are added to the sums at once: one large matrix product instead of many small ones


@dataclass(frozen=True)
class FramedRois:
    """ROIs of one image that frame an object well enough to learn from: features (n, D), boxes (n, 4), and the object
    of each, n of them."""

    features: np.ndarray
    boxes: np.ndarray
    objects: GroundTruth


Samples = Callable[[Sequence[int]], Iterable[FramedRois]]  # of some classes, image by image


@dataclass(frozen=True)
class BoxRegressor:
    """Weights (K, D, 4) and biases (K, 4), float32, for K foreground classes and D features."""

    weights: np.ndarray
    biases: np.ndarray

    def offsets(self, features: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Offsets for every ROI and class, of features that are to be multiplied by `scale`: (R, D) -> (R, K, 4)
        float32."""
        nr_classes, nr_features, _ = self.weights.shape
        by_feature = self.weights.transpose(1, 0, 2).reshape(nr_features, nr_classes * 4)  # (D, K * 4)
        offsets = product(as_numbers(features), by_feature * np.float32(scale))  # (R, K * 4)
        return offsets.reshape(-1, nr_classes, 4) + self.biases


class RidgeFit:
    """Ridge regression with a free intercept, of rows that come bit by bit: the fit of one class.

    count: the number of rows n that will come; D features. As long as they are fewer than the features, as always with
    a few dozen photos, the rows are held and the equations solved in their space, n x n; else only the sums over them,
    D x D. Both give the same weights, and neither ever holds more than D x D numbers of the data.
    """

    def __init__(self, count: int, nr_features: int) -> None:
        self.count, self.nr_features, self.nr_waiting = count, nr_features, 0
        self.waiting: list[tuple[np.ndarray, np.ndarray]] = []  # features (n, D), offsets (n, 4), not yet in the sums
        self.sums: dict[str, np.ndarray] = {}
        self.origin = np.zeros(0)

    def add(self, features: np.ndarray, offsets: np.ndarray) -> None:
        """Take in n rows: features (n, D), offsets (n, 4)."""
        self.waiting.append((features, offsets))
        self.nr_waiting += len(features)
        if self.count >= self.nr_features and self.nr_waiting >= BLOCK:
            self._add_up()

    def solve(self, ridge: float) -> tuple[np.ndarray, np.ndarray]:
        """Weights (D, 4) and bias (4,), zero without rows. ridge: the weight of the squared norm."""
        if self.count == 0:
            return np.zeros((self.nr_features, 4)), np.zeros(4)
        if self.count < self.nr_features:
            x, y = self._take_waiting()
            x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
            x, y = x - x_mean, y - y_mean
            weights = product(x.T, solve_positive(gram(x) + ridge * np.eye(len(x)), y))
            return weights, y_mean - product(x_mean[None], weights)[0]
        self._add_up()
        x_mean, y_mean = self.sums["x"] / self.count, self.sums["y"] / self.count
        xx = self.sums["xx"]  # changed in place, it is the largest thing in memory
        xx -= self.count * np.outer(x_mean, x_mean)
        xx[np.diag_indices_from(xx)] += ridge
        weights = solve_positive(xx, self.sums["xy"] - self.count * np.outer(x_mean, y_mean))
        return weights, y_mean - product((x_mean + self.origin)[None], weights)[0]

    def _take_waiting(self) -> tuple[np.ndarray, np.ndarray]:
        x, y = (np.concatenate(column) for column in zip(*self.waiting, strict=True))
        self.waiting, self.nr_waiting = [], 0
        return x.astype(np.float64), y

    def _add_up(self) -> None:
        if not self.waiting:
            return
        x, y = self._take_waiting()
        if not self.sums:
            self.origin = x.mean(axis=0)  # near the mean of all rows: sums of small numbers lose no digits
            size = self.nr_features
            self.sums = dict(x=np.zeros(size), y=np.zeros(4), xx=np.zeros((size, size)), xy=np.zeros((size, 4)))
        x -= self.origin
        self.sums["x"] += x.sum(axis=0)
        self.sums["y"] += y.sum(axis=0)
        self.sums["xx"] += gram(x.T)
        self.sums["xy"] += product(x.T, y)


def class_groups(counts: np.ndarray, nr_features: int) -> list[list[int]]:
    """Which classes to fit together in one pass over the images: lists of ids in 1..K, each class with rows once.

    counts (K,): rows of each class. All at once, unless their `RidgeFit`s would hold more than `HELD_NUMBERS`.
    """
    groups: list[list[int]] = []
    held = HELD_NUMBERS
    for class_id in (np.flatnonzero(counts) + 1).tolist():
        need = int(min(counts[class_id - 1], nr_features)) * nr_features
        if held + need > HELD_NUMBERS:
            groups.append([])
            held = 0
        groups[-1].append(class_id)
        held += need
    return groups


def train_box_regressor(samples: Samples, counts: np.ndarray, nr_features: int, ridge: float) -> BoxRegressor:
    """Fit one ridge regression per class in closed form; a class without ROIs leaves its boxes as they are.

    Args:
        samples: function of class ids in 1..K that yields, image by image, the ROIs that frame an object of these
            classes; called once for all classes, or more often where memory would not do.
        counts: (K,) such ROIs of each class.
        ridge: the weight of the squared norm (lambda in the paper).
    """
    weights = np.zeros((len(counts), nr_features, 4), dtype=np.float32)
    biases = np.zeros((len(counts), 4), dtype=np.float32)
    for group in class_groups(counts, nr_features):
        fits = {class_id: RidgeFit(int(counts[class_id - 1]), nr_features) for class_id in group}
        for rois in samples(group):
            offsets = box_ops.encode(rois.boxes, rois.objects.boxes)  # (n, 4)
            for class_id in group:
                rows = np.flatnonzero(rois.objects.class_ids == class_id)
                if len(rows):
                    fits[class_id].add(rois.features[rows], offsets[rows])
        for class_id in group:
            weights[class_id - 1], biases[class_id - 1] = fits.pop(class_id).solve(ridge)
    return BoxRegressor(weights, biases)
