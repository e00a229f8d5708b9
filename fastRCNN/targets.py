"""What each ROI of a training image should be: from its overlaps with the true boxes.

True boxes: boxes (G, 4), class_ids (G,) in 1..K, and excluded (G,) bool for boxes that are neither examples nor
counterexamples; K is the number of classes without the background.
"""

from dataclasses import dataclass

import numpy as np

from fastRCNN import boxes as box_ops


def best_truth(rois, boxes, excluded):
    """For each ROI the true object that it overlaps most: (index (R,) into boxes, IoU (R,)); -1 and 0 without any."""
    candidates = np.flatnonzero(~excluded)
    if len(candidates) == 0 or len(rois) == 0:
        return np.full(len(rois), -1), np.zeros(len(rois))
    overlaps = box_ops.iou(rois, boxes[candidates])  # (R, G')
    best = overlaps.argmax(axis=1)
    return candidates[best], overlaps[np.arange(len(rois)), best]


def roi_class_ids(rois, boxes, class_ids, excluded, min_overlap):
    """Class of each ROI (R,): that of the object it overlaps most, 0 where the IoU is less than `min_overlap`."""
    index, overlap = best_truth(rois, boxes, excluded)
    return np.where((overlap >= min_overlap) & (index >= 0), np.append(class_ids, 0)[index], 0)


def svm_targets(rois, boxes, class_ids, excluded, nr_classes, positive_overlap, negative_overlap):
    """Targets of one-against-rest classifiers (R, K) int8: 1 an example, -1 a counterexample, 0 neither.

    A ROI is an example of a class at IoU >= positive_overlap with one of its objects, a counterexample below
    negative_overlap with all of them (R-CNN, appendix B), unless it touches an excluded box, which may be an object of
    any class.
    """
    targets = np.zeros((len(rois), nr_classes), dtype=np.int8)
    touches_excluded = box_ops.intersections(rois, boxes[excluded]).max(axis=1, initial=0) > 0
    for class_id in range(1, nr_classes + 1):
        of_class = boxes[(class_ids == class_id) & ~excluded]
        overlap = box_ops.iou(rois, of_class).max(axis=1, initial=0)
        column = targets[:, class_id - 1]
        column[(overlap < negative_overlap) & ~touches_excluded] = -1
        if len(of_class):
            column[overlap >= positive_overlap] = 1
    return targets


@dataclass(frozen=True)
class RoiTargets:
    """What Fast R-CNN learns from an image's ROIs: labels (R,) int64, a class id, 0 for background or -1 for neither;
    overlaps (R,), the greatest IoU with a true object; offsets (R, 4) to that object, meaningless where label < 1."""

    labels: np.ndarray
    overlaps: np.ndarray
    offsets: np.ndarray


def fast_rcnn_targets(rois, boxes, class_ids, excluded, positive_overlap):
    """`RoiTargets` of one image (Fast R-CNN, section 2.3). A ROI on an excluded box is never background."""
    index, overlaps = best_truth(rois, boxes, excluded)
    labels = roi_class_ids(rois, boxes, class_ids, excluded, positive_overlap).astype(np.int64)
    touches_excluded = box_ops.intersections(rois, boxes[excluded]).max(axis=1, initial=0) > 0
    labels[(labels == 0) & touches_excluded] = -1
    offsets = np.zeros((len(rois), 4))
    objects = np.flatnonzero(labels > 0)
    offsets[objects] = box_ops.encode(rois[objects], boxes[index[objects]])
    return RoiTargets(labels, overlaps, offsets)


def regression_targets(rois, boxes, class_ids, excluded, min_overlap):
    """ROIs that box regression learns from: (rows (P,), their true boxes (P, 4), class ids (P,)), see R-CNN, app. C."""
    index, overlap = best_truth(rois, boxes, excluded)
    rows = np.flatnonzero((overlap >= min_overlap) & (index >= 0))
    return rows, boxes[index[rows]], class_ids[index[rows]]
