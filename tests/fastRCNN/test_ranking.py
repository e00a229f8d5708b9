"""Protects the order of proposals: votes worked out by hand, equal ranks whatever the order of the boxes, and the same
from the compiled functions as from plain numpy.
"""

import sys

import numpy as np
import pytest

from fastRCNN import ranking
from fastRCNN.boxes import iou
from fastRCNN.ranking import rank_by_votes


def test_rank_by_votes_by_hand():
    # A, B, C differ in height: IoU A-B 0.95, A-C 0.9, B-C 90/95 = 0.947. In excess of 0.85, oneself included:
    # A 0.15 + 0.1 + 0.05 = 0.3; B 0.1 + 0.15 + 0.097 = 0.347; C 0.05 + 0.097 + 0.15 = 0.297
    a, b, c = [0, 0, 100, 100], [0, 0, 100, 95], [0, 0, 100, 90]
    # D is alone: 0.15; E was found twice: 0.15 + 0.15 = 0.3; F overlaps D, but by 0.8 only, which is no vote
    d, e, f = [300, 0, 400, 100], [500, 0, 600, 100], [300, 0, 400, 80]
    boxes = np.array([d, a, e, c, f, b, e], np.float32)
    ranked = boxes[rank_by_votes(boxes, 0.85)].tolist()
    assert ranked[:2] == [b, e]  # A and C are near duplicates of B, the second E of the first
    assert sorted(ranked[2:]) == sorted([d, f])
    assert rank_by_votes(np.zeros((0, 4), np.float32), 0.85).tolist() == []
    assert rank_by_votes(np.array([a], np.float32), 0.85).tolist() == [0]


def test_rank_by_votes_on_many_boxes_in_any_order():
    random = np.random.default_rng(1)
    centres = random.uniform(50, 250, (150, 1, 2))  # 150 objects, each found 8 times: more than one block of votes
    corners = centres + random.uniform(-2, 2, (150, 8, 2))
    boxes = np.round(np.concatenate([corners - 30, corners + 30], axis=2).reshape(-1, 4)).astype(np.float32)
    kept = rank_by_votes(boxes, 0.85)
    assert len(set(kept.tolist())) == len(kept) < 1000
    overlaps = iou(boxes, boxes)
    votes = np.clip(overlaps - 0.85, 0, None).sum(axis=1)
    assert (np.diff(votes[kept]) < 1e-5).all()
    assert (overlaps[np.ix_(kept, kept)] - np.eye(len(kept)) <= 0.85).all()
    assert (overlaps[:, kept].max(axis=1) > 0.85).sum() == len(boxes)  # nothing but near duplicates is dropped
    shuffle = random.permutation(len(boxes))
    assert np.array_equal(boxes[shuffle][rank_by_votes(boxes[shuffle], 0.85)], boxes[kept])


def random_boxes(count, seed=0):
    random = np.random.default_rng(seed)
    boxes = np.round(random.uniform(0, 1, (count, 4)) * [100, 100, 60, 60])
    boxes[:, 2:] += boxes[:, :2] + 10
    return boxes.astype(np.float32)


@pytest.mark.parametrize("threshold", (0.0, 0.3, 0.85, 1.0))
def test_ranking_is_that_of_plain_numpy(threshold, monkeypatch):
    boxes = np.concatenate([random_boxes(400), random_boxes(100)])  # some twice
    compiled = rank_by_votes(boxes, threshold)
    monkeypatch.setitem(sys.modules, "fastRCNN.fast_search.votes", None)
    assert rank_by_votes(boxes, threshold).tolist() == compiled.tolist()


def test_ranking_is_by_votes_and_keeps_what_is_apart():
    boxes = random_boxes(500)
    order = rank_by_votes(boxes, 0.6)
    overlaps = iou(boxes, boxes)
    votes = np.clip(overlaps - 0.6, 0, None).sum(axis=1)
    assert (np.diff(votes[order]) <= 1e-4).all()
    kept = overlaps[np.ix_(order, order)] - np.eye(len(order))
    assert kept.max() <= 0.6 and (overlaps[:, order].max(axis=1) > 0.6).all()


def test_ranking_does_not_depend_on_the_order_of_the_boxes():
    boxes = random_boxes(300)
    wanted = boxes[rank_by_votes(boxes, 0.7)]
    mixed = boxes[np.random.default_rng(5).permutation(len(boxes))]
    assert (mixed[rank_by_votes(mixed, 0.7)] == wanted).all()


def test_votes_of_a_box_that_was_found_often():
    boxes = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [50, 50, 60, 60], [80, 0, 90, 10]], np.float32)
    assert boxes[rank_by_votes(boxes, 0.85)[0]].tolist() == [50, 50, 60, 60]
    assert len(rank_by_votes(boxes, 0.85)) == 3
    assert rank_by_votes(np.zeros((0, 4), np.float32), 0.85).tolist() == []


def test_corners_of_gigantic_images():
    boxes = np.array([[0, 0, 1_000_000, 100], [0, 0, 999_999, 100], [70_000, 0, 70_010, 10]], np.float32)
    kept = rank_by_votes(boxes, 0.85).tolist()
    assert 2 in kept and len(kept) == 2
    assert ranking.ONE_BITS + np.log2(10**8) < 62, "areas up to 100 megapixels, in fixed point"
