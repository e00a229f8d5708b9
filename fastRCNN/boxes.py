"""Geometry of axis-parallel boxes.

A box is `[x1, y1, x2, y2]` in pixels with width = x2 - x1 and height = y2 - y1 (no `+1`), so box arrays have shape
(N, 4). Every function accepts N = 0.
"""

import numpy as np
from numpy.typing import ArrayLike

# exp(4.135) = 62.5: a box may grow from 16 to 1000 pixels and no further, which keeps exp() finite on wild offsets
# (the same bound as torchvision.models.detection._utils.BoxCoder).
MAX_LOG_SCALE = float(np.log(1000.0 / 16.0))


def as_boxes(values: ArrayLike) -> np.ndarray:
    """Any sequence of four-number rows, also an empty one, as a float32 array of shape (N, 4)."""
    return np.asarray(values, dtype=np.float32).reshape(-1, 4)


def areas(boxes: ArrayLike) -> np.ndarray:
    """Areas in square pixels: (N, 4) -> (N,) float64. A reversed box has area 0."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.clip(boxes[:, 2] - boxes[:, 0], 0, None) * np.clip(boxes[:, 3] - boxes[:, 1], 0, None)


def intersections(boxes_a: ArrayLike, boxes_b: ArrayLike) -> np.ndarray:
    """Areas that every pair of boxes shares, in square pixels: (A, 4) and (B, 4) -> (A, B) float64."""
    a = np.asarray(boxes_a, dtype=np.float64).reshape(-1, 1, 4)  # (A, 1, 4)
    b = np.asarray(boxes_b, dtype=np.float64).reshape(1, -1, 4)  # (1, B, 4)
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])  # (A, B)
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])  # (A, B)
    return np.clip(width, 0, None) * np.clip(height, 0, None)


def iou(boxes_a: ArrayLike, boxes_b: ArrayLike) -> np.ndarray:
    """Intersection over union of every pair: (A, 4) and (B, 4) -> (A, B) float64 in [0, 1].

    Two boxes without area have IoU 0.
    """
    shared = intersections(boxes_a, boxes_b)
    union = areas(boxes_a)[:, None] + areas(boxes_b)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def coverage(boxes_a: ArrayLike, boxes_b: ArrayLike) -> np.ndarray:
    """The share of each box of A that lies inside each box of B: (A, 4) and (B, 4) -> (A, B) float64 in [0, 1]."""
    shared = intersections(boxes_a, boxes_b)
    own = np.broadcast_to(areas(boxes_a)[:, None], shared.shape)
    return np.divide(shared, own, out=np.zeros_like(shared), where=own > 0)


def clip(boxes: ArrayLike, width: float, height: float) -> np.ndarray:
    """Boxes cut off at the border of an image of `width` x `height` pixels: (N, 4) -> (N, 4) float32."""
    limits = np.array([width, height, width, height], dtype=np.float32)
    return np.clip(as_boxes(boxes), 0, limits)


def mirror(boxes: ArrayLike, width: float) -> np.ndarray:
    """The same boxes in the mirrored image, `width` pixels wide: (N, 4) -> (N, 4) float32."""
    x1, y1, x2, y2 = as_boxes(boxes).T
    return np.stack([width - x2, y1, width - x1, y2], axis=1)


def scale(boxes: ArrayLike, factors: ArrayLike) -> np.ndarray:
    """Boxes in an image that is made `factors` (x, y) times as large: (N, 4) -> (N, 4), of numpy's type for both."""
    return np.asarray(boxes).reshape(-1, 4) * np.tile(factors, 2)


def _centers_and_sizes(boxes: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    sizes = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + sizes / 2, sizes


def encode(proposals: ArrayLike, targets: ArrayLike) -> np.ndarray:
    """Offsets that turn each proposal into its target: (N, 4) and (N, 4) -> (N, 4) float64, columns (dx, dy, dw, dh).

    Centre shifts are in units of the proposal's size, sizes in log space (R-CNN, appendix C, equations 6 to 9).
    All boxes must have an area.
    """
    centers, sizes = _centers_and_sizes(proposals)
    target_centers, target_sizes = _centers_and_sizes(targets)
    return np.hstack([(target_centers - centers) / sizes, np.log(target_sizes / sizes)])


def decode(proposals: ArrayLike, offsets: ArrayLike) -> np.ndarray:
    """The inverse of `encode`: (N, 4) and (N, 4) -> (N, 4) float32 (R-CNN, appendix C, equations 1 to 4)."""
    centers, sizes = _centers_and_sizes(proposals)
    offsets = np.asarray(offsets, dtype=np.float64).reshape(-1, 4)
    centers = centers + offsets[:, :2] * sizes
    sizes = sizes * np.exp(np.minimum(offsets[:, 2:], MAX_LOG_SCALE))
    return np.hstack([centers - sizes / 2, centers + sizes / 2]).astype(np.float32)
