"""Greedy non-maximum suppression."""

import numpy as np
import torch
import torchvision

from fastRCNN.boxes import as_boxes


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Keep the best box, drop all others that overlap it by more than `threshold`, and go on with the rest.

    Args:
        boxes: (N, 4).
        scores: (N,), higher is better.
        threshold: IoU in [0, 1].

    Returns:
        Indices int64 of the kept boxes, best first. Equal scores keep their order: nothing depends on chance.
    """
    scores = np.asarray(scores, dtype=np.float32).reshape(-1)
    tensors = torch.from_numpy(as_boxes(boxes)), torch.from_numpy(scores)
    return torchvision.ops.nms(*tensors, float(threshold)).numpy()
