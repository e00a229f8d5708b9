"""Average precision of detections against true objects: PASCAL VOC's and COCO's measures.

Detections of a whole image set are lists with one entry an image, in the same order as the list of true objects:
`Detections` (boxes, scores, class ids) and `Truth` (boxes, class ids, ignored). Class ids are 1..K; 0 is background.
"""

from dataclasses import dataclass, field

import numpy as np

from fastRCNN.boxes import as_boxes, iou
from fastRCNN.matching import FALSE_POSITIVE, IGNORED, TRUE_POSITIVE, coco_verdicts, voc_verdicts

COCO_THRESHOLDS = np.linspace(0.5, 0.95, 10)
COCO_RECALLS = np.linspace(0.0, 1.0, 101)
COCO_MAX_DETECTIONS = 100


@dataclass(frozen=True)
class Truth:
    """True objects of one image: boxes (G, 4), class_ids (G,), ignored (G,) bool.

    An ignored object counts neither as found nor as missed. Its class id says for which class it is left out; 0 (an
    EXCLUDE or UNDECIDED box, whose class nobody knows) leaves it out for every class.
    """

    boxes: np.ndarray = field(default_factory=lambda: as_boxes([]))
    class_ids: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    ignored: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def of_class(self, class_id):
        """Boxes (G', 4) and ignored (G',) of the objects that matter to one class."""
        rows = (self.class_ids == class_id) | (self.ignored & (self.class_ids == 0))
        return self.boxes[rows], self.ignored[rows]


@dataclass(frozen=True)
class Curve:
    """Precision and recall of one class as the score threshold falls, one entry a detection that is not ignored.

    precision, recall, scores (N,); nr_objects: the true objects that count. AP is None without true objects.
    """

    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray
    nr_objects: int

    def ap(self, use_11_points=False):
        """Average precision: the area under the monotone curve (VOC 2010 on), or at 11 recalls (VOC 2007)."""
        if self.nr_objects == 0:
            return None
        if use_11_points:
            return float(np.mean([_precision_from(self.precision, self.recall >= t) for t in np.arange(11) / 10]))
        recall = np.concatenate([[0.0], self.recall, [1.0]])
        precision = np.concatenate([self.precision, [0.0]])
        envelope = np.maximum.accumulate(precision[::-1])[::-1]  # precision at this recall or any higher one
        return float(np.sum(np.diff(recall) * envelope))

    def coco_ap(self):
        """COCO's average precision: the mean of the monotone curve at 101 recalls."""
        if self.nr_objects == 0:
            return None
        envelope = np.append(np.maximum.accumulate(self.precision[::-1])[::-1], 0.0)
        return float(np.mean(envelope[np.searchsorted(self.recall, COCO_RECALLS, side="left")]))


def _precision_from(precision, rows):
    return float(precision[rows].max()) if rows.any() else 0.0


class ClassOverlaps:
    """All detections of one class over an image set, and their IoU with the class's objects, for any threshold.

    detections, truths: one entry an image. Equal scores are ranked in the order of the images.
    """

    def __init__(self, detections, truths, class_id):
        self.nr_objects, self.overlaps, start = 0, [], 0  # overlaps: (first row, IoU (N, G), ignored (G,)) of an image
        scores, places = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
        for found, truth in zip(detections, truths, strict=True):
            truth_boxes, ignored = truth.of_class(class_id)
            self.nr_objects += int(np.sum(~ignored))
            rows = np.flatnonzero(found.class_ids == class_id)
            if len(rows) == 0:
                continue
            rows = rows[np.argsort(-found.scores[rows], kind="stable")]
            scores.append(found.scores[rows])
            places.append(np.arange(len(rows)))
            if len(truth_boxes):
                self.overlaps.append((start, iou(found.boxes[rows], truth_boxes), ignored))
            start += len(rows)
        self.scores = np.concatenate(scores)
        self.places = np.concatenate(places)  # of the detection among those of its image, the best is 0
        self.order = np.argsort(-self.scores, kind="stable")

    def curve(self, threshold=0.5, match=voc_verdicts, max_per_image=None):
        """The precision-recall `Curve`. threshold: least IoU of a hit; match: a function of fastRCNN/matching.py;
        max_per_image: only so many best detections of the class an image."""
        verdicts = np.full(len(self.scores), FALSE_POSITIVE)  # where there is no object
        for start, overlaps, ignored in self.overlaps:
            found = match(overlaps[:max_per_image], ignored, threshold)
            verdicts[start : start + len(found)] = found
        order = self.order[verdicts[self.order] != IGNORED]
        if max_per_image is not None:
            order = order[self.places[order] < max_per_image]
        hits = np.cumsum(verdicts[order] == TRUE_POSITIVE)
        misses = np.cumsum(verdicts[order] == FALSE_POSITIVE)
        precision, recall = hits / np.maximum(hits + misses, 1), hits / max(self.nr_objects, 1)
        return Curve(precision, recall, self.scores[order], self.nr_objects)

    def coco_ap(self, thresholds=COCO_THRESHOLDS):
        """AP averaged over IoU thresholds 0.5, 0.55, ... 0.95, or None without true objects."""
        return mean_ap([self.curve(t, coco_verdicts, COCO_MAX_DETECTIONS).coco_ap() for t in thresholds])


def precision_recall(detections, truths, class_id, threshold=0.5, match=voc_verdicts, max_per_image=None):
    """The precision-recall `Curve` of one class over an image set, see `ClassOverlaps`."""
    return ClassOverlaps(detections, truths, class_id).curve(threshold, match, max_per_image)


def mean_ap(aps):
    """The mean over the classes that have an AP; None where no class has one."""
    known = [ap for ap in aps if ap is not None]
    return float(np.mean(known)) if known else None


def coco_ap(detections, truths, class_id, thresholds=COCO_THRESHOLDS):
    """AP of one class averaged over IoU thresholds 0.5, 0.55, ... 0.95, or None without true objects."""
    return ClassOverlaps(detections, truths, class_id).coco_ap(thresholds)


def recall_at(proposals, truths, threshold, max_proposals=None):
    """The part of all objects that count which some proposal overlaps by at least `threshold` (IoU).

    proposals: one (R, 4) array an image, best first; max_proposals: only the first so many. None without objects.
    """
    found = total = 0
    for boxes, truth in zip(proposals, truths, strict=True):
        overlaps = iou(truth.boxes[~truth.ignored], as_boxes(boxes)[:max_proposals])  # (G, R)
        total += overlaps.shape[0]
        found += int(np.sum(overlaps.max(axis=1, initial=0) >= threshold))
    return found / total if total else None
