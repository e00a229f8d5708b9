"""The inner loop of non-maximum suppression, compiled; in float32, as torchvision computes it."""

import numba  # noqa: F401 (without it torchvision's is faster)
import numpy as np

from fastRCNN.compiled import compiled


@compiled
def keep_apart(boxes: np.ndarray, order: np.ndarray, threshold: float) -> np.ndarray:
    """Of boxes float32 (N, 4) in this order, (N,), those that overlap none before them that stayed by more than
    `threshold`: their indices, in this order. Boxes without area stay."""
    count = len(order)
    areas = np.empty(count, np.float32)
    for i in range(count):
        areas[i] = (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])
    gone = np.zeros(count, np.bool_)
    kept = np.empty(count, np.int64)
    nr_kept = 0
    nothing = np.float32(0)
    for place in range(count):
        best = order[place]
        if gone[best]:
            continue
        kept[nr_kept] = best
        nr_kept += 1
        for later in range(place + 1, count):
            other = order[later]
            if gone[other]:
                continue
            width = min(boxes[best, 2], boxes[other, 2]) - max(boxes[best, 0], boxes[other, 0])
            height = min(boxes[best, 3], boxes[other, 3]) - max(boxes[best, 1], boxes[other, 1])
            if width <= nothing or height <= nothing:
                continue
            shared = width * height
            gone[other] = shared / (areas[best] + areas[other] - shared) > threshold
    return kept[:nr_kept].copy()
