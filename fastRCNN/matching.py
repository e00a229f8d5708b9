"""Which detection found which true object: the two protocols of the field, for one image and one class.

Detections arrive sorted by falling score. Every function answers with one verdict a detection: `TRUE_POSITIVE`,
`FALSE_POSITIVE` or `IGNORED` (it lies on an object that the evaluation leaves out, so it is neither right nor wrong).
"""

import numpy as np

from fastRCNN import boxes as box_ops

FALSE_POSITIVE, TRUE_POSITIVE, IGNORED = 0, 1, 2


def match_voc(boxes, truth, ignored, threshold):
    """PASCAL VOC: each detection looks only at the object that it overlaps most; a second hit on one is false.

    boxes (N, 4) sorted by falling score; truth (G, 4); ignored (G,) bool, objects that do not count ("difficult");
    threshold: least IoU. Returns (N,) int verdicts. Source: VOC 2007 development kit, VOCevaldet.m.
    """
    verdicts = np.full(len(boxes), FALSE_POSITIVE)
    if len(truth) == 0:
        return verdicts
    overlaps = box_ops.iou(boxes, truth)  # (N, G)
    taken = np.zeros(len(truth), dtype=bool)
    for row, overlap in enumerate(overlaps):
        best = int(np.argmax(overlap))
        if overlap[best] < threshold:
            continue
        if ignored[best]:
            verdicts[row] = IGNORED
        elif not taken[best]:
            verdicts[row] = TRUE_POSITIVE
            taken[best] = True
    return verdicts


def match_coco(boxes, truth, ignored, threshold):
    """COCO: each detection takes the best object that is still free, and one that counts before one that does not.

    Arguments and result as in `match_voc`. Source: pycocotools, COCOeval.evaluateImg.
    """
    verdicts = np.full(len(boxes), FALSE_POSITIVE)
    if len(truth) == 0:
        return verdicts
    overlaps = box_ops.iou(boxes, truth)  # (N, G)
    free = np.ones(len(truth), dtype=bool)
    for row, overlap in enumerate(overlaps):
        for group, verdict in ((~ignored, TRUE_POSITIVE), (ignored, IGNORED)):
            candidates = np.flatnonzero(free & group & (overlap >= min(threshold, 1 - 1e-10)))
            if candidates.size:
                # of equally good objects the last one, as pycocotools does
                best = candidates[::-1][np.argmax(overlap[candidates[::-1]])]
                free[best] = False
                verdicts[row] = verdict
                break
    return verdicts
