"""Ground truth and ROIs whose overlaps can be computed in the head: a box 100 wide and high, and its left columns."""

import numpy as np

from fastRCNN.boxes import as_boxes
from fastRCNN.structures import GroundTruth


def part(percent, left=0):
    """A ROI inside [left, 0, left + 100, 100] whose IoU with that box is `percent` / 100: its left columns."""
    return [left, 0, left + percent, 100]


def truth(*objects):
    """Ground truth of (box, class id) pairs; class id None for an EXCLUDE box."""
    boxes = as_boxes([box for box, _ in objects])
    class_ids = np.array([class_id or 0 for _, class_id in objects], dtype=np.int64)
    return GroundTruth(boxes, class_ids, np.array([class_id is None for _, class_id in objects], dtype=bool))
