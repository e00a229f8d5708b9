"""Which class is taken for which: a confusion matrix of detections."""

from collections.abc import Iterable

import numpy as np

from fastRCNN import boxes as box_ops
from fastRCNN.structures import Detections, GroundTruth


def confusion_matrix(
    detections: Iterable[Detections],
    truths: Iterable[GroundTruth],
    nr_classes: int,
    score_threshold: float,
    overlap: float = 0.5,
) -> np.ndarray:
    """Count ground-truth against detected classes.

    From the best score down to `score_threshold`, each detection takes the free object that it overlaps most, of
    whatever class, if the IoU is at least `overlap`. Detections on ignored objects do not count.

    Args:
        detections: one `Detections` per image.
        truths: one `GroundTruth` per image.

    Returns:
        (K + 1, K + 1) int64, rows the ground truth, columns what was detected; 0 is the background: column 0 counts
        missed objects, row 0 detections without object.
    """
    matrix = np.zeros((nr_classes + 1, nr_classes + 1), dtype=np.int64)
    for found, truth in zip(detections, truths, strict=True):
        shown = found.take(found.scores >= score_threshold).by_score()
        overlaps = box_ops.iou(shown.boxes, truth.boxes)  # (N, G)
        free = ~truth.ignored
        for row, class_id in enumerate(shown.class_ids):
            hits = np.where(free & (overlaps[row] >= overlap), overlaps[row], 0)
            if hits.any():
                best = int(hits.argmax())
                free[best] = False
                matrix[truth.class_ids[best], class_id] += 1
            elif not (truth.ignored & (overlaps[row] >= overlap)).any():
                matrix[0, class_id] += 1
        missed = truth.class_ids[free]
        np.add.at(matrix, (missed, 0), 1)
    return matrix
