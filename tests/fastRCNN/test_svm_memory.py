"""Protects the memory of SVM training on large image sets: how many positives and ROIs are ever held, that which
ones is chosen fairly and always the same, and that nothing changes where everything fits.
"""

import numpy as np
import pytest
from settings import settings as settings_of
from svm_image_sets import image_set

from fastRCNN import svm
from fastRCNN.hard_negatives import MinedRois, WorstRois
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


class Solved:
    """What each class is trained on in the first round: `labels` and `costs`, an array (n,) per class."""

    def __init__(self, monkeypatch, images, **changes):
        self.labels, self.costs = [], []
        monkeypatch.setattr(svm, "solve_dual", self)
        train_svms(images, settings_of(SvmSettings, max_rounds=1, **changes))

    def __call__(self, gram, labels, costs, *args, **kwargs):
        self.labels.append(labels.copy())
        self.costs.append(costs.copy())
        return solve_dual(gram, labels, costs, *args, **{**kwargs, "max_epochs": 1})

    def positives(self):
        """The number of each class."""
        return [int((labels > 0).sum()) for labels in self.labels]

    def weight_of_positives(self):
        """The sum of their costs, of each class."""
        return [float(cost[labels > 0].sum()) for labels, cost in zip(self.labels, self.costs, strict=True)]


def with_positives(counts, nr_images=4):
    """Images with so many positives of each class, negative for all others, shared out among the images."""
    random = np.random.default_rng(0)
    targets = np.full((sum(counts), len(counts)), -1, np.int8)
    targets[np.arange(sum(counts)), np.repeat(np.arange(len(counts)), counts)] = 1
    return [TrainingImage(random.random((len(rows), 3)), rows) for rows in np.array_split(targets, nr_images)]


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
@pytest.mark.filterwarnings("ignore::fastRCNN.svm_solver.ConvergenceWarning")
def test_many_positives_are_shared_out_among_the_classes(monkeypatch, counts, kept):
    monkeypatch.setattr(svm, "MAX_POSITIVES", 1000)
    found = Solved(monkeypatch, with_positives(counts)).positives()
    for number, of_class, wanted in zip(found, counts, kept, strict=True):
        # at random: within four deviations; a class that keeps all keeps exactly all
        assert abs(number - wanted) <= 4 * (wanted * (1 - wanted / max(of_class, 1))) ** 0.5


@pytest.mark.filterwarnings("ignore::fastRCNN.svm_solver.ConvergenceWarning")
def test_which_positives_are_trained_on_follows_from_the_seed(monkeypatch):
    monkeypatch.setattr(svm, "MAX_POSITIVES", 1000)
    images = with_positives([5000, 500])
    solved = [Solved(monkeypatch, images, seed=seed) for seed in (3, 3, 4)]
    rows = [np.concatenate(item.labels).tobytes() for item in solved]
    assert rows[0] == rows[1] != rows[2]
    assert all(item.positives()[1] == 500 for item in solved), "the small class keeps all"


def test_positives_that_stay_stand_for_those_that_do_not(monkeypatch):
    # 10 copies of every ROI, and a fifth of the positives
    images = image_set(nr_images=3)
    many = [
        TrainingImage(np.repeat(image.features, 10, axis=0), np.repeat(image.targets, 10, axis=0)) for image in images
    ]
    nr_positives = sum(int((image.targets > 0).sum()) for image in images)
    monkeypatch.setattr(svm, "MAX_POSITIVES", nr_positives * 2)
    settings = settings_of(SvmSettings, retrain_limit=5000, C=1e-4)
    some = train_svms(many, settings)
    monkeypatch.setattr(svm, "MAX_POSITIVES", 10**6)
    everything = train_svms(many, settings)
    features = np.concatenate([image.features for image in images])
    assert not np.array_equal(some.weights, everything.weights)
    both = [svms.scores(features).ravel() for svms in (some, everything)]
    assert np.corrcoef(*both)[0, 1] > 0.9 and 0.8 < both[0].std() / both[1].std() < 1.2


@pytest.mark.parametrize("weight", ["balanced", 3.0])
@pytest.mark.filterwarnings("ignore::fastRCNN.svm_solver.ConvergenceWarning")
def test_the_weight_of_all_positives_together_stays(monkeypatch, weight):
    images, solved = with_positives([5000, 500]), []
    for most in (10_000, 1000):
        monkeypatch.setattr(svm, "MAX_POSITIVES", most)
        solved.append(Solved(monkeypatch, images, positive_weight=weight))
    everything, some = solved
    assert everything.positives() == [5000, 500] and some.positives()[0] < 700
    # at random: about a tenth of the first class, each with ten times the weight
    assert some.weight_of_positives() == pytest.approx(everything.weight_of_positives(), rel=0.2)
    negative = [float(item.costs[0][item.labels[0] < 0].max()) for item in solved]
    assert negative[0] == negative[1], "the others keep theirs"


@pytest.mark.parametrize("limit", [60, 100])
def test_no_more_rois_are_held_than_memory_is_meant_for(monkeypatch, held, limit):
    images, settings, lines = image_set(nr_images=8), settings_of(SvmSettings, C=10.0, retrain_limit=50), []
    monkeypatch.setattr(svm, "MAX_ROWS", limit)
    monkeypatch.setattr(svm, "MAX_POSITIVES", 20)
    svms = train_svms(images, settings, lines.append)
    assert 20 < max(held) <= limit
    assert " 0 ROIs inside the margin" in lines[-1], "easy ones make room for others"
    assert np.isfinite(svms.weights).all() and svms.weights.any(axis=1).all()


def test_where_all_decide_and_there_is_no_room_mining_says_so(monkeypatch, held):
    random = np.random.default_rng(0)
    images = image_set(nr_images=8)
    mixed = [TrainingImage(image.features, random.permutation(image.targets)) for image in images]  # nothing to learn
    monkeypatch.setattr(svm, "MAX_ROWS", 60)
    monkeypatch.setattr(svm, "MAX_POSITIVES", 20)
    lines = []
    train_svms(mixed, settings_of(SvmSettings, C=1e-4, retrain_limit=50), lines.append)
    assert max(held) == 60 and lines[-1] == "stopped: 60 ROIs that decide are as many as memory is meant for"


def test_bounds_that_are_not_reached_change_nothing(monkeypatch):
    images, settings = image_set(), settings_of(SvmSettings, retrain_limit=30)
    before = train_svms(images, settings)
    nr_positives = sum(int((image.targets > 0).sum()) for image in images)
    monkeypatch.setattr(svm, "MAX_ROWS", 360)  # 350 ROIs
    monkeypatch.setattr(svm, "MAX_POSITIVES", nr_positives)
    after = train_svms(images, settings)
    assert after.weights.tobytes() == before.weights.tobytes() and after.biases.tobytes() == before.biases.tobytes()


def test_the_worst_are_found_whatever_the_order_and_the_images():
    random = np.random.default_rng(0)
    for limit in (1, 7, 40):
        ranks = np.stack([-random.integers(0, 5, 200), random.random(200)], axis=1)
        worst, most = WorstRois(limit), 0
        for rows in np.array_split(np.arange(200), 23):
            worst.add(MinedRois(rows[:, None], np.stack([rows, rows], axis=1), ranks[rows]))
            most = max(most, sum(map(len, worst.parts)))
        worst_first = sorted(range(200), key=lambda row: tuple(ranks[row]))
        assert worst.worst(limit).targets[:, 0].tolist() == worst_first[:limit] and most <= 2 * limit
        assert len(worst.worst(-3)) == 0, "there is no room"
