"""Class-wise ridge regression from ROI features to better boxes (R-CNN, appendix C).

A proposal that overlaps an object by half is enough to recognise it, not to frame it. For each class, a linear map
from the ROI's features to the four offsets of `boxes.encode` learns how to shift and stretch the proposal.
"""

from dataclasses import dataclass

import numpy as np

from fastRCNN import boxes as box_ops


@dataclass(frozen=True)
class BoxRegressor:
    """Weights (K, D, 4) and biases (K, 4), float32, for K foreground classes and D features."""

    weights: np.ndarray
    biases: np.ndarray

    def offsets(self, features):
        """Offsets for every ROI and class: (R, D) -> (R, K, 4) float32."""
        nr_classes, nr_features, _ = self.weights.shape
        by_feature = self.weights.transpose(1, 0, 2).reshape(nr_features, nr_classes * 4)  # (D, K * 4)
        offsets = np.asarray(features, dtype=np.float32) @ by_feature  # (R, K * 4)
        return offsets.reshape(-1, nr_classes, 4) + self.biases


def train_box_regressor(features, proposals, targets, class_ids, nr_classes, ridge):
    """Fit one ridge regression a class in closed form.

    features (R, D) of ROIs that overlap an object; proposals (R, 4); targets (R, 4), the object's true box; class_ids
    (R,) in 0..K-1; ridge: the weight of the squared norm (lambda in the paper). A class with no row leaves its boxes
    as they are.
    """
    nr_features = features.shape[1]
    weights = np.zeros((nr_classes, nr_features, 4), dtype=np.float32)
    biases = np.zeros((nr_classes, 4), dtype=np.float32)
    offsets = box_ops.encode(proposals, targets)  # (R, 4)
    for class_id in range(nr_classes):
        rows = np.flatnonzero(class_ids == class_id)
        if rows.size:
            weights[class_id], biases[class_id] = _ridge(features[rows].astype(np.float64), offsets[rows], ridge)
    return BoxRegressor(weights, biases)


def _ridge(x, y, ridge):
    """Ridge regression with a free intercept: x (n, D), y (n, 4) -> weights (D, 4), bias (4,).

    Solved in the smaller of the two spaces: n objects x n objects when there are fewer rows than features, as always
    with a few dozen photos; both give the same weights.
    """
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - x_mean, y - y_mean
    if x.shape[0] < x.shape[1]:
        weights = x.T @ np.linalg.solve(x @ x.T + ridge * np.eye(x.shape[0]), y)
    else:
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
    return weights, y_mean - x_mean @ weights
