"""Protects the SVMs: that mining on a few rows reaches the very solution of scikit-learn's LinearSVC on all rows, that
the solver's answers are optimal, and that memory, order and chance stay under control.

The solver stops when no optimality condition is violated by more than TOLERANCE = 0.01 of the margin. Decision values
then differ from the exact ones by a few hundredths of the margin at most; with a tolerance of 0.001 by ten times less,
which shows that nothing but the tolerance separates the two. Both are checked.
"""

import weakref
from dataclasses import replace

import numpy as np
import pytest
from settings import settings as settings_of
from sklearn.svm import LinearSVC
from svm_image_sets import NR_CLASSES, image_set

from fastRCNN import svm
from fastRCNN.half_precision import to_float32
from fastRCNN.linear_algebra import product
from fastRCNN.svm import LinearSvms, SvmSettings, TrainingImage, feature_scale, scaled, train_svms
from fastRCNN.svm_solver import solve_dual


def all_rows(images, scale):
    """Scaled features (R, D) float64 and targets (R, K) of all images."""
    features = np.concatenate([scaled(image.features, scale) for image in images]).astype(np.float64)
    return features, np.concatenate([image.targets for image in images])


def linear_svc(images, class_id, settings, scale):
    """scikit-learn's weights (D,) and bias on all ROIs that the class uses."""
    features, targets = all_rows(images, scale)
    used = targets[:, class_id] != 0
    weight = settings.positive_weight
    oracle = LinearSVC(
        C=settings.C, intercept_scaling=settings.intercept_scaling, dual=True, tol=1e-7, max_iter=10**6, random_state=0,
        loss="hinge" if settings.loss == "l1" else "squared_hinge",
        class_weight=weight if weight == "balanced" else {1: weight},
    )  # fmt: skip
    oracle.fit(features[used], targets[used, class_id])
    return oracle.coef_[0], oracle.intercept_[0]


def differences(svms, images, settings, class_ids=range(NR_CLASSES)):
    """|decision value - scikit-learn's| of all ROIs, (R, classes)."""
    scores = svms.scores(np.concatenate([image.features for image in images]))
    features, _ = all_rows(images, svms.scale)
    oracles = [linear_svc(images, class_id, settings, svms.scale) for class_id in class_ids]
    expected = np.stack([features @ weights + bias for weights, bias in oracles], axis=1)
    return np.abs(scores[:, list(class_ids)] - expected)


@pytest.fixture
def exact(monkeypatch):
    monkeypatch.setattr(svm, "TOLERANCE", 0.001)


# 2000: all ROIs in the first round; 30: many rounds; 5: fewer than there are examples
@pytest.mark.slow
@pytest.mark.parametrize("retrain_limit", [2000, 30, 5])
@pytest.mark.parametrize(("loss", "weight"), [("l1", "balanced"), ("l2", "balanced"), ("l1", 3.0), ("l2", 0.5)])
def test_same_decision_values_as_linear_svc_on_all_rows(exact, loss, weight, retrain_limit):
    images = image_set()
    settings = settings_of(SvmSettings, loss=loss, positive_weight=weight, retrain_limit=retrain_limit, max_rounds=100)
    lines = []
    svms = train_svms(images, settings, lines.append)
    assert differences(svms, images, settings).max() < 0.02
    assert (len(lines) > 4) == (retrain_limit < 2000), lines
    assert svms.weights.shape == (NR_CLASSES, 20) and svms.biases.shape == (NR_CLASSES,)


@pytest.mark.parametrize(("C", "intercept_scaling", "target_norm"), [(0.01, 10.0, 20.0), (0.02, 1.0, 5.0)])
def test_knobs_mean_the_same_as_in_linear_svc(exact, C, intercept_scaling, target_norm):
    images = image_set(1)
    settings = settings_of(
        SvmSettings, C=C, intercept_scaling=intercept_scaling, target_norm=target_norm, max_rounds=100
    )
    svms = train_svms(images, settings)
    assert differences(svms, images, settings).max() < 0.02
    norms = np.linalg.norm(all_rows(images, svms.scale)[0], axis=1)
    assert norms.mean() == pytest.approx(target_norm, rel=1e-5)


