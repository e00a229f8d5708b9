"""Boxes under a mouse: between pixels of the window and pixels of the image, edges to drag, buttons to press.

Boxes are tuples (x1, y1, x2, y2) of numbers, those of the window called screen boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from helpers.base.images import Size, fitted_size

REACH = 6  # pixels of the window: the mouse takes hold of an edge as near as this
MIN_SCREEN_SIDE, MIN_SIDE = 5, 2  # a box smaller than this in pixels of the window or of the image is a slip
Box = tuple[float, ...]  # x1, y1, x2, y2
Point = tuple[float, float]  # x, y
Area = tuple[int, int, int, int]  # x, y, width, height in pixels of the window


@dataclass(frozen=True)
class Fit:
    """How an image lies in a window: scaled by factors (x, y), its upper left corner at (left, top).

    size: (width, height) of the image in pixels; shown: the same in pixels of the window.
    """

    size: Size
    shown: Size
    factors: Point
    left: int
    top: int

    def to_screen(self, box: Box) -> Box:
        """A box of the image in the window, four floats."""
        origin = self.left, self.top
        return tuple(origin[i % 2] + float(value) * self.factors[i % 2] for i, value in enumerate(box))

    def point(self, x: float, y: float) -> Point:
        """A point of the window in pixels of the image, two floats, outside of it as well."""
        return (x - self.left) / self.factors[0], (y - self.top) / self.factors[1]

    def to_image(self, x: float, y: float) -> Point:
        """The nearest corner of pixels of the image, (x, y) int in 0..width and 0..height."""
        column, row = (min(max(round(value), 0), side) for value, side in zip(self.point(x, y), self.size, strict=True))
        return column, row


def fit_image(size: Size, area: Area) -> Fit:
    """The `Fit` of an image of (width, height) pixels, as large as it can be, in the middle of area (x, y, w, h)."""
    x, y, width, height = area
    shown, factors = fitted_size(size, max(1, width), max(1, height))
    return Fit(size, shown, factors, x + (width - shown[0]) // 2, y + (height - shown[1]) // 2)


def zoom_image(size: Size, area: Area, zoom: float, center: Point) -> Fit:
    """The `Fit` at `zoom` times the factor of `fit_image`, with the point `center` of the image in the middle.

    Where the image is larger than the area (x, y, w, h) it covers all of it.
    """
    fit = fit_image(size, area)
    factors = fit.factors[0] * zoom, fit.factors[1] * zoom
    shown = max(1, round(size[0] * factors[0])), max(1, round(size[1] * factors[1]))
    corner = []
    for axis in (0, 1):
        start, room = area[axis], max(1, area[axis + 2])
        spare = room - shown[axis]
        wanted = round(start + room / 2 - center[axis] * factors[axis])
        corner.append(start + spare // 2 if spare >= 0 else min(max(wanted, start + spare), start))
    return Fit(size, shown, factors, *corner)


def tidy_box(box: Box, size: Size) -> Box:
    """The box with x1 < x2 and y1 < y2, inside an image of (width, height) pixels, at least a pixel on either side."""
    tidy: list[float] = [0, 0, 0, 0]
    for axis, side in enumerate(size):
        low, high = sorted((box[axis], box[axis + 2]))
        low, high = min(max(low, 0), side - 1), min(max(high, 0), side)
        tidy[axis], tidy[axis + 2] = low, (high if high > low else low + 1)
    return tuple(tidy)


def spanned_box(point: Point, other: Point) -> Box:
    """The box between two opposite corners (x, y), whichever they are."""
    (x1, x2), (y1, y2) = sorted((point[0], other[0])), sorted((point[1], other[1]))
    return x1, y1, x2, y2


def is_too_small(box: Box, fit: Fit) -> bool:
    """Whether a box is so small that it was hardly meant."""
    x1, y1, x2, y2 = fit.to_screen(box)
    return min(x2 - x1, y2 - y1) < MIN_SCREEN_SIDE or min(box[2] - box[0], box[3] - box[1]) < MIN_SIDE


def box_under(boxes: Sequence[Box], x: float, y: float, reach: float = 0) -> int | None:
    """Index of the smallest of the screen boxes that hold a point, or of those as near as `reach`; None if none does.

    Of equally small ones it is the last, which is drawn on top.
    """
    areas = {
        index: ((x2 - x1) * (y2 - y1), -index)
        for index, (x1, y1, x2, y2) in enumerate(boxes)
        if x1 - reach <= x <= x2 + reach and y1 - reach <= y <= y2 + reach
    }
    return min(areas, key=areas.__getitem__) if areas else None


def edges_under(boxes: Sequence[Box], x: float, y: float) -> tuple[int, tuple[int, ...]] | None:
    """What the mouse takes hold of: (index of a screen box, positions of its edges), or None.

    The positions are those of the values that move with the mouse: one for an edge, (0, 3) for the lower left corner.
    Corners come before edges, near ones before far ones, small boxes before large ones.
    """
    best = None
    for index, box in enumerate(boxes):
        if box_under([box], x, y, REACH) is None:
            continue
        distances = [abs((x, y)[position % 2] - value) for position, value in enumerate(box)]
        edges = tuple(
            near
            for near in (min((axis, axis + 2), key=distances.__getitem__) for axis in (0, 1))
            if distances[near] <= REACH
        )
        if edges:
            area = (box[2] - box[0]) * (box[3] - box[1])
            rank = -len(edges), sum(distances[edge] for edge in edges), area
            if best is None or rank < best[0]:
                best = rank, index, edges
    return best[1:] if best else None


def dragged_box(box: Box, edges: Sequence[int], point: Point) -> Box:
    """The box with some of its edges at a point (x, y) of the image; an edge may pass the opposite one."""
    values = list(box)
    for edge in edges:
        values[edge] = point[edge % 2]
    return spanned_box((values[0], values[1]), (values[2], values[3]))


def region_around(box: Box, size: Size, margin: float = 0.35, least: float = 24) -> tuple[int, ...]:
    """The part (x1, y1, x2, y2) of an image, whole pixels, with a box and a margin around it on either side.

    Args:
        margin: in units of the box's longer side.
        least: in pixels.
    """
    room = max(least, margin * max(box[2] - box[0], box[3] - box[1]))
    low, high = np.floor(np.subtract(box[:2], room)), np.ceil(np.add(box[2:], room))
    return tuple(int(value) for value in (*np.clip(low, 0, size), *np.clip(high, 0, size)))


def lay_out_buttons(count: int, area: Area, height: int = 40, gap: int = 6) -> tuple[tuple[int, ...], ...]:
    """Rectangles (x1, y1, x2, y2) of `count` buttons in columns in area (x, y, w, h); many are lower."""
    x, y, width, room = area
    columns = 1 if count * (26 + gap) <= room else 2
    rows = max(1, -(-count // columns))
    step = min(height + gap, room / rows)
    wide = (width - gap * (columns - 1)) / columns
    rectangles = []
    for index in range(count):
        column, row = divmod(index, rows)
        left, top = x + column * (wide + gap), y + row * step
        rectangles.append(tuple(round(v) for v in (left, top, left + wide, top + max(8, step - gap))))
    return tuple(rectangles)
