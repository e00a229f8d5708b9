"""What each ROI of a training image should be: from its overlaps with the ground truth.

R ROIs, K classes without the background. ROIs are boxes (R, 4) in pixels of the image.
"""

from dataclasses import dataclass

import numpy as np

from fastRCNN import boxes as box_ops
from fastRCNN.structures import GroundTruth


def best_overlaps(rois: np.ndarray, truth: GroundTruth) -> tuple[np.ndarray, np.ndarray]:
    """For each ROI the object that it overlaps most, of those that are not ignored.

    Returns:
        Index (R,) int64 into `truth`, -1 where there is no object, and the IoU (R,) float64.
    """
    counted = np.flatnonzero(~truth.ignored)
    if len(counted) == 0 or len(rois) == 0:
        return np.full(len(rois), -1), np.zeros(len(rois))
    overlaps = box_ops.iou(rois, truth.boxes[counted])  # (R, G')
    best = overlaps.argmax(axis=1)
    return counted[best], overlaps[np.arange(len(rois)), best]


def touches_ignored(rois: np.ndarray, truth: GroundTruth) -> np.ndarray:
    """(R,) bool: the ROIs that share any area with an ignored box; nobody knows whether they are background."""
    return box_ops.intersections(rois, truth.boxes[truth.ignored]).max(axis=1, initial=0) > 0


def roi_class_ids(rois: np.ndarray, truth: GroundTruth, min_overlap: float) -> np.ndarray:
    """Class of each ROI (R,): that of the object it overlaps most, 0 where the IoU is less than `min_overlap`."""
    index, overlap = best_overlaps(rois, truth)
    return np.where((overlap >= min_overlap) & (index >= 0), np.append(truth.class_ids, 0)[index], 0)


def svm_targets(
    rois: np.ndarray, truth: GroundTruth, nr_classes: int, positive_overlap: float, negative_overlap: float
) -> np.ndarray:
    """Targets of one-against-rest classifiers (R, K) int8: 1 positive, -1 negative, 0 neither.

    A ROI is positive for a class at IoU >= positive_overlap with one of its objects, negative below negative_overlap
    with all of them (R-CNN, appendix B), unless it touches an ignored box, which may be an object of any class.
    """
    targets = np.zeros((len(rois), nr_classes), dtype=np.int8)
    unclear = touches_ignored(rois, truth)
    for class_id in range(1, nr_classes + 1):
        of_class = truth.boxes[(truth.class_ids == class_id) & ~truth.ignored]
        overlap = box_ops.iou(rois, of_class).max(axis=1, initial=0)
        column = targets[:, class_id - 1]
        column[(overlap < negative_overlap) & ~unclear] = -1
        if len(of_class):
            column[overlap >= positive_overlap] = 1
    return targets


@dataclass(frozen=True)
class RoiTargets:
    """What Fast R-CNN learns from an image's ROIs: labels (R,) int64, a class id, 0 for background or -1 for neither;
    overlaps (R,), the greatest IoU with an object; offsets (R, 4) to that object, meaningless where label < 1."""

    labels: np.ndarray
    overlaps: np.ndarray
    offsets: np.ndarray


def fast_rcnn_targets(rois: np.ndarray, truth: GroundTruth, positive_overlap: float) -> RoiTargets:
    """`RoiTargets` of one image (Fast R-CNN, section 2.3). A ROI on an ignored box is never background."""
    index, overlaps = best_overlaps(rois, truth)
    labels = roi_class_ids(rois, truth, positive_overlap).astype(np.int64)
    labels[(labels == 0) & touches_ignored(rois, truth)] = -1
    offsets = np.zeros((len(rois), 4))
    positives = np.flatnonzero(labels > 0)
    offsets[positives] = box_ops.encode(rois[positives], truth.boxes[index[positives]])
    return RoiTargets(labels, overlaps, offsets)


def regression_targets(rois: np.ndarray, truth: GroundTruth, min_overlap: float) -> tuple[np.ndarray, GroundTruth]:
    """ROIs that box regression learns from (R-CNN, appendix C): their rows (P,), and the P objects that they frame."""
    index, overlap = best_overlaps(rois, truth)
    rows = np.flatnonzero((overlap >= min_overlap) & (index >= 0))
    return rows, truth.take(index[rows])