@pytest.mark.parametrize("loss", ["l1", "l2"])
def test_default_tolerance_is_close_in_decisions_and_in_the_objective(loss):
    images, settings = image_set(2), settings_of(SvmSettings, loss=loss, retrain_limit=50)
    svms = train_svms(images, settings)
    off = differences(svms, images, settings)
    assert off.mean() < 0.01 and off.max() < 0.06
    features, targets = all_rows(images, svms.scale)
    for class_id in range(NR_CLASSES):
        label = targets[:, class_id].astype(np.float64)
        nr_used, nr_positive = (label != 0).sum(), (label > 0).sum()
        costs = settings.C * nr_used / 2 / np.where(label > 0, nr_positive, nr_used - nr_positive) * (label != 0)

        def objective(weights, bias, label=label, costs=costs):
            slack = np.maximum(1 - label * (features @ weights + bias), 0)
            penalty = (weights @ weights + (bias / settings.intercept_scaling) ** 2) / 2
            return penalty + costs @ (slack if loss == "l1" else slack**2)

        best = objective(*linear_svc(images, class_id, settings, svms.scale))
        mine = objective(svms.weights[class_id].astype(np.float64), float(svms.biases[class_id]))
        assert -1e-6 < mine - best < 0.01 * best


def test_training_is_deterministic_and_hardly_depends_on_the_seed():
    images, settings = image_set(3), settings_of(SvmSettings, retrain_limit=40)
    first, second = train_svms(images, settings), train_svms(images, settings)
    assert first.weights.tobytes() == second.weights.tobytes() and first.biases.tobytes() == second.biases.tobytes()
    assert first.scale == second.scale
    other = train_svms(images, replace(settings, seed=1))
    assert first.weights.tobytes() != other.weights.tobytes()
    assert differences(other, images, settings).max() < 0.06


@pytest.mark.parametrize("only", [-1, 1])
def test_a_class_that_cannot_be_trained_does_not_disturb_the_others(exact, only):
    images = image_set()
    for image in images:
        image.targets[:, 1] = np.where(image.targets[:, 1] == only, only, 0)
    settings = settings_of(SvmSettings, retrain_limit=30, max_rounds=100)
    lines = []
    svms = train_svms(images, settings, lines.append)
    assert len(lines) < 50, "mining should end by itself"
    assert differences(svms, images, settings, [0, 2]).max() < 0.02


@pytest.mark.parametrize("only", [-1, 0, 1])
def test_a_class_without_examples_or_counterexamples_is_never_found(only):
    images = image_set()
    for image in images:
        image.targets[:, 1] = np.where(image.targets[:, 1] == only, only, 0)
    svms = train_svms(images, settings_of(SvmSettings, max_rounds=4))
    scores = svms.scores(np.concatenate([image.features for image in images]))
    assert (scores[:, 1] == -np.inf).all()
    assert (scores[:, 0] > 0).any() and (scores[:, 2] > 0).any()


def cache_sizes(monkeypatch, images, settings):
    """Rows that each round trains on, and the trained SVMs."""
    sizes = []

    def spy(gram, *args, **kwargs):
        sizes.append(len(gram))
        return solve_dual(gram, *args, **kwargs)

    monkeypatch.setattr(svm, "solve_dual", spy)
    svms = train_svms(images, settings)
    return sizes[::NR_CLASSES], svms  # the classes of a round share their rows


def test_easy_rows_are_forgotten_without_changing_the_solution(exact, monkeypatch):
    images, settings = image_set(4), settings_of(SvmSettings, C=0.01, retrain_limit=40, max_rounds=100)
    with_eviction, svms = cache_sizes(monkeypatch, images, settings)
    without, _ = cache_sizes(monkeypatch, images, replace(settings, evict_threshold=-np.inf))
    nr_rois = sum(len(image.features) for image in images)
    assert with_eviction[-1] < 0.9 * without[-1] < 0.9 * nr_rois
    assert differences(svms, images, settings).max() < 0.02
    # rows that hold up a margin are never forgotten, not even where the threshold lies inside it
    _, svms = cache_sizes(monkeypatch, images, replace(settings, evict_threshold=-0.5))
    assert differences(svms, images, settings).max() < 0.02


