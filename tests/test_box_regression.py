"""Protects class-wise box regression: the right minimum (scikit-learn's), the right class, and real improvement.

Mixed-up classes or axes would only show as an mAP a little lower than it could be.
"""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fastRCNN import boxes as box_ops
from fastRCNN.box_regression import BoxRegressor, train_box_regressor


def problem(rows, nr_features, nr_classes, seed=0):
    """Features away from zero mean, proposals, and targets that jitter around them."""
    random = np.random.default_rng(seed)
    features = random.normal(3, 2, (rows, nr_features)).astype(np.float32)
    corners = random.uniform(0, 100, (rows, 2))
    proposals = np.hstack([corners, corners + random.uniform(20, 60, (rows, 2))]).astype(np.float32)
    targets = (proposals + random.normal(0, 3, (rows, 4))).astype(np.float32)
    return features, proposals, targets, random.integers(0, nr_classes, rows)


# about 10 rows a class for 25 features (solved in the space of rows), and 60 rows for 6 (in the space of features)
@pytest.mark.parametrize(("rows", "nr_features"), [(30, 25), (180, 6)])
@pytest.mark.parametrize("ridge", [0.5, 300.0])
def test_same_solution_as_scikit_learn(rows, nr_features, ridge):
    features, proposals, targets, class_ids = problem(rows, nr_features, 3)
    regressor = train_box_regressor(features, proposals, targets, class_ids, 3, ridge)
    assert regressor.weights.shape == (3, nr_features, 4) and regressor.biases.shape == (3, 4)
    offsets = regressor.offsets(features)
    assert offsets.shape == (rows, 3, 4) and offsets.dtype == np.float32
    for class_id in range(3):
        mine = class_ids == class_id
        oracle = Ridge(alpha=ridge, fit_intercept=True, solver="svd")
        oracle.fit(features[mine].astype(np.float64), box_ops.encode(proposals[mine], targets[mine]))
        assert np.abs(oracle.coef_).max() > 1e-4
        assert np.abs(regressor.weights[class_id] - oracle.coef_.T).max() < 1e-6
        assert np.abs(regressor.biases[class_id] - oracle.intercept_).max() < 1e-5
        # every ROI gets the offsets of every class, not only of its own
        assert np.abs(offsets[:, class_id] - oracle.predict(features)).max() < 1e-5


def test_both_ways_of_solving_give_the_same():
    # one row more turns n < D into n = D
    features, proposals, targets, _ = problem(12, 12, 1)
    wide = train_box_regressor(features[:11], proposals[:11], targets[:11], np.zeros(11, int), 1, 2.0)
    square = train_box_regressor(features, proposals, targets, np.zeros(12, int), 1, 2.0)
    for rows, regressor in ((11, wide), (12, square)):
        oracle = Ridge(alpha=2.0).fit(features[:rows], box_ops.encode(proposals[:rows], targets[:rows]))
        assert np.abs(regressor.weights[0] - oracle.coef_.T).max() < 1e-5


def test_offsets_by_hand():
    # 2 features, 2 classes; class 1: dx = 3 * f0 + 0.5, dh = -f1, else the biases
    weights = np.zeros((2, 2, 4), np.float32)
    weights[1, 0, 0], weights[1, 1, 3] = 3, -1
    biases = np.array([[0, 0, 0, 0], [0.5, 0, 0.25, 0]], np.float32)
    offsets = BoxRegressor(weights, biases).offsets([[1, 2], [0, 10]])
    assert offsets.tolist() == [[[0, 0, 0, 0], [3.5, 0, 0.25, -2]], [[0, 0, 0, 0], [0.5, 0, 0.25, -10]]]
    assert BoxRegressor(weights, biases).offsets(np.zeros((0, 2))).shape == (0, 2, 4)


def test_class_without_rows_leaves_boxes_as_they_are():
    features, proposals, targets, class_ids = problem(20, 5, 2)
    regressor = train_box_regressor(features, proposals, targets, class_ids * 2, 4, 1.0)  # classes 0 and 2 of 4
    offsets = regressor.offsets(features)
    for class_id, moves in enumerate([True, False, True, False]):
        assert np.array_equal(box_ops.decode(proposals, offsets[:, class_id]), proposals) != moves


def test_no_row_at_all():
    empty = np.zeros((0, 5), np.float32)
    regressor = train_box_regressor(empty, box_ops.as_boxes([]), box_ops.as_boxes([]), np.zeros(0, int), 2, 1.0)
    assert not regressor.weights.any() and not regressor.biases.any()


def test_one_row_teaches_its_offset_whatever_the_feature():
    # the only shift known: half a width to the right
    regressor = train_box_regressor(np.ones((1, 3)), [[0, 0, 10, 10]], [[5, 0, 15, 10]], np.zeros(1, int), 1, 1.0)
    assert regressor.offsets([[9, -4, 2]]).tolist() == [[[0.5, 0, 0, 0]]]


def test_constant_shift_is_learned_however_strong_the_ridge():
    # the intercept is not penalised: every object lies 4 pixels to the right and 2 higher than its 40 x 20 proposal
    random = np.random.default_rng(2)
    corners = random.uniform(0, 100, (30, 2))
    proposals = np.hstack([corners, corners + [40, 20]])
    targets = proposals + [4, -2, 4, -2]
    features = random.normal(5, 1, (30, 8))
    regressor = train_box_regressor(features, proposals, targets, np.zeros(30, int), 1, 1e9)
    moved = box_ops.decode(proposals, regressor.offsets(features)[:, 0])
    assert np.abs(moved - targets).max() < 0.01


def test_shift_that_the_features_tell_is_learned_and_improves_new_boxes():
    random = np.random.default_rng(3)
    corners = random.uniform(0, 100, (120, 2))
    proposals = np.hstack([corners, corners + random.uniform(20, 60, (120, 2))])
    shift = random.uniform(-0.3, 0.3, (120, 4))  # dx, dy, dw, dh
    targets = box_ops.decode(proposals, shift)
    features = shift @ random.normal(size=(4, 10)) + 2  # a linear map of the shift
    train, test = slice(0, 80), slice(80, 120)
    regressor = train_box_regressor(features[train], proposals[train], targets[train], np.zeros(80, int), 1, 1e-4)
    moved = box_ops.decode(proposals[test], regressor.offsets(features[test])[:, 0])
    assert np.diag(box_ops.iou(proposals[test], targets[test])).mean() < 0.8
    assert np.diag(box_ops.iou(moved, targets[test])).min() > 0.99
