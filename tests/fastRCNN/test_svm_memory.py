"""Protects the memory of SVM training on large image sets: how many examples and ROIs are ever held, that what is left
out is drawn fairly and always the same, and that nothing changes where everything fits.
"""

import numpy as np
import pytest
from settings import settings as settings_of
from test_svm import image_set

from fastRCNN import svm
from fastRCNN.svm import SvmSettings, TrainingImage, train_svms
from fastRCNN.svm_solver import solve_dual


@pytest.fixture
def held(monkeypatch):
    """The number of ROIs that each solution was computed from; grows while training runs."""
    sizes = []

    def spy(gram, *args, **kwargs):
        sizes.append(len(gram))
        return solve_dual(gram, *args, **kwargs)

    monkeypatch.setattr(svm, "solve_dual", spy)
    return sizes


def problem(counts):
    return svm._Problem(settings_of(SvmSettings), 1.0, np.array([counts, [10**6] * len(counts)]))


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ([500, 0, 400], [500, 0, 400]),  # 900 are fewer than 1000
        ([500, 0, 500], [500, 0, 500]),
        ([5000, 5000], [500, 500]),
        ([100, 800, 5000], [100, 450, 450]),  # what the small class leaves, the others share
        ([5000, 400, 100], [500, 400, 100]),
    ],
)
def test_many_examples_are_shared_out_among_the_classes(monkeypatch, counts, kept):
    monkeypatch.setattr(svm, "MAX_EXAMPLES", 1000)
    assert (problem(counts).share * counts).tolist() == pytest.approx(kept)


def test_what_is_left_out_is_drawn_by_image_and_always_the_same(monkeypatch):
    monkeypatch.setattr(svm, "MAX_EXAMPLES", 1000)
    targets = np.tile(np.array([[1, -1], [-1, 1]], np.int8), (2000, 1))  # 2000 examples of each class
    image, shared = TrainingImage(np.zeros((4000, 1)), targets), problem([5000, 500])
    kept = shared.targets(image, 7)
    assert np.array_equal(kept, shared.targets(image, 7)) and not np.array_equal(kept, shared.targets(image, 8))
    assert (kept[:, 1] == targets[:, 1]).all(), "the small class keeps all"
    assert abs((kept[:, 0] > 0).sum() - 200) < 50  # a tenth, within four deviations of 13
    assert ((kept == targets) | ((kept == 0) & (targets == 1))).all() and (image.targets == targets).all()


def test_examples_that_stay_stand_for_those_that_do_not(monkeypatch):
    # 10 copies of every ROI, and a fifth of the examples
    images = image_set(nr_images=3)
    many = [
        TrainingImage(np.repeat(image.features, 10, axis=0), np.repeat(image.targets, 10, axis=0)) for image in images
    ]
    nr_examples = sum(int((image.targets > 0).sum()) for image in images)
    monkeypatch.setattr(svm, "MAX_EXAMPLES", nr_examples * 2)
    settings = settings_of(SvmSettings, retrain_limit=5000, C=1e-4)
    some = train_svms(many, settings)
    monkeypatch.setattr(svm, "MAX_EXAMPLES", 10**6)
    everything = train_svms(many, settings)
    features = np.concatenate([image.features for image in images])
    assert not np.array_equal(some.weights, everything.weights)
    both = [svms.scores(features).ravel() for svms in (some, everything)]
    assert np.corrcoef(*both)[0, 1] > 0.9 and 0.8 < both[0].std() / both[1].std() < 1.2


@pytest.mark.parametrize("weight", ["balanced", 3.0])
def test_the_weight_of_all_examples_together_stays(monkeypatch, weight):
    settings = settings_of(SvmSettings, positive_weight=weight)
    costs, counts = [], np.array([[5000, 500], [70_000, 90_000]])
    for most in (10_000, 1000):
        monkeypatch.setattr(svm, "MAX_EXAMPLES", most)
        shared = svm._Problem(settings, 1.0, counts)
        costs.append([shared.costs()[0] * shared.share * counts[0], shared.costs()[1]])
    assert np.allclose(costs[0][0], costs[1][0]) and np.array_equal(costs[0][1], costs[1][1])


@pytest.mark.parametrize("limit", [60, 100])
def test_no_more_rois_are_held_than_memory_is_meant_for(monkeypatch, held, limit):
    images, settings, lines = image_set(nr_images=8), settings_of(SvmSettings, C=10.0, retrain_limit=50), []
    monkeypatch.setattr(svm, "MAX_ROWS", limit)
    monkeypatch.setattr(svm, "MAX_EXAMPLES", 20)
    svms = train_svms(images, settings, lines.append)
    assert 20 < max(held) <= limit
    assert " 0 ROIs inside the margin" in lines[-1], "easy ones make room for others"
    assert np.isfinite(svms.weights).all() and svms.weights.any(axis=1).all()


def test_where_all_decide_and_there_is_no_room_mining_says_so(monkeypatch, held):
    random = np.random.default_rng(0)
    images = image_set(nr_images=8)
    mixed = [TrainingImage(image.features, random.permutation(image.targets)) for image in images]  # nothing to learn
    monkeypatch.setattr(svm, "MAX_ROWS", 60)
    monkeypatch.setattr(svm, "MAX_EXAMPLES", 20)
    lines = []
    train_svms(mixed, settings_of(SvmSettings, C=1e-4, retrain_limit=50), lines.append)
    assert max(held) == 60 and lines[-1] == "stopped: 60 ROIs that decide are as many as memory is meant for"


def test_bounds_that_are_not_reached_change_nothing(monkeypatch):
    images, settings = image_set(), settings_of(SvmSettings, retrain_limit=30)
    before = train_svms(images, settings)
    nr_examples = sum(int((image.targets > 0).sum()) for image in images)
    monkeypatch.setattr(svm, "MAX_ROWS", 360)  # 350 ROIs
    monkeypatch.setattr(svm, "MAX_EXAMPLES", nr_examples)
    after = train_svms(images, settings)
    assert after.weights.tobytes() == before.weights.tobytes() and after.biases.tobytes() == before.biases.tobytes()


def test_the_worst_are_found_whatever_the_order_and_the_pieces():
    random = np.random.default_rng(0)
    for limit in (1, 7, 40):
        rank = np.stack([-random.integers(0, 5, 200), random.random(200)], axis=1)
        worst, most = svm._Worst(limit), 0
        for rows in np.array_split(np.arange(200), 23):
            rows = rows[worst.admits(rank[rows])]
            worst.append((rows[:, None], rows, rows, rank[rows]))
            most = max(most, sum(len(part[0]) for part in worst.parts))
        worst.shrink(limit)
        best_first = sorted(range(200), key=lambda row: tuple(rank[row]))
        assert worst.parts[0][1].tolist() == best_first[:limit] and most <= 2 * limit
    worst.shrink(-3)  # there is no room
    assert len(worst.parts[0][0]) == 0
