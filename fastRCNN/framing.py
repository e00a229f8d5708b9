"""Which ground-truth boxes the ROIs frame: what no ROI frames is hardly found later, however good the classifier is."""

from dataclasses import dataclass

import numpy as np

from fastRCNN.boxes import as_boxes, iou
from fastRCNN.proposals import filter_mask

FRAMED_IOU = 0.5  # least IoU with a ROI
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Framing:
    """One entry a ground-truth box (G,), of one image or of many.

    class_ids: 1..K; ranks: the place of the first ROI that frames the box, `NEVER` where none does; used: how many ROIs
    of its image are looked at; within: bool, whether the box keeps to the limits of ROI sizes.
    """

    class_ids: np.ndarray
    ranks: np.ndarray
    used: np.ndarray
    within: np.ndarray

    @property
    def framed(self):
        """(G,) bool: whether one of the ROIs that are looked at frames the box."""
        return self.ranks < self.used

    def share(self, nr_rois=None):
        """The share of the boxes that is framed, or would be by `nr_rois` ROIs an image; 1 without boxes."""
        framed = self.framed if nr_rois is None else self.ranks < nr_rois
        return float(framed.mean()) if len(framed) else 1.0

    def of_class(self, class_id):
        """The boxes of one class alone."""
        rows = self.class_ids == class_id
        return Framing(self.class_ids[rows], self.ranks[rows], self.used[rows], self.within[rows])


def frame(rois, boxes, class_ids, nr_used, size, limits):
    """The `Framing` of one image's boxes (G, 4) by its ROIs (R, 4), most promising first.

    nr_used: so many ROIs are looked at; size: (width, height) of the image; limits: `RoiLimits`.
    """
    boxes, rois = as_boxes(boxes), as_boxes(rois)
    frames = iou(boxes, rois) >= FRAMED_IOU  # (G, R)
    ranks = np.where(frames.any(axis=1), frames.argmax(axis=1), NEVER) if len(rois) else np.full(len(boxes), NEVER)
    used = np.full(len(boxes), nr_used)
    return Framing(np.asarray(class_ids), ranks, used, filter_mask(boxes, *size, limits))


def join(framings):
    """The boxes of several images in one `Framing`."""
    names = ("class_ids", "ranks", "used", "within")
    none = np.zeros(0, np.int64)
    empty = Framing(none, none, none, none.astype(bool))
    return Framing(*(np.concatenate([getattr(item, name) for item in (empty, *framings)]) for name in names))
