"""Protects the table from which a user chooses the score to trust: counts, precision and recall at a threshold, pooled
and by class, and the lowest threshold with a wanted precision. Checked by hand and against plain counting.
"""

import numpy as np
import pytest

from fastRCNN.boxes import as_boxes
from fastRCNN.matching import IGNORED, TRUE_POSITIVE, match_voc
from fastRCNN.structures import Detections, GroundTruth
from fastRCNN.threshold_table import class_curves, count_by_threshold, lowest_threshold, round_thresholds


def place(index):
    """A 10 x 10 box of its own."""
    return [20 * index, 0, 20 * index + 10, 10]


def detections(places, scores, class_ids):
    found = Detections(
        as_boxes([place(index) for index in places]), np.array(scores, np.float32), np.array(class_ids, np.int64)
    )
    return found.by_score()


def truth(places, class_ids, ignored=()):
    flags = np.array([index in ignored for index in places], bool)
    return GroundTruth(as_boxes([place(index) for index in places]), np.array(class_ids, np.int64), flags)


def small_case():
    """Class 1: 2 objects, class 2: 1 object, class 3: none. One more detection lies on an ignored box."""
    found = [
        detections([0, 1, 5, 9], [0.9, 0.7, 0.5, 0.8], [1, 2, 1, 1]),
        detections([3, 7], [0.5, 0.1], [1, 3]),
    ]
    true = [truth([0, 1, 9], [1, 2, 0], ignored=(9,)), truth([3], [1])]
    return class_curves(found, true, nr_classes=3)


