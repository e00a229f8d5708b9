"""What travels through the pipeline, one image at a time: ground truth, ROIs and detections, as plain frozen types.

G ground-truth boxes, R ROIs, N detections, K classes without the background. All boxes are `[x1, y1, x2, y2]` in pixels
of the original image, float32; class ids are 1..K, 0 is the background.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Self

import numpy as np

from fastRCNN.boxes import as_boxes, mirror

Rows = np.ndarray | slice  # indices, a mask, or a range of rows


def _no_boxes() -> np.ndarray:
    return as_boxes([])


def _no_ids() -> np.ndarray:
    return np.zeros(0, np.int64)


def _no_flags() -> np.ndarray:
    return np.zeros(0, bool)


@dataclass(frozen=True)
class GroundTruth:
    """The annotated objects of one image: boxes (G, 4), class_ids (G,) int64, ignored (G,) bool.

    An ignored object is neither positive nor negative where something is learned, and neither found nor missed where it
    is measured. Its class id says for which class it is ignored; 0 (an EXCLUDE or UNDECIDED box, whose class nobody
    knows) ignores it for every class.
    """

    boxes: np.ndarray = field(default_factory=_no_boxes)
    class_ids: np.ndarray = field(default_factory=_no_ids)
    ignored: np.ndarray = field(default_factory=_no_flags)

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, rows: Rows) -> Self:
        """The objects of these rows."""
        return type(self)(self.boxes[rows], self.class_ids[rows], self.ignored[rows])

    @property
    def counted(self) -> Self:
        """The objects that are not ignored."""
        return self.take(~self.ignored)

    def of_class(self, class_id: int) -> Self:
        """The objects that matter to one class, those ignored for it among them."""
        return self.take((self.class_ids == class_id) | (self.ignored & (self.class_ids == 0)))

    def mirrored(self, width: float) -> Self:
        """The same objects in the mirrored image, `width` pixels wide."""
        return type(self)(mirror(self.boxes, width), self.class_ids, self.ignored)


class Origin(IntEnum):
    """Where a ROI comes from."""

    GROUND_TRUTH = 0  # added for training
    PROPOSAL = 1
    GRID = 2


@dataclass(frozen=True)
class Rois:
    """Regions of interest of one image, ground truth first, then the most promising: boxes (R, 4), origins (R,) uint8
    of `Origin`."""

    boxes: np.ndarray
    origins: np.ndarray

    @classmethod
    def of(cls, boxes: np.ndarray, origin: Origin = Origin.PROPOSAL) -> Self:
        """ROIs (R, 4) of one origin."""
        boxes = as_boxes(boxes)
        return cls(boxes, np.full(len(boxes), origin, np.uint8))

    def __len__(self) -> int:
        return len(self.boxes)

    def take(self, rows: Rows) -> Self:
        """The ROIs of these rows."""
        return type(self)(self.boxes[rows], self.origins[rows])

    def then(self, others: Self) -> Self:
        """These ROIs and, after them, others."""
        return type(self)(np.concatenate([self.boxes, others.boxes]), np.concatenate([self.origins, others.origins]))

    def mirrored(self, width: float) -> Self:
        """The same ROIs in the mirrored image, `width` pixels wide."""
        return type(self)(mirror(self.boxes, width), self.origins)

    @property
    def found(self) -> np.ndarray:
        """(R,) bool: the ROIs that were proposed, not added from the ground truth. They alone may be evaluated."""
        return self.origins != Origin.GROUND_TRUTH

    @property
    def nr_ground_truth(self) -> int:
        """How many are ground truth; they come first."""
        return int(np.sum(~self.found))


@dataclass(frozen=True)
class RoiScores:
    """What a classifier says of ROIs: scores (R, K), and offsets (R, K, 4) of `boxes.decode`, None to leave them where
    they are."""

    scores: np.ndarray
    offsets: np.ndarray | None

    def take(self, rows: Rows) -> Self:
        """What it says of the ROIs of these rows."""
        return type(self)(self.scores[rows], None if self.offsets is None else self.offsets[rows])


@dataclass(frozen=True)
class Detections:
    """Detections of one image, best first: boxes (N, 4) float32, scores (N,) float32, class_ids (N,) int64."""

    boxes: np.ndarray = field(default_factory=_no_boxes)
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    class_ids: np.ndarray = field(default_factory=_no_ids)

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: Rows) -> Self:
        """The detections of these rows."""
        return type(self)(self.boxes[rows], self.scores[rows], self.class_ids[rows])

    def by_score(self) -> Self:
        """The same detections, best first; equal scores keep their order."""
        return self.take(np.argsort(-self.scores, kind="stable"))


@dataclass(frozen=True)
class Candidates:
    """Every detection of one image before non-maximum suppression, best first, and the mask (N,) of those it kept."""

    all: Detections = field(default_factory=Detections)
    is_kept: np.ndarray = field(default_factory=_no_flags)

    @property
    def kept(self) -> Detections:
        """The detections that suppression left: what the detector answers."""
        return self.all.take(self.is_kept)

    def take(self, rows: Rows) -> Self:
        """The candidates of these rows."""
        return type(self)(self.all.take(rows), self.is_kept[rows])


@dataclass(frozen=True)
class MeasuredImage:
    """An image of an evaluation: its key, what the detector found in it, and its ground truth."""

    key: str
    detections: Detections
    truth: GroundTruth
