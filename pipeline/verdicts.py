"""Detections on an image with what is right, false, missed or just below the threshold: step 5's pictures, --demo."""

from dataclasses import dataclass, replace

import numpy as np

from fastRCNN.boxes import iou
from fastRCNN.detection import Detections
from fastRCNN.evaluation import Truth
from fastRCNN.matching import FALSE_POSITIVE, IGNORED, TRUE_POSITIVE, match_voc
from helpers.base.images import scale_to_fit
from helpers.drawing.boxes import (
    GREY,
    INK,
    WHITE,
    DrawnBox,
    class_color,
    detection_boxes,
    draw_boxes,
    side_by_side,
)
from helpers.drawing.fonts import drawable_names

PANEL_SIDE = 1200  # pixels of the longer side of each of the two images in a picture
TRUE = DrawnBox((), WHITE, "true object", width=0.7, dashed=True)
MISSED = DrawnBox((), INK, "missed", width=1.5, dashed=True)
FALSE = DrawnBox((), GREY, "✗ false", crossed=True)
EXCLUDED = DrawnBox((), GREY, "excluded", width=0.7, dashed=True)
NEAR = DrawnBox((), GREY, "below the threshold", width=0.5, dashed=True)
NEAR_BY = {"svm": 0.5, "nn": 0.25}  # so much below the threshold a score is still near
MOST_NEAR = 3  # near misses in a picture


def judge(found, truth, nr_classes, overlap):
    """Verdict on each detection (N,), see fastRCNN/matching.py, and which true objects were missed (G,) bool."""
    verdicts = np.full(len(found), FALSE_POSITIVE)
    missed = ~truth.ignored
    for class_id in range(1, nr_classes + 1):
        rows = np.flatnonzero(found.class_ids == class_id)
        verdicts[rows] = match_voc(found.boxes[rows], *truth.of_class(class_id), overlap)
        right = found.boxes[rows[verdicts[rows] == TRUE_POSITIVE]]
        objects = np.flatnonzero((truth.class_ids == class_id) & ~truth.ignored)
        if len(right):
            missed[objects[iou(right, truth.boxes[objects]).argmax(axis=1)]] = False
    return verdicts, missed


def true_boxes(truth, missed, all_classes):
    """Thin dashed frames, thick ones with a caption around what was missed, grey ones around excluded boxes."""
    drawn = []
    for box, class_id, ignored, is_missed in zip(truth.boxes, truth.class_ids, truth.ignored, missed, strict=True):
        item = replace(EXCLUDED if ignored else TRUE, box=tuple(box), caption="")
        drawn.append(replace(MISSED, box=item.box, caption=f"missed: {all_classes[class_id]}") if is_missed else item)
    return drawn


def judged_boxes(found, verdicts, all_classes):
    """Detections in the colours of their classes; false ones crossed out, those on excluded boxes thin."""
    drawn = detection_boxes(found.boxes, found.scores, found.class_ids, all_classes)
    for row in np.flatnonzero(verdicts == FALSE_POSITIVE):
        drawn[row] = replace(drawn[row], caption=f"✗ {drawn[row].caption}", crossed=True, open_caption=True)
    for row in np.flatnonzero(verdicts == IGNORED):
        drawn[row] = replace(drawn[row], caption=f"({drawn[row].caption})", width=0.5, open_caption=True)
    return drawn


@dataclass(frozen=True)
class Scored:
    """What a detector says of an image: all detections, best first; kept: mask (N,) of those that suppression kept; and
    the score from which on they are shown."""

    found: Detections
    kept: np.ndarray
    threshold: float

    @property
    def shown(self):
        """The `Detections` to show."""
        return self.found.take(self.kept & (self.found.scores >= self.threshold))

    def near_misses(self, margin):
        """The best below the threshold: those within `margin` of it or, where none reaches it, the best one anyway."""
        below = np.flatnonzero(self.kept & (self.found.scores < self.threshold))
        near = below[self.found.scores[below] >= self.threshold - margin]
        return self.found.take(near[:MOST_NEAR] if len(near) or len(self.shown) else below[:1])


def near_boxes(scored, names, params):
    """Near misses as they are drawn: faint."""
    found = scored.near_misses(NEAR_BY[params.classifier])
    drawn = detection_boxes(found.boxes, found.scores, found.class_ids, names)
    return [
        replace(item, caption=f"({item.caption})", width=NEAR.width, dashed=True, open_caption=True) for item in drawn
    ]


def draw_found(image, scored, params):
    """The image with the detections that are shown, and faintly the near misses: uint8 RGB (H, W, 3)."""
    names, shown = drawable_names(params.all_classes), scored.shown
    detections = detection_boxes(shown.boxes, shown.scores, shown.class_ids, names)
    return draw_boxes(image, near_boxes(scored, names, params) + detections)


def draw_beside_truth(image, truth, scored, heading, params):
    """A picture uint8 RGB: the true boxes on the left; on the right what was found, right or wrong, and what missed.

    image: uint8 RGB (H, W, 3); truth: as from `load_truth`.
    """
    truth, names, shown = Truth(*truth), drawable_names(params.all_classes), scored.shown
    verdicts, missed = judge(shown, truth, len(params.classes), params.eval_overlapThreshold)
    objects = []
    for box, class_id, ignored in zip(truth.boxes, truth.class_ids, truth.ignored, strict=True):
        look = (GREY, "", 0.7, True) if ignored else (class_color(class_id), names[class_id])
        objects.append(DrawnBox(tuple(box), *look))
    near = near_boxes(scored, names, params)
    judged = near + true_boxes(truth, missed, names) + judged_boxes(shown, verdicts, names)
    panel, factors = scale_to_fit(image, PANEL_SIDE, PANEL_SIDE)
    panels = [draw_boxes(panel, [item.scaled(factors) for item in items]) for items in (objects, judged)]
    titles = [f"true objects: {int((~truth.ignored).sum())}", f"detections: {describe(verdicts, missed)}"]
    legend = [TRUE, MISSED, FALSE, *([EXCLUDED] if truth.ignored.any() else []), *([NEAR] if near else [])]
    return side_by_side(panels, titles, heading, legend)


def describe(verdicts, missed):
    """How many are right, false and missed, in words."""
    nr_right, nr_false = (int(np.sum(verdicts == verdict)) for verdict in (TRUE_POSITIVE, FALSE_POSITIVE))
    return f"{nr_right} right, {nr_false} false, {int(missed.sum())} missed"
