"""Regions of interest (ROIs): boxes that may frame an object, whatever its class.

Selective search (Uijlings et al., IJCV 2013) joins neighbouring regions of an over-segmented image step by step and
proposes the frame of every region on the way; a uniform grid adds boxes where the segmentation sees nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fastRCNN import boxes as box_ops
from fastRCNN.ranking import GOLDEN_RATIO, rank_by_votes
from fastRCNN.selective_search import SearchSettings, selective_search
from fastRCNN.settings import knob
from fastRCNN.structures import Origin, Rois

MAX_GRID = 2_000_000  # boxes; a ROI of an image is one of a few thousand


class TooManyRois(ValueError):
    """A grid so fine that its boxes would fill the memory."""


@dataclass(frozen=True)
class RoiLimits:
    """Sizes that a ROI may have. Lengths are in units of the image's longer side, areas in units of its square."""

    min_side: float = knob("roi_minDimRel")
    max_side: float = knob("roi_maxDimRel")
    min_area: float = knob("roi_minNrPixelsRel")
    max_area: float = knob("roi_maxNrPixelsRel")
    max_aspect_ratio: float = knob("roi_maxAspectRatio")


@dataclass(frozen=True)
class GridSettings:
    """Uniform grid: number of sizes, width / height of each, ratio of a size to the next, step in units of the box."""

    nr_scales: int = knob("grid_nrScales")
    aspect_ratios: tuple[float, ...] = knob("grid_aspectRatios")
    downscale_ratio: float = knob("grid_downscaleRatioPerIteration")
    step: float = knob("grid_stepRel")


@dataclass(frozen=True)
class RoiSettings:
    """How ROIs are computed. nms_threshold: of proposals that overlap more (IoU), one is kept."""

    search: SearchSettings
    grid: GridSettings
    limits: RoiLimits
    nms_threshold: float = knob("ss_nmsThreshold")


def compute_rois(image: np.ndarray, settings: RoiSettings) -> Rois:
    """All ROIs of an image, most promising first: proposals by their number of votes, then the grid, coarse and even.

    Args:
        image: uint8 RGB (H, W, 3).

    Returns:
        Boxes in whole pixels of the image, without duplicates; the same image gives the same ROIs every time.

    Raises:
        TooManyRois: for a grid whose boxes would fill the memory.
        ImportError: where the package of an engine is not installed.
    """
    height, width = image.shape[:2]
    limits = settings.limits
    longest = limits.max_side * max(width, height)
    proposals = _within(selective_search(image, settings.search, longest), width, height, limits)
    proposals = proposals[rank_by_votes(proposals, settings.nms_threshold)]
    grid = _within(uniform_grid(width, height, limits, settings.grid), width, height, limits)
    rois = Rois.of(proposals).then(Rois.of(grid, Origin.GRID))
    _, first = np.unique(rois.boxes, axis=0, return_index=True)
    return rois.take(np.sort(first))


def _within(boxes: np.ndarray, width: int, height: int, limits: RoiLimits) -> np.ndarray:
    """Boxes rounded to whole pixels inside the image that keep to the limits: (N, 4) -> (M, 4) float32."""
    boxes = box_ops.clip(np.round(box_ops.as_boxes(boxes)), width, height)
    return boxes[filter_mask(boxes, width, height, limits)]


def filter_mask(boxes: ArrayLike, width: float, height: float, limits: RoiLimits) -> np.ndarray:
    """Which boxes keep to the limits in an image of width x height pixels: (N, 4) -> (N,) bool."""
    longer = max(width, height)
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    sides = (boxes[:, 2:] - boxes[:, :2]) / longer  # (N, 2)
    shorter_side, longer_side = sides.min(axis=1), sides.max(axis=1)
    area = sides[:, 0] * sides[:, 1]
    return (
        (shorter_side > 0)
        & (shorter_side >= limits.min_side)
        & (longer_side <= limits.max_side)
        & (area >= limits.min_area)
        & (area <= limits.max_area)
        & (longer_side <= limits.max_aspect_ratio * shorter_side)
    )


def even_order(count: int) -> np.ndarray:
    """A fixed permutation of range(count), every beginning of which is evenly spread (golden ratio)."""
    return np.argsort(np.arange(count) * GOLDEN_RATIO % 1.0, kind="stable")


def uniform_grid(width: int, height: int, limits: RoiLimits, grid: GridSettings) -> np.ndarray:
    """Boxes of several sizes and shapes on regular grids over an image of width x height pixels: (N, 4) float32.

    The greatest size has the greatest allowed area; shapes with a side beyond the limits are not there. The rows go
    round the sizes, and through the places of each size in an even order, so that every beginning of the list covers
    the image at all sizes: coarse first, then finer. Raises `TooManyRois`.
    """
    longer = max(width, height)
    greatest = longer * min(limits.max_side, limits.max_area**0.5)
    layers, count = [], 0
    for scale in range(grid.nr_scales):
        side = greatest / grid.downscale_ratio**scale
        for ratio in grid.aspect_ratios:
            # whole pixels, rounded down: a box of the greatest allowed size must still be allowed
            box_width, box_height = int(side * ratio**0.5 + 1e-6), int(side / ratio**0.5 + 1e-6)
            if not (0 < box_width <= width and 0 < box_height <= height):
                continue
            if not filter_mask([[0, 0, box_width, box_height]], width, height, limits)[0]:
                continue  # else limits for small objects would mean millions of boxes that are dropped again
            x = _positions(width, box_width, grid.step)
            y = _positions(height, box_height, grid.step)
            count += len(x) * len(y)
            if count > MAX_GRID:
                raise TooManyRois(f"the grid has more than {MAX_GRID} boxes in an image of {width} x {height} pixels")
            corners = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
            layer = np.hstack([corners, corners + [box_width, box_height]])
            layers.append(layer[even_order(len(layer))])
    if not layers:
        return box_ops.as_boxes([])
    turn = np.concatenate([np.arange(len(layer)) for layer in layers])  # its place among those of its size
    return np.concatenate(layers)[np.argsort(turn, kind="stable")].astype(np.float32)


def _positions(length: int, size: int, step: float) -> np.ndarray:
    """Starts of boxes of one size along an axis, from border to border, at most step * size apart."""
    count = int(np.ceil((length - size) / (step * size))) + 1
    return np.round(np.linspace(0, length - size, count))