def test_a_round_adds_no_more_than_the_limit_and_the_examples(monkeypatch):
    images, settings = image_set(4), settings_of(SvmSettings, retrain_limit=40, max_rounds=3, evict_threshold=-np.inf)
    nr_examples = sum(int((image.targets > 0).any(axis=1).sum()) for image in images)
    sizes, _ = cache_sizes(monkeypatch, images, settings)
    assert len(sizes) == 3  # max_rounds
    assert sizes[0] <= nr_examples + 40 and min(np.diff(sizes)) > 0 and max(np.diff(sizes)) <= 40
    # with weights of zero all are hard negatives: the first round takes every positive and an even share of the rest
    sizes, _ = cache_sizes(monkeypatch, images, replace(settings, retrain_limit=1, max_rounds=1))
    assert nr_examples <= sizes[0] <= nr_examples + 1


class LazyImages:
    """A sequence that makes its images when asked, and counts how often it is, and how many are alive at once."""

    def __init__(self, images):
        self.images, self.alive, self.most, self.reads = images, 0, 0, 0

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]  # an IndexError ends the iteration
        self.reads, self.alive = self.reads + 1, self.alive + 1
        self.most = max(self.most, self.alive)
        features = image.features.copy()
        weakref.finalize(features, self.forget)
        return TrainingImage(features, image.targets)

    def forget(self):
        self.alive -= 1


def test_images_are_read_one_at_a_time():
    images, settings, lines = image_set(5), settings_of(SvmSettings, retrain_limit=60), []
    lazy = LazyImages(images)
    svms = train_svms(lazy, settings, lines.append)
    assert lazy.most <= 2  # the one in use and the next one
    # once a round, for the scale and for the counts; the first one also for the number of features
    assert lazy.reads <= (2 * len(lines) + 2) * len(images) + 1  # mined, and taken from, in each round
    assert svms.weights.tobytes() == train_svms(images, settings).weights.tobytes()


def test_feature_scale_by_hand():
    # norms 5, 10 and 15, mean 10: times 2 they have the mean 20
    images = [TrainingImage(np.array(rows), np.zeros((len(rows), 1))) for rows in ([[3, 4], [6, 8]], [[9, 12]])]
    assert feature_scale(images, 20.0) == pytest.approx(2.0)
    assert feature_scale([TrainingImage(np.zeros((2, 3)), np.zeros((2, 1)))], 20.0) == 1.0  # nothing to scale


def test_scores_by_hand():
    # 2 * (1 * 3 + 2 * 4) - 1 = 21 and 2 * (0 * 3 - 1 * 4) + 0.5 = -7.5
    svms = LinearSvms(np.array([[1, 2], [0, -1]], np.float32), np.array([-1, 0.5], np.float32), 2.0)
    scores = svms.scores([[3, 4]])
    assert scores.tolist() == [[21, -7.5]] and scores.dtype == np.float32
    assert svms.scores(np.zeros((0, 2))).shape == (0, 2)


def test_float16_features_count_as_the_float32_numbers_that_they_are():
    random = np.random.default_rng(4)
    half = random.normal(0, 3, (700, 40)).astype(np.float16)
    half[0, :4] = [0, -0.0, 6e-8, 65504]  # zeros, the least and the greatest number
    matrix = random.normal(size=(40, 5)).astype(np.float32)
    assert product(half, matrix) == pytest.approx(half.astype(np.float32) @ matrix, rel=1e-5, abs=1e-4)
    out = np.empty(half.shape, np.float32)
    to_float32(half, out)
    assert (out == half.astype(np.float32)).all() and (np.signbit(out) == np.signbit(half)).all()
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)[None]
    every = every[:, np.isfinite(every[0])].copy()
    out = np.empty(every.shape, np.float32)
    to_float32(every, out)
    assert (out == every.astype(np.float32)).all()
