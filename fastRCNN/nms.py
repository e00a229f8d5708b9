"""Greedy non-maximum suppression."""

import numpy as np
import torch
import torchvision

from fastRCNN.boxes import as_boxes


def nms(boxes, scores, threshold):
    """Keep the best box, drop all others that overlap it by more than `threshold`, and go on with the rest.

    boxes (N, 4); scores (N,), higher is better; threshold: IoU in [0, 1]. Returns the indices of the kept boxes, best
    first, int64. Equal scores keep their order, so the result does not depend on chance.
    """
    boxes = torch.from_numpy(as_boxes(boxes))
    scores = torch.from_numpy(np.asarray(scores, dtype=np.float32).reshape(-1))
    return torchvision.ops.nms(boxes, scores, float(threshold)).numpy()
