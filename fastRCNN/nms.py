"""Greedy non-maximum suppression."""

import numpy as np
from numpy.typing import ArrayLike

from fastRCNN.boxes import as_boxes


def nms(boxes: ArrayLike, scores: ArrayLike, threshold: float) -> np.ndarray:
    """Keep the best box, drop all others that overlap it by more than `threshold`, and go on with the rest.

    Compiled by numba it takes the time of torchvision's, without the seconds that torchvision takes to be imported;
    where numba is not there, torchvision's runs. Both keep the same boxes.

    Args:
        boxes: (N, 4).
        scores: (N,), higher is better.
        threshold: IoU in [0, 1].

    Returns:
        Indices int64 of the kept boxes, best first. Equal scores keep their order: nothing depends on chance.
    """
    boxes, scores = as_boxes(boxes), np.asarray(scores, dtype=np.float32).reshape(-1)
    try:
        from fastRCNN.greedy import keep_apart
    except ImportError:
        import torch
        from torchvision.ops import nms as torchvision_nms

        return torchvision_nms(torch.from_numpy(boxes), torch.from_numpy(scores), float(threshold)).numpy()
    return keep_apart(np.ascontiguousarray(boxes), np.argsort(-scores, kind="stable"), float(threshold))