def test_counts_by_hand():
    counts = count_by_threshold(small_case(), [0.6, 0.0, 0.9, 1.0, 0.5])
    assert counts.thresholds.tolist() == pytest.approx([0.0, 0.5, 0.6, 0.9, 1.0])  # sorted
    # class 1: 0.9 right, two of 0.5, one right and one false; class 2: 0.7 right; class 3: 0.1 false
    assert counts.detections.tolist() == [[3, 3, 1, 1, 0], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]]
    assert counts.right.tolist() == [[2, 2, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]
    assert counts.nr_objects.tolist() == [2, 1, 0]


def test_precision_and_recall_by_hand():
    counts = count_by_threshold(small_case(), [0.0, 0.5, 0.6, 0.9, 1.0])
    precision, recall = counts.pooled()
    assert precision[:4] == pytest.approx([3 / 5, 3 / 4, 2 / 2, 1 / 1]) and np.isnan(precision[4])
    assert recall == pytest.approx([3 / 3, 3 / 3, 2 / 3, 1 / 3, 0])
    precision, recall = counts.by_class()
    assert precision[0, :4] == pytest.approx([2 / 3, 2 / 3, 1, 1]) and np.isnan(precision[0, 4])
    assert recall[:2].tolist() == [[1, 1, 0.5, 0.5, 0], [1, 1, 1, 0, 0]]
    assert precision[2, 0] == 0 and np.isnan(precision[2, 1:]).all()  # no detection from 0.5 on
    assert np.isnan(recall[2]).all()  # no object of class 3


def test_lowest_threshold_by_hand():
    curves = small_case()
    assert lowest_threshold(curves, 0.5) == 0.0  # all scores are 0.1 or more: 3 of 5, and 0 has the fewest digits
    assert lowest_threshold(curves, 0.7) == 0.2  # in (0.1, 0.5]: 3 of 4
    assert lowest_threshold(curves, 1.0) == 0.6  # in (0.5, 0.7]: 2 of 2
    assert lowest_threshold(class_curves([detections([5], [0.5], [1])], [truth([0], [1])], 1), 0.1) is None


def test_precision_that_rises_again_counts():
    """The lowest threshold with the wanted precision has the highest recall, whatever lies above it."""
    found = [detections([9, 0, 1, 2], [0.9, 0.8, 0.7, 0.6], [1] * 4)]  # false, right, right, right
    curves = class_curves(found, [truth([0, 1, 2], [1] * 3)], 1)
    assert lowest_threshold(curves, 0.75) == 0  # 3 of 4
    assert lowest_threshold(curves, 0.8) is None


@pytest.mark.parametrize(
    "above, score", [(0.29, 0.31), (0.7, 0.9), (0.69999, 0.7), (-1.26, -1.25), (1.2345, 1.2346), (-0.2, 2.9)]
)
def test_round_number_separates_what_the_scores_separate(above, score):
    found = [detections([0, 9], [score, above], [1, 1])]
    value = lowest_threshold(class_curves(found, [truth([0], [1])], 1), 1.0)
    assert np.float32(above) < np.float32(value) <= np.float32(score)
    assert len(str(value)) <= len(str(score))


@pytest.mark.parametrize("seed", range(5))
def test_against_plain_counting(seed):
    random = np.random.default_rng(seed)
    found, true = [], []
    for _ in range(6):
        count = random.integers(0, 30)
        scores = random.normal(size=count).round(1)  # many equal ones
        found.append(detections(random.integers(0, 12, count), scores, random.integers(1, 4, count)))
        places = random.permutation(12)[: random.integers(0, 8)]
        true.append(truth(places, random.integers(1, 4, len(places)), ignored=places[:1]))
    thresholds = np.linspace(-2, 2, 9)
    counts = count_by_threshold(class_curves(found, true, 3), thresholds)
    for column, threshold in enumerate(thresholds):
        for class_id in (1, 2, 3):
            right = listed = objects = 0
            for detected, objects_there in zip(found, true, strict=True):
                shown = detected.take((detected.scores >= np.float32(threshold)) & (detected.class_ids == class_id))
                of_class = objects_there.of_class(class_id)
                verdicts = match_voc(shown.boxes, of_class, 0.5)
                right += (verdicts == TRUE_POSITIVE).sum()
                listed += (verdicts != IGNORED).sum()
                objects += (~of_class.ignored).sum()
            assert counts.right[class_id - 1, column] == right
            assert counts.detections[class_id - 1, column] == listed
            assert counts.nr_objects[class_id - 1] == objects


def test_thresholds_are_round_even_and_cover_what_matters():
    scores = np.linspace(-3, 2.93, 40)
    found = [detections(range(40), scores, [1] * 40)]
    true = [truth(range(10, 40), [1] * 30)]  # the ten worst detections are false
    thresholds = round_thresholds(class_curves(found, true, 1))
    lowest_right = scores[10]  # -1.48
    assert thresholds[:3].tolist() == [-1.5, -1.25, -1.0] and thresholds[0] <= lowest_right
    assert thresholds[-1] == 2.75 and thresholds[-1] + 0.25 > scores[-1]
    assert 0.0 in thresholds
    assert (np.diff(thresholds) == 0.25).all() and len(thresholds) == 18


@pytest.mark.parametrize("scores", ([0.97], [0.5, 0.5], [1e-5], [-7.25, 12000.0], [0.0]))
def test_few_and_extreme_scores_give_few_thresholds(scores):
    curves = class_curves([detections(range(len(scores)), scores, [1] * len(scores))], [truth([0, 1], [1, 1])], 1)
    thresholds = round_thresholds(curves)
    assert 1 <= len(thresholds) <= 23
    assert thresholds[0] <= min(scores) and thresholds[-1] <= max(scores)
    assert count_by_threshold(curves, thresholds).detections[0, 0] == len(scores)


def test_nothing_found_and_nothing_there():
    nothing = detections([], [], [])
    for true in (truth([0], [1]), truth([], [])):
        curves = class_curves([nothing], [true], 2)
        assert len(round_thresholds(curves)) == 0
        assert lowest_threshold(curves, 0.0) is None
        counts = count_by_threshold(curves, [0.0])
        precision, recall = counts.pooled()
        assert np.isnan(precision).all()
        assert recall.tolist() == [0.0] if len(true.boxes) else np.isnan(recall).all()
    assert count_by_threshold(class_curves([], [], 1), []).detections.shape == (1, 0)
