"""Counting votes and dropping duplicates among many boxes (fastRCNN/ranking.py): each box meets those of like area."""

import numba  # noqa: F401 (without it fastRCNN/ranking.py does the same in numpy)
import numpy as np

from fastRCNN.compiled import compiled


@compiled
def votes_of(boxes: np.ndarray, counts: np.ndarray, threshold: int, one_bits: int) -> np.ndarray:
    """The votes of each box, int64 (N,) in fixed point.

    Args:
        boxes: int64 (N, 4), by growing area, without duplicates.
        counts: int64 (N,), how often each was found.
        threshold: IoU in fixed point; what overlaps less does not vote.
        one_bits: of the fixed point.
    """
    nr = len(boxes)
    areas = _areas(boxes)
    votes = ((1 << one_bits) - threshold) * counts
    for i in range(nr):
        for j in range(i + 1, nr):
            if areas[j] * threshold > areas[i] << one_bits:  # no larger box can overlap it so much
                break
            shared = _shared(boxes, i, j)
            union = areas[i] + areas[j] - shared
            if shared << one_bits >= (threshold + 1) * union:  # most pairs overlap less, and are spared a division
                overlap = (shared << one_bits) // union - threshold
                votes[i] += overlap * counts[j]
                votes[j] += overlap * counts[i]
    return votes


@compiled
def keep_apart(boxes: np.ndarray, order: np.ndarray, threshold: int, one_bits: int) -> np.ndarray:
    """Of boxes in this order, (M,), those that overlap none before them that stayed by more than the threshold.

    Args: as for `votes_of`.
    """
    nr = len(boxes)
    areas = _areas(boxes)
    gone = np.zeros(nr, np.bool_)
    kept = np.empty(nr, np.int64)
    count = 0
    for i in order:
        if gone[i]:
            continue
        kept[count] = i
        count += 1
        for j in range(i + 1, nr):
            if areas[j] * threshold > areas[i] << one_bits:
                break
            gone[j] = gone[j] or _overlap_more(boxes, areas, i, j, threshold, one_bits)
        for j in range(i - 1, -1, -1):
            if areas[i] * threshold > areas[j] << one_bits:
                break
            gone[j] = gone[j] or _overlap_more(boxes, areas, i, j, threshold, one_bits)
    return kept[:count].copy()


@compiled
def _overlap_more(boxes: np.ndarray, areas: np.ndarray, i: int, j: int, threshold: int, one_bits: int) -> bool:
    """Whether the IoU of two boxes, rounded down, is above the threshold; without a division, which takes longest."""
    shared = _shared(boxes, i, j)
    return shared << one_bits >= (threshold + 1) * (areas[i] + areas[j] - shared)


@compiled
def _areas(boxes: np.ndarray) -> np.ndarray:
    areas = np.empty(len(boxes), np.int64)
    for i in range(len(boxes)):
        areas[i] = (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])
    return areas


@compiled
def _shared(boxes: np.ndarray, i: int, j: int) -> int:
    """The area that two boxes share."""
    width = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
    height = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
    return max(width, 0) * max(height, 0)
