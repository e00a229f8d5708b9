"""The order of proposals: how often the search found nearly the same box.

Selective search runs on several segmentations (colour spaces, region sizes); a region that many of them agree on is
likelier to be an object than one that a single segmentation came up with. Votes are whole numbers, so that they do not
depend on the order in which they are added, and the same boxes come out on every machine.
"""

import numpy as np

GOLDEN_RATIO = (5**0.5 - 1) / 2
ONE_BITS = 20  # an IoU of 1, in fixed point
BLOCK = 256  # boxes that are compared with all others at once


def rank_by_votes(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Order proposals by votes, dropping duplicates on the way.

    A box's vote is the sum over all boxes, itself included, of the IoU in excess of `threshold`; of boxes that overlap
    by more, the one with the most votes stays. Among equal votes, no part of the image is preferred.

    Args:
        boxes: (N, 4) in whole pixels, in any order.

    Returns:
        Indices of the boxes that stay, most votes first.
    """
    if not len(boxes):
        return np.zeros(0, np.int64)
    whole = np.asarray(boxes).astype(np.int64)
    order = np.lexsort(whole.T[::-1])  # whatever order the engine returned them in
    new = np.concatenate([[True], (whole[order[1:]] != whole[order[:-1]]).any(axis=1)])
    first = np.flatnonzero(new)
    counts = np.diff(np.append(first, len(order)))
    distinct = whole[order[first]]
    turns = np.arange(len(first)) * GOLDEN_RATIO % 1.0
    by_area = np.argsort((distinct[:, 2] - distinct[:, 0]) * (distinct[:, 3] - distinct[:, 1]), kind="stable")
    boxes, counts, turns = distinct[by_area], counts[by_area], turns[by_area]
    limit = round(threshold * (1 << ONE_BITS))
    try:
        from fastRCNN.fast_search.votes import keep_apart, votes_of
    except ImportError:  # without numba
        votes_of, keep_apart = plain_votes_of, plain_keep_apart
    votes = votes_of(boxes, counts, limit, ONE_BITS)
    kept = keep_apart(boxes, np.lexsort([turns, -votes]), limit, ONE_BITS)
    return order[first[by_area[kept]]]


def plain_votes_of(boxes: np.ndarray, counts: np.ndarray, threshold: int, one_bits: int) -> np.ndarray:
    """The same as `fast_search.votes.votes_of`, without numba and many times slower."""
    votes = np.zeros(len(boxes), np.int64)
    for start in range(0, len(boxes), BLOCK):
        overlaps = _iou(boxes[start : start + BLOCK], boxes, one_bits)
        votes[start : start + BLOCK] = np.maximum(overlaps - threshold, 0) @ counts
    return votes


def plain_keep_apart(boxes: np.ndarray, order: np.ndarray, threshold: int, one_bits: int) -> np.ndarray:
    """The same as `fast_search.votes.keep_apart`, without numba and many times slower."""
    gone, kept = np.zeros(len(boxes), bool), []
    for index in order:
        if not gone[index]:
            kept.append(index)
            gone |= _iou(boxes[index : index + 1], boxes, one_bits)[0] > threshold
    return np.array(kept, np.int64)


def _iou(boxes: np.ndarray, others: np.ndarray, one_bits: int) -> np.ndarray:
    """Of whole boxes (N, 4) and (M, 4): (N, M) int64 in fixed point, rounded down."""
    corner = np.maximum(boxes[:, None, :2], others[None, :, :2])
    sides = np.maximum(np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - corner, 0)
    shared = sides[..., 0] * sides[..., 1]
    areas, other_areas = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (boxes, others))
    return (shared << one_bits) // np.maximum(areas[:, None] + other_areas - shared, 1)
