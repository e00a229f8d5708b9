"""Protects class-wise box regression: the right minimum (scikit-learn's), the right class, and real improvement.

Mixed-up classes or axes would only show as an mAP a little lower than it could be.
"""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from fastRCNN import box_regression
from fastRCNN import boxes as box_ops
from fastRCNN.box_regression import BoxRegressor, FramedRois, class_groups, train_box_regressor
from fastRCNN.structures import GroundTruth


def fit(features, proposals, targets, class_ids, nr_classes, ridge, rows_per_image=7):
    """`train_box_regressor` on arrays that come in pieces, as from images; class ids from 0."""
    features, class_ids = np.asarray(features), np.asarray(class_ids)
    proposals, targets = np.reshape(proposals, (-1, 4)), np.reshape(targets, (-1, 4))
    objects = GroundTruth(targets, class_ids + 1, np.zeros(len(class_ids), bool))
    images = [slice(start, start + rows_per_image) for start in range(0, len(features), rows_per_image)]
    pieces = [FramedRois(features[rows], proposals[rows], objects.take(rows)) for rows in images]
    counts = np.bincount(class_ids, minlength=nr_classes)
    return train_box_regressor(lambda group: iter(pieces), counts, features.shape[1], ridge)


def problem(rows, nr_features, nr_classes, seed=0):
    """Features away from zero mean, proposals, and targets that jitter around them."""
    random = np.random.default_rng(seed)
    features = random.normal(3, 2, (rows, nr_features)).astype(np.float32)
    corners = random.uniform(0, 100, (rows, 2))
    proposals = np.hstack([corners, corners + random.uniform(20, 60, (rows, 2))]).astype(np.float32)
    targets = (proposals + random.normal(0, 3, (rows, 4))).astype(np.float32)
    return features, proposals, targets, random.integers(0, nr_classes, rows)


# about 10 rows per class for 25 features (solved in the space of rows), and 60 rows for 6 (in the space of features)
@pytest.mark.parametrize(("rows", "nr_features"), [(30, 25), (180, 6)])
@pytest.mark.parametrize("ridge", [0.5, 300.0])
@pytest.mark.parametrize("block", [1, 25, 1000])  # rows that are added up at once: 1000 is more than there are
def test_same_solution_as_scikit_learn(monkeypatch, rows, nr_features, ridge, block):
    monkeypatch.setattr(box_regression, "BLOCK", block)
    features, proposals, targets, class_ids = problem(rows, nr_features, 3)
    regressor = fit(features, proposals, targets, class_ids, 3, ridge)
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


def test_sums_lose_no_digits_where_features_lie_far_from_zero(monkeypatch):
    monkeypatch.setattr(box_regression, "BLOCK", 10)
    features, proposals, targets, class_ids = problem(180, 6, 1)
    far = fit(features.astype(np.float64) + 1e5, proposals, targets, class_ids, 1, 2.0)
    assert np.abs(far.weights - fit(features, proposals, targets, class_ids, 1, 2.0).weights).max() < 1e-7


@pytest.mark.parametrize("rows", [40, 400, 4000])
def test_memory_does_not_grow_with_the_rows(monkeypatch, rows):
    monkeypatch.setattr(box_regression, "BLOCK", 10)
    nr_features, fits = 30, box_regression.RidgeFit(rows, 30)
    features, proposals, targets, _ = problem(20, nr_features, 1)
    for _ in range(rows // 20):
        fits.add(features, box_ops.encode(proposals, targets))
        held = sum(part[0].size for part in fits.waiting) + sum(total.size for total in fits.sums.values())
        assert held <= nr_features * (nr_features + 4) + nr_features + 4
    once = box_regression.RidgeFit(20, nr_features)
    once.add(features, box_ops.encode(proposals, targets))
    # the same rows so many times over: so many times the ridge gives the same weights
    assert np.abs(fits.solve(3.0 * rows / 20)[0] - once.solve(3.0)[0]).max() < 1e-9


def test_classes_that_do_not_fit_into_memory_together_take_turns(monkeypatch):
    counts, nr_features = np.array([30, 0, 4, 50, 9, 1]), 10
    assert class_groups(counts, nr_features) == [[1, 3, 4, 5, 6]]
    monkeypatch.setattr(box_regression, "HELD_NUMBERS", 150)
    # class 1 needs 10 x 10 numbers, for its sums, as class 4; class 3 needs 40, class 5 needs 90, class 6 needs 10
    assert class_groups(counts, nr_features) == [[1, 3], [4], [5, 6]]
    monkeypatch.setattr(box_regression, "HELD_NUMBERS", 1)
    assert class_groups(counts, nr_features) == [[1], [3], [4], [5], [6]]
    assert class_groups(np.zeros(3, int), nr_features) == []
    rows = problem(60, 25, 3)
    in_turns = fit(*rows, 3, 2.0)
    monkeypatch.setattr(box_regression, "HELD_NUMBERS", 2**27)
    together = fit(*rows, 3, 2.0)
    assert np.array_equal(in_turns.weights, together.weights) and np.array_equal(in_turns.biases, together.biases)


def test_both_ways_of_solving_give_the_same():
    # one row more turns n < D into n = D
    features, proposals, targets, _ = problem(12, 12, 1)
    wide = fit(features[:11], proposals[:11], targets[:11], np.zeros(11, int), 1, 2.0)
    square = fit(features, proposals, targets, np.zeros(12, int), 1, 2.0)
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
    regressor = fit(features, proposals, targets, class_ids * 2, 4, 1.0)  # classes 0 and 2 of 4
    offsets = regressor.offsets(features)
    for class_id, moves in enumerate([True, False, True, False]):
        assert np.array_equal(box_ops.decode(proposals, offsets[:, class_id]), proposals) != moves


def test_no_row_at_all():
    empty = np.zeros((0, 5), np.float32)
    regressor = fit(empty, box_ops.as_boxes([]), box_ops.as_boxes([]), np.zeros(0, int), 2, 1.0)
    assert not regressor.weights.any() and not regressor.biases.any()


def test_one_row_teaches_its_offset_whatever_the_feature():
    # the only shift known: half a width to the right
    regressor = fit(np.ones((1, 3)), [[0, 0, 10, 10]], [[5, 0, 15, 10]], np.zeros(1, int), 1, 1.0)
    assert regressor.offsets([[9, -4, 2]]).tolist() == [[[0.5, 0, 0, 0]]]


def test_constant_shift_is_learned_however_strong_the_ridge():
    # the intercept is not penalised: every object lies 4 pixels to the right and 2 higher than its 40 x 20 proposal
    random = np.random.default_rng(2)
    corners = random.uniform(0, 100, (30, 2))
    proposals = np.hstack([corners, corners + [40, 20]])
    targets = proposals + [4, -2, 4, -2]
    features = random.normal(5, 1, (30, 8))
    regressor = fit(features, proposals, targets, np.zeros(30, int), 1, 1e9)
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
    regressor = fit(features[train], proposals[train], targets[train], np.zeros(80, int), 1, 1e-4)
    moved = box_ops.decode(proposals[test], regressor.offsets(features[test])[:, 0])
    assert np.diag(box_ops.iou(proposals[test], targets[test])).mean() < 0.8
    assert np.diag(box_ops.iou(moved, targets[test])).min() > 0.99
