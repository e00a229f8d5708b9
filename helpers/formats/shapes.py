"""The bounding boxes (x1, y1, x2, y2) of other shapes: polygons, turned boxes, ellipses."""

import math
from collections.abc import Sequence

from helpers.formats.values import Unreadable, number, show

Box = tuple[float, float, float, float]  # x1, y1, x2, y2
Point = tuple[float, float]  # x, y


def bounds(points: Sequence[Point]) -> Box:
    """The bounding box of points."""
    if not points:
        raise Unreadable("a shape without points")
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def flat_points(values: Sequence[object], name: str) -> list[Point]:
    """The points of a flat list x, y, x, y, ..."""
    numbers = [number(value, name) for value in values]
    if not numbers or len(numbers) % 2:
        raise Unreadable(f"{name}: {len(numbers)} values are no list of points x, y")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def paired_points(points: Sequence[object]) -> list[Point]:
    """The points of a list of pairs [x, y]."""
    pairs = [point for point in points if isinstance(point, list) and len(point) == 2]
    if len(pairs) < len(points):
        raise Unreadable(f"points {show(points)} are not pairs [x, y]")
    return [(number(x, "x"), number(y, "y")) for x, y in pairs]


def rotated_bounds(box: Box, degrees: float, around: Point | None = None) -> Box:
    """The bounding box of a box turned clockwise, as seen on the screen, around a point; without one, its centre."""
    x1, y1, x2, y2 = box
    if not degrees % 360:
        return box
    x0, y0 = around or ((x1 + x2) / 2, (y1 + y2) / 2)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    return bounds([(x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos) for x, y in corners])


def ellipse_bounds(center: Point, radii: Point, degrees: float = 0.0) -> Box:
    """The bounding box of an ellipse with radii (rx, ry), turned by some degrees."""
    (x, y), (rx, ry) = center, radii
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_width, half_height = math.hypot(rx * cos, ry * sin), math.hypot(rx * sin, ry * cos)
    return x - half_width, y - half_height, x + half_width, y + half_height
