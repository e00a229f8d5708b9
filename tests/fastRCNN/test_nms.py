"""Protects non-maximum suppression: who survives, in which order, and that ties never depend on chance.

The oracle is the textbook algorithm in plain Python, written here. Thresholds that boxes meet exactly are multiples of
1/4, which float32 holds exactly.
"""

import numpy as np
import pytest

from fastRCNN.nms import nms


def plain_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union


def plain_nms(boxes, scores, threshold):
    """The best box stays, what overlaps it by more than the threshold goes, until nothing is left."""
    boxes = [[float(value) for value in box] for box in boxes]
    left = sorted(range(len(boxes)), key=lambda index: -scores[index])  # sorted() keeps the order of equal scores
    kept = []
    while left:
        kept.append(left[0])
        left = [index for index in left[1:] if plain_iou(boxes[kept[-1]], boxes[index]) <= threshold]
    return kept


def random_boxes(random, count, whole):
    corners = random.uniform(0, 40, (count, 2))
    boxes = np.hstack([corners, corners + random.uniform(1, 25, (count, 2))])
    return np.ceil(boxes).astype(np.float32) if whole else boxes.astype(np.float32)


def test_hand_case():
    # first against second: 80 of 100 + 100 - 80 = 120 shared, IoU 2/3; second against third likewise; first against
    # third: 60 of 140, IoU 0.43; the fourth is alone
    boxes = [[0, 0, 10, 10], [2, 0, 12, 10], [4, 0, 14, 10], [50, 50, 60, 60]]
    scores = [0.7, 0.8, 0.6, 0.9]
    # 1 suppresses 0 and 2
    assert nms(boxes, scores, 0.5).tolist() == [3, 1]
    assert nms(boxes, scores, 0.7).tolist() == [3, 1, 0, 2]
    # a suppressed box suppresses nobody: 0 kills 1, so 2 survives although 1 overlaps it by 2/3
    assert nms(boxes, [0.9, 0.8, 0.6, 0.1], 0.5).tolist() == [0, 2, 3]


def test_no_box_and_one():
    assert nms([], [], 0.5).tolist() == []
    assert nms(np.zeros((0, 4)), np.zeros(0), 0.5).dtype == np.int64
    assert nms([[1, 2, 3, 4]], [-7.5], 0.5).tolist() == [0]


def test_an_overlap_equal_to_the_threshold_stays():
    # 50 of 100 shared: IoU exactly 0.5
    boxes = [[0, 0, 10, 10], [0, 0, 10, 5]]
    assert nms(boxes, [2, 1], 0.5).tolist() == [0, 1]
    assert nms(boxes, [2, 1], 0.499).tolist() == [0]


def test_threshold_zero_keeps_boxes_that_only_touch():
    # the second shares a line with the first, the third one square pixel
    boxes = [[0, 0, 10, 10], [10, 0, 20, 10], [9, 9, 19, 19]]
    assert nms(boxes, [3, 2, 1], 0).tolist() == [0, 1]


def test_threshold_one_keeps_even_doubles():
    assert nms([[0, 0, 10, 10]] * 3, [1, 3, 2], 1).tolist() == [1, 2, 0]


def test_equal_scores_keep_their_order():
    count = 300  # sorting algorithms that are not stable show it on long inputs only
    boxes = [[20 * index, 0, 20 * index + 10, 10] for index in range(count)]
    scores = [index % 3 for index in range(count)]
    expected = [index for score in (2, 1, 0) for index in range(count) if scores[index] == score]
    assert nms(boxes, scores, 0.5).tolist() == expected
    # of equally good duplicates the first one stays
    assert nms([[0, 0, 10, 10]] * count, [1.0] * count, 0.5).tolist() == [0]


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_whole_numbers_and_tied_scores_against_the_textbook(threshold):
    random = np.random.default_rng(1)
    for _ in range(20):
        count = int(random.integers(1, 40))
        boxes, scores = random_boxes(random, count, whole=True), random.integers(0, 6, count) / 4
        assert nms(boxes, scores, threshold).tolist() == plain_nms(boxes, scores, threshold)


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_random_boxes_against_the_textbook(threshold):
    random = np.random.default_rng(2)
    dropped = 0
    for _ in range(20):
        boxes, scores = random_boxes(random, 80, whole=False), random.normal(size=80)
        kept = nms(boxes, scores, threshold).tolist()
        assert kept == plain_nms(boxes, scores, threshold)
        dropped += 80 - len(kept)
    assert dropped > 20  # the case is not an idle one
