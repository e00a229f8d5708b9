"""Average precision of detections against ground truth: PASCAL VOC's and COCO's measures.

The detections of an image set are a list with one entry per image, in the order of the list of its ground truth:
`Detections` and `GroundTruth`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fastRCNN.boxes import as_boxes, iou
from fastRCNN.matching import FALSE_POSITIVE, IGNORED, TRUE_POSITIVE, coco_verdicts, voc_verdicts
from fastRCNN.structures import Detections, GroundTruth

COCO_THRESHOLDS = np.linspace(0.5, 0.95, 10)
COCO_RECALLS = np.linspace(0.0, 1.0, 101)
COCO_MAX_DETECTIONS = 100

Match = Callable[[np.ndarray, np.ndarray, float], np.ndarray]  # a protocol of fastRCNN/matching.py


@dataclass(frozen=True)
class Curve:
    """Precision and recall of one class as the score threshold falls, one entry per detection that is not ignored.

    precision, recall, scores (N,); nr_objects: the ground-truth boxes that count. AP is None without any.
    """

    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray
    nr_objects: int

    def ap(self, use_11_points: bool = False) -> float | None:
        """Average precision: the area under the monotone curve (VOC 2010 on), or at 11 recalls (VOC 2007)."""
        if self.nr_objects == 0:
            return None
        if use_11_points:
            return float(np.mean([_precision_from(self.precision, self.recall >= t) for t in np.arange(11) / 10]))
        recall = np.concatenate([[0.0], self.recall, [1.0]])
        precision = np.concatenate([self.precision, [0.0]])
        envelope = np.maximum.accumulate(precision[::-1])[::-1]  # precision at this recall or any higher one
        return float(np.sum(np.diff(recall) * envelope))

    def coco_ap(self) -> float | None:
        """COCO's average precision: the mean of the monotone curve at 101 recalls."""
        if self.nr_objects == 0:
            return None
        envelope = np.append(np.maximum.accumulate(self.precision[::-1])[::-1], 0.0)
        return float(np.mean(envelope[np.searchsorted(self.recall, COCO_RECALLS, side="left")]))


def _precision_from(precision: np.ndarray, rows: np.ndarray) -> float:
    return float(precision[rows].max()) if rows.any() else 0.0


class ClassOverlaps:
    """All detections of one class over an image set, and their IoU with the class's objects, for any threshold.

    detections, truths: one entry per image. Equal scores are ranked in the order of the images.
    """

    def __init__(self, detections: Iterable[Detections], truths: Iterable[GroundTruth], class_id: int) -> None:
        self.nr_objects, start = 0, 0
        self.overlaps: list[tuple[int, np.ndarray, np.ndarray]] = []  # first row, IoU (N, G), ignored (G,) of an image
        scores, places = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
        for found, truth in zip(detections, truths, strict=True):
            objects = truth.of_class(class_id)
            self.nr_objects += len(objects.counted)
            rows = np.flatnonzero(found.class_ids == class_id)
            if len(rows) == 0:
                continue
            rows = rows[np.argsort(-found.scores[rows], kind="stable")]
            scores.append(found.scores[rows])
            places.append(np.arange(len(rows)))
            if len(objects):
                self.overlaps.append((start, iou(found.boxes[rows], objects.boxes), objects.ignored))
            start += len(rows)
        self.scores = np.concatenate(scores)
        self.places = np.concatenate(places)  # of the detection among those of its image, the best is 0
        self.order = np.argsort(-self.scores, kind="stable")

    def curve(self, threshold: float = 0.5, match: Match = voc_verdicts, max_per_image: int | None = None) -> Curve:
        """The precision-recall curve.

        Args:
            threshold: least IoU of a true positive.
            match: the protocol, of fastRCNN/matching.py.
            max_per_image: only so many best detections of the class per image.
        """
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

    def coco_ap(self, thresholds: Sequence[float] | np.ndarray = COCO_THRESHOLDS) -> float | None:
        """AP averaged over IoU thresholds 0.5, 0.55, ... 0.95, or None without ground truth."""
        return mean_ap([self.curve(t, coco_verdicts, COCO_MAX_DETECTIONS).coco_ap() for t in thresholds])


def precision_recall(
    detections: Iterable[Detections],
    truths: Iterable[GroundTruth],
    class_id: int,
    threshold: float = 0.5,
    match: Match = voc_verdicts,
    max_per_image: int | None = None,
) -> Curve:
    """The precision-recall `Curve` of one class over an image set, see `ClassOverlaps`."""
    return ClassOverlaps(detections, truths, class_id).curve(threshold, match, max_per_image)


def mean_ap(aps: Iterable[float | None]) -> float | None:
    """The mean over the classes that have an AP; None where no class has one."""
    known = [ap for ap in aps if ap is not None]
    return float(np.mean(known)) if known else None


def coco_ap(
    detections: Iterable[Detections],
    truths: Iterable[GroundTruth],
    class_id: int,
    thresholds: Sequence[float] | np.ndarray = COCO_THRESHOLDS,
) -> float | None:
    """AP of one class averaged over IoU thresholds 0.5, 0.55, ... 0.95, or None without ground truth."""
    return ClassOverlaps(detections, truths, class_id).coco_ap(thresholds)


def recall_at(
    proposals: Iterable[np.ndarray],
    truths: Iterable[GroundTruth],
    threshold: float,
    max_proposals: int | None = None,
) -> float | None:
    """The share of all ground-truth boxes that count which some proposal overlaps by at least `threshold` (IoU).

    Args:
        proposals: boxes (R, 4) of each image, best first.
        max_proposals: only the first so many.

    Returns:
        A number from 0 to 1, None without ground truth.
    """
    found = total = 0
    for boxes, truth in zip(proposals, truths, strict=True):
        overlaps = iou(truth.counted.boxes, as_boxes(boxes)[:max_proposals])  # (G, R)
        total += overlaps.shape[0]
        found += int(np.sum(overlaps.max(axis=1, initial=0) >= threshold))
    return found / total if total else None
