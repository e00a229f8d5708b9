"""Which ground-truth boxes the ROIs frame: what no ROI frames is hardly found later, however good the classifier is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from fastRCNN.boxes import as_boxes, iou
from fastRCNN.proposals import RoiLimits, filter_mask
from fastRCNN.structures import GroundTruth

FRAMED_IOU = 0.5  # least IoU with a ROI
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Framing:
    """One entry per ground-truth box (G,), of one image or of many.

    class_ids: 1..K; ranks: the place of the first ROI that frames the box, `NEVER` where none does; used: how many ROIs
    of its image are looked at; within: bool, whether the box keeps to the limits of ROI sizes.
    """

    class_ids: np.ndarray
    ranks: np.ndarray
    used: np.ndarray
    within: np.ndarray

    @property
    def framed(self) -> np.ndarray:
        """(G,) bool: whether one of the ROIs that are looked at frames the box."""
        return self.ranks < self.used

    def share(self, nr_rois: int | None = None) -> float:
        """The share of the boxes that is framed, or would be by `nr_rois` ROIs per image; 1 without boxes."""
        framed = self.framed if nr_rois is None else self.ranks < nr_rois
        return float(framed.mean()) if len(framed) else 1.0

    def of_class(self, class_id: int) -> Self:
        """The boxes of one class alone."""
        rows = self.class_ids == class_id
        return type(self)(self.class_ids[rows], self.ranks[rows], self.used[rows], self.within[rows])


def frame(rois: np.ndarray, truth: GroundTruth, nr_used: int, size: tuple[float, float], limits: RoiLimits) -> Framing:
    """The `Framing` of one image's ground truth, without the ignored boxes.

    Args:
        rois: boxes (R, 4), most promising first.
        nr_used: so many ROIs are looked at.
        size: (width, height) of the image.
    """
    objects, rois = truth.counted, as_boxes(rois)
    frames = iou(objects.boxes, rois) >= FRAMED_IOU  # (G, R)
    ranks = np.where(frames.any(axis=1), frames.argmax(axis=1), NEVER) if len(rois) else np.full(len(objects), NEVER)
    used = np.full(len(objects), nr_used)
    return Framing(objects.class_ids, ranks, used, filter_mask(objects.boxes, *size, limits))


def join(framings: Iterable[Framing]) -> Framing:
    """The boxes of several images in one `Framing`."""
    names = ("class_ids", "ranks", "used", "within")
    none = np.zeros(0, np.int64)
    empty = Framing(none, none, none, none.astype(bool))
    return Framing(*(np.concatenate([getattr(item, name) for item in (empty, *framings)]) for name in names))
