"""From scores and offsets of ROIs to detections: decode, clip, suppress duplicates, average what is left.

Steps 5 and 6 both end here, so one image scored in memory gives what the evaluation found.
"""

import numpy as np

from fastRCNN import boxes as box_ops
from fastRCNN.linear_algebra import product
from fastRCNN.nms import nms
from fastRCNN.structures import Detections


def candidates(
    rois: np.ndarray,
    scores: np.ndarray,
    offsets: np.ndarray | None,
    image_size: tuple[float, float],
    score_threshold: float,
) -> Detections:
    """Every (ROI, class) pair whose score reaches the threshold, as a detection; those without area are dropped.

    Args:
        rois: boxes (R, 4).
        scores: (R, K), one column per foreground class.
        offsets: (R, K, 4) or None, see `boxes.decode`.
        image_size: (width, height); boxes are clipped to it.
        score_threshold: least score; minus infinity (a class without training data) is never a detection.
    """
    rows, columns = np.nonzero((scores >= score_threshold) & (scores > -np.inf))
    boxes = box_ops.as_boxes(rois)[rows]
    if offsets is not None:
        boxes = box_ops.decode(boxes, offsets[rows, columns])
    boxes = box_ops.clip(boxes, *image_size)
    found = Detections(boxes, scores[rows, columns].astype(np.float32), columns.astype(np.int64) + 1)
    return found.take(box_ops.areas(boxes) > 0).by_score()


def suppress(found: Detections, nms_threshold: float, max_detections: int) -> np.ndarray:
    """Class-wise non-maximum suppression: a mask (N,) bool over `found`, true for what is kept.

    At most `max_detections` survive, the best of all classes.
    """
    keep = np.zeros(len(found), dtype=bool)
    for class_id in np.unique(found.class_ids):
        rows = np.flatnonzero(found.class_ids == class_id)
        keep[rows[nms(found.boxes[rows], found.scores[rows], nms_threshold)]] = True
    keep[np.flatnonzero(keep)[max_detections:]] = False  # `found` is sorted by score
    return keep


def vote(found: Detections, kept: np.ndarray, min_overlap: float, floor: float) -> Detections:
    """Move each kept box to the weighted mean of the boxes around it (Gidaris and Komodakis, ICCV 2015, section 3.3).

    All candidates of a class that overlap a kept box by `min_overlap` (IoU) or more saw the same object, each with an
    error of its own, so their mean frames it better than the best of them. A box's weight is its score above `floor`;
    those below have none.

    Args:
        kept: (N,) bool, see `suppress`.

    Returns:
        The detections with the kept boxes moved, scores and order unchanged.
    """
    boxes = found.boxes.copy()
    for class_id in np.unique(found.class_ids):
        rows = np.flatnonzero((found.class_ids == class_id) & (kept | (found.scores > floor)))
        centers = rows[kept[rows]]
        weights = np.maximum(found.scores[rows].astype(np.float64) - floor, 0)
        weights = weights * (box_ops.iou(found.boxes[centers], found.boxes[rows]) >= min_overlap)  # (C, M)
        total = weights.sum(axis=1, keepdims=True)
        moved = total[:, 0] > 0
        boxes[centers[moved]] = product(weights[moved], found.boxes[rows]) / total[moved]
    return Detections(boxes, found.scores, found.class_ids)
