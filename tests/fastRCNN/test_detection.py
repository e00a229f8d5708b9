"""Protects the last step from scores to detections, which evaluation and single-image scoring share: which ROI and
class pairs become detections, where their boxes lie, who suppresses whom, and in which order they come.
"""

import numpy as np
import pytest

from fastRCNN.boxes import as_boxes
from fastRCNN.detection import candidates, suppress, vote
from fastRCNN.structures import Detections

SIZE = (100, 50)  # width, height


def detections(boxes, scores, class_ids):
    return Detections(as_boxes(boxes), np.array(scores, np.float32), np.array(class_ids, np.int64))


def test_every_pair_that_reaches_the_threshold():
    rois = [[0, 0, 10, 10], [20, 20, 30, 30]]
    scores = np.array([[0.5, 0.9], [0.1, 0.5]])  # two foreground classes: ids 1 and 2
    found = candidates(rois, scores, None, SIZE, 0.5)
    # best first; the two scores of 0.5 reach the threshold and keep the order of the ROIs
    assert found.scores.tolist() == pytest.approx([0.9, 0.5, 0.5])
    assert found.class_ids.tolist() == [2, 1, 2]
    assert found.boxes.tolist() == [[0, 0, 10, 10], [0, 0, 10, 10], [20, 20, 30, 30]]
    assert found.boxes.dtype == np.float32 and found.scores.dtype == np.float32 and found.class_ids.dtype == np.int64
    assert len(found) == 3
    assert len(candidates(rois, scores, None, SIZE, -np.inf)) == 4


def test_boxes_move_by_the_offsets_of_their_own_class():
    rois = [[0, 0, 10, 10], [20, 20, 40, 30]]
    offsets = np.zeros((2, 2, 4))
    offsets[0, 1, 0] = 0.5  # ROI 0, class 2: half of 10 pixels to the right
    offsets[1, 0, 2] = np.log(2)  # ROI 1, class 1: twice as wide around its centre 30, 10 to 50
    found = candidates(rois, np.array([[4, 3], [2, 1]]), offsets, SIZE, 0)
    expected = [[0, 0, 10, 10], [5, 0, 15, 10], [10, 20, 50, 30], [20, 20, 40, 30]]
    assert found.class_ids.tolist() == [1, 2, 1, 2]
    assert found.boxes == pytest.approx(np.array(expected), abs=1e-4)


def test_boxes_end_at_the_image_border_and_vanish_beyond_it():
    # 100 wide, 50 high: ROI 0 is pushed across the right border, ROI 1 down past the lower one
    rois = [[80, 0, 100, 20], [0, 30, 20, 50]]
    offsets = np.zeros((2, 1, 4))
    offsets[0, 0, 0], offsets[1, 0, 1] = 0.5, 3
    found = candidates(rois, np.array([[1.0], [2.0]]), offsets, SIZE, 0)
    assert found.boxes == pytest.approx(np.array([[90, 0, 100, 20]]), abs=1e-4)
    # without offsets as well, and the axes are not mixed up: x may reach 100, y only 50
    found = candidates([[90, 40, 120, 60]], np.array([[1.0]]), None, SIZE, 0)
    assert found.boxes.tolist() == [[90, 40, 100, 50]]


@pytest.mark.parametrize("offsets", [None, np.zeros((0, 3, 4))])
def test_no_roi(offsets):
    found = candidates([], np.zeros((0, 3)), offsets, SIZE, 0)
    assert len(found) == 0 and found.boxes.shape == (0, 4)
    assert suppress(found, 0.3, 100).shape == (0,)


def test_no_pair_above_the_threshold():
    found = candidates([[0, 0, 10, 10]], np.array([[-1.0, -2.0]]), np.zeros((1, 2, 4)), SIZE, 0)
    assert len(found) == 0 and suppress(found, 0.3, 100).tolist() == []


def test_order_is_by_score_and_stable():
    random = np.random.default_rng(0)
    scores = random.integers(0, 4, (60, 3)).astype(np.float64)
    rois = np.array([[index, 0, index + 5, 5] for index in range(60)])
    found = candidates(rois, scores, None, SIZE, 1)
    pairs = [(-scores[roi, column], roi, column) for roi in range(60) for column in range(3) if scores[roi, column] > 0]
    assert [(int(box[0]), int(class_id) - 1) for box, class_id in zip(found.boxes, found.class_ids, strict=True)] == [
        (roi, column) for _, roi, column in sorted(pairs)
    ]


