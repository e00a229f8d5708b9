"""Which detection found which object: the two protocols of the field, for one image and one class.

Detections arrive sorted by falling score. Every function answers with one verdict per detection: `TRUE_POSITIVE`,
`FALSE_POSITIVE` or `IGNORED` (it lies on an ignored object, so it is neither right nor wrong).
"""

import numpy as np

from fastRCNN import boxes as box_ops
from fastRCNN.structures import GroundTruth

FALSE_POSITIVE, TRUE_POSITIVE, IGNORED = 0, 1, 2


def match_voc(boxes: np.ndarray, objects: GroundTruth, threshold: float) -> np.ndarray:
    """PASCAL VOC: each detection looks only at the object that it overlaps most; a second hit on one is false.

    Source: VOC 2007 development kit, VOCevaldet.m.

    Args:
        boxes: (N, 4) of the detections, sorted by falling score.
        objects: those that matter to the class, see `GroundTruth.of_class`.
        threshold: least IoU.

    Returns:
        Verdicts (N,) int64.
    """
    return voc_verdicts(box_ops.iou(boxes, objects.boxes), objects.ignored, threshold)


def voc_verdicts(overlaps: np.ndarray, ignored: np.ndarray, threshold: float) -> np.ndarray:
    """The same from the IoU of every detection and object, overlaps (N, G), and the objects' flags (G,)."""
    verdicts = np.full(len(overlaps), FALSE_POSITIVE)
    near = np.flatnonzero(overlaps.max(axis=1, initial=-1) >= threshold)  # most detections touch no object
    taken = set()
    for row, best in zip(near.tolist(), overlaps[near].argmax(axis=1).tolist() if len(near) else (), strict=True):
        if ignored[best]:
            verdicts[row] = IGNORED
        elif best not in taken:
            verdicts[row] = TRUE_POSITIVE
            taken.add(best)
    return verdicts


def match_coco(boxes: np.ndarray, objects: GroundTruth, threshold: float) -> np.ndarray:
    """COCO: each detection takes the best object that is still free, and one that counts before one that does not.

    Arguments and result as in `match_voc`. Source: pycocotools, COCOeval.evaluateImg.
    """
    return coco_verdicts(box_ops.iou(boxes, objects.boxes), objects.ignored, threshold)


def coco_verdicts(overlaps: np.ndarray, ignored: np.ndarray, threshold: float) -> np.ndarray:
    """The same from the IoU of every detection and object, overlaps (N, G), and the objects' flags (G,)."""
    verdicts = np.full(len(overlaps), FALSE_POSITIVE)
    least, free, is_ignored = min(threshold, 1 - 1e-10), set(range(overlaps.shape[1])), ignored.tolist()
    near = np.flatnonzero(overlaps.max(axis=1, initial=-1) >= least)  # most detections touch no object
    for row, overlap in zip(near.tolist(), overlaps[near].tolist(), strict=True):
        hit = [item for item in free if overlap[item] >= least]
        if hit:
            # of equally good objects the last one, as pycocotools does
            *_, best = max((not is_ignored[item], overlap[item], item) for item in hit)
            free.remove(best)
            verdicts[row] = IGNORED if is_ignored[best] else TRUE_POSITIVE
    return verdicts
