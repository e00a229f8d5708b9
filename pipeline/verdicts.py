"""Detections on an image with what is right, false, missed or just below the threshold: step 5's pictures, --demo."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastRCNN.boxes import iou
from fastRCNN.matching import FALSE_POSITIVE, IGNORED, TRUE_POSITIVE, match_voc
from fastRCNN.structures import Candidates, Detections, GroundTruth
from helpers.base.images import scale_to_fit
from helpers.base.tables import counted
from helpers.config.schema import Parameters
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
GROUND_TRUTH = DrawnBox((), WHITE, "ground truth", width=0.7, dashed=True)
MISSED = DrawnBox((), INK, "missed", width=1.5, dashed=True)
FALSE = DrawnBox((), GREY, "✗ false", crossed=True)
IGNORED_BOX = DrawnBox((), GREY, "ignored", width=0.7, dashed=True)
NEAR = DrawnBox((), GREY, "below the threshold", width=0.5, dashed=True)
NEAR_BY = {"svm": 0.5, "nn": 0.25}  # so much below the threshold a score is still near
MOST_NEAR = 3  # near misses in a picture


@dataclass(frozen=True)
class Judged:
    """Detections that are shown, a verdict (N,) on each, see fastRCNN/matching.py, and the ground truth, with a mask
    (G,) of what was missed."""

    shown: Detections
    verdicts: np.ndarray
    truth: GroundTruth
    missed: np.ndarray

    def __str__(self) -> str:
        """How many are right, false and missed, in words."""
        right, false = (int(np.sum(self.verdicts == verdict)) for verdict in (TRUE_POSITIVE, FALSE_POSITIVE))
        return f"{right} right, {false} false, {int(self.missed.sum())} missed"


def judge(found: Detections, truth: GroundTruth, params: Parameters) -> Judged:
    """Compare what is shown with the ground truth, at `eval_overlapThreshold`."""
    verdicts = np.full(len(found), FALSE_POSITIVE)
    missed = ~truth.ignored
    for class_id in range(1, len(params.all_classes)):
        rows = np.flatnonzero(found.class_ids == class_id)
        verdicts[rows] = match_voc(found.boxes[rows], truth.of_class(class_id), params.eval_overlapThreshold)
        right = found.boxes[rows[verdicts[rows] == TRUE_POSITIVE]]
        objects = np.flatnonzero((truth.class_ids == class_id) & ~truth.ignored)
        if len(right):
            missed[objects[iou(right, truth.boxes[objects]).argmax(axis=1)]] = False
    return Judged(found, verdicts, truth, missed)


def ground_truth_boxes(judged: Judged, names: Sequence[str]) -> list[DrawnBox]:
    """Thin dashed frames, thick ones with a caption around what was missed, grey ones around ignored boxes."""
    drawn, truth = [], judged.truth
    for box, class_id, ignored, missed in zip(truth.boxes, truth.class_ids, truth.ignored, judged.missed, strict=True):
        item = replace(IGNORED_BOX if ignored else GROUND_TRUTH, box=tuple(box), caption="")
        drawn.append(replace(MISSED, box=item.box, caption=f"missed: {names[class_id]}") if missed else item)
    return drawn


def judged_boxes(judged: Judged, names: Sequence[str]) -> list[DrawnBox]:
    """Detections in the colours of their classes; false ones crossed out, those on ignored boxes thin."""
    drawn = detection_boxes(judged.shown, names)
    for row in np.flatnonzero(judged.verdicts == FALSE_POSITIVE):
        drawn[row] = replace(drawn[row], caption=f"✗ {drawn[row].caption}", crossed=True, open_caption=True)
    for row in np.flatnonzero(judged.verdicts == IGNORED):
        drawn[row] = replace(drawn[row], caption=f"({drawn[row].caption})", width=0.5, open_caption=True)
    return drawn


@dataclass(frozen=True)
class Scored:
    """What a detector says of an image, and the score from which on it is shown."""

    candidates: Candidates
    threshold: float

    @property
    def shown(self) -> Detections:
        """The detections to show."""
        kept = self.candidates.kept
        return kept.take(kept.scores >= self.threshold)

    def near_misses(self, margin: float) -> Detections:
        """The best below the threshold: those within `margin` of it or, where none reaches it, the best one anyway."""
        kept = self.candidates.kept
        below = kept.take(kept.scores < self.threshold)
        near = below.take(below.scores >= self.threshold - margin)
        return near.take(slice(MOST_NEAR)) if len(near) or len(self.shown) else below.take(slice(1))


def near_boxes(scored: Scored, names: Sequence[str], params: Parameters) -> list[DrawnBox]:
    """Near misses as they are drawn: faint."""
    drawn = detection_boxes(scored.near_misses(NEAR_BY[params.classifier]), names)
    return [
        replace(item, caption=f"({item.caption})", width=NEAR.width, dashed=True, open_caption=True) for item in drawn
    ]


def draw_found(image: np.ndarray, scored: Scored, params: Parameters) -> np.ndarray:
    """The image with the detections that are shown, and faintly the near misses: uint8 RGB (H, W, 3)."""
    names = drawable_names(params.all_classes)
    return draw_boxes(image, near_boxes(scored, names, params) + detection_boxes(scored.shown, names))


def verdict_legend(truth: GroundTruth, near: Sequence[DrawnBox]) -> list[DrawnBox]:
    """What the frames of a picture mean, those that may be in it."""
    ignored = [IGNORED_BOX] if truth.ignored.any() else []
    return [GROUND_TRUTH, MISSED, FALSE, *ignored, *([NEAR] if near else [])]


def draw_beside_ground_truth(
    image: np.ndarray, truth: GroundTruth, scored: Scored, heading: str, params: Parameters
) -> np.ndarray:
    """A picture uint8 RGB: the ground truth on the left; on the right what was found, right or wrong, and missed.

    Args:
        image: uint8 RGB (H, W, 3).
    """
    names, judged = drawable_names(params.all_classes), judge(scored.shown, truth, params)
    objects = []
    for box, class_id, ignored in zip(truth.boxes, truth.class_ids, truth.ignored, strict=True):
        look = (GREY, "", 0.7, True) if ignored else (class_color(class_id), names[class_id])
        objects.append(DrawnBox(tuple(box), *look))
    near = near_boxes(scored, names, params)
    panel, factors = scale_to_fit(image, PANEL_SIDE, PANEL_SIDE)
    right = near + ground_truth_boxes(judged, names) + judged_boxes(judged, names)
    panels = [draw_boxes(panel, [item.scaled(factors) for item in items]) for items in (objects, right)]
    titles = [f"ground truth: {counted(len(truth.counted), 'object')}", f"detections: {judged}"]
    return side_by_side(panels, titles, heading, verdict_legend(truth, near))