def test_take_and_by_score():
    found = detections([[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]], [1, 3, 1], [1, 2, 3])
    assert found.by_score().class_ids.tolist() == [2, 1, 3]
    assert found.by_score().boxes[:, 2].tolist() == [2, 1, 3]
    assert found.take(np.array([True, False, True])).scores.tolist() == [1, 1]
    assert found.take([2, 0]).class_ids.tolist() == [3, 1]


def test_suppression_stays_within_a_class():
    # rows 0 to 2 are the same place: row 2 loses against row 0 of its class, row 1 is of another class; row 3 overlaps
    # row 1 by 50 of 100 + 100 - 50 = 150, a third
    same, shifted = [0, 0, 10, 10], [5, 0, 15, 10]
    found = detections([same, same, same, shifted], [4, 3, 2, 1], [1, 2, 1, 2])
    assert suppress(found, 0.3, 100).tolist() == [True, True, False, False]
    assert suppress(found, 0.4, 100).tolist() == [True, True, False, True]


def test_the_best_of_all_classes_survive():
    # no two overlap; row 1 is a double of row 0 and takes no place
    boxes = [[0, 0, 10, 10], [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]]
    found = detections(boxes, [5, 4, 3, 2, 1], [1, 1, 2, 1, 2])
    assert suppress(found, 0.3, 100).tolist() == [True, False, True, True, True]
    assert suppress(found, 0.3, 3).tolist() == [True, False, True, True, False]
    assert suppress(found, 0.3, 0).tolist() == [False] * 5


def test_suppression_leaves_its_input_alone_and_can_be_repeated():
    random = np.random.default_rng(1)
    corners = random.uniform(0, 40, (80, 2))
    scores, class_ids = random.normal(size=80), random.integers(1, 4, 80)
    found = detections(np.hstack([corners, corners + 12]), scores, class_ids).by_score()
    before = [found.boxes.copy(), found.scores.copy(), found.class_ids.copy()]
    mask = suppress(found, 0.3, 30)
    assert 10 < mask.sum() <= 30
    for array, old in zip((found.boxes, found.scores, found.class_ids), before, strict=True):
        assert np.array_equal(array, old)
    assert suppress(found.take(mask), 0.3, 30).all()  # survivors do not suppress each other


# rows 0 and 1 share 80 of 120, rows 0 and 2 60 of 140; row 3 is where row 1 is, but of another class; row 4 is alone
VOTERS = [[0, 0, 10, 10], [2, 0, 12, 10], [4, 0, 14, 10], [2, 0, 12, 10], [50, 0, 60, 10]]
VOTER_SCORES, VOTER_CLASSES = [3, 1, 0.5, 0.5, -1], [1, 1, 1, 2, 1]


@pytest.mark.parametrize(
    ("min_overlap", "floor", "x"),
    [
        (0.5, 0, 2 * 1 / 4),  # rows 0 and 1 with weights 3 and 1
        (0.5, -1, 2 * 2 / 6),  # with weights 4 and 2
        (0.5, 1, 0),  # row 1 is not above the floor
        (0.4, 0, (2 * 1 + 4 * 0.5) / 4.5),  # row 2 as well, with weight 0.5
        (0.7, 0, 0),  # no other box is near enough
    ],
)
def test_kept_boxes_move_to_the_weighted_mean_of_their_class(min_overlap, floor, x):
    found = detections(VOTERS, VOTER_SCORES, VOTER_CLASSES)
    kept = np.array([True, False, False, True, True])
    moved = vote(found, kept, min_overlap, floor)
    # rows 1 and 2 are not kept, rows 3 and 4 have no neighbour of their class; row 4 is at or below every floor but -1
    assert moved.boxes == pytest.approx(np.array([[x, 0, x + 10, 10], *VOTERS[1:]]), abs=1e-5)
    assert moved.boxes.dtype == np.float32
    assert moved.scores.tolist() == VOTER_SCORES and moved.class_ids.tolist() == VOTER_CLASSES
    assert found.boxes.tolist() == VOTERS, "the input must stay as it is"


def test_a_vote_of_nobody():
    assert len(vote(detections([], [], []), np.zeros(0, bool), 0.5, 0)) == 0
    found = detections(VOTERS, VOTER_SCORES, VOTER_CLASSES)
    assert vote(found, np.zeros(5, bool), 0.5, 0).boxes.tolist() == VOTERS
