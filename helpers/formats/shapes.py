"""The bounding boxes (x1, y1, x2, y2) of other shapes: polygons, turned boxes, ellipses."""

import math

from helpers.formats.values import Unreadable, number


def bounds(points):
    """The bounding box (x1, y1, x2, y2) of points (x, y)."""
    if not points:
        raise Unreadable("a shape without points")
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def point_pairs(values, name):
    """Points (x, y) out of a flat list x, y, x, y, ..."""
    values = [number(value, name) for value in values]
    if not values or len(values) % 2:
        raise Unreadable(f"{name}: {len(values)} values are no list of points x, y")
    return list(zip(values[::2], values[1::2], strict=True))


def rotated_bounds(box, degrees, around=None):
    """The bounding box of a box turned clockwise, as seen on the screen, around a point; without one, its centre."""
    x1, y1, x2, y2 = box
    if not degrees % 360:
        return box
    x0, y0 = around or ((x1 + x2) / 2, (y1 + y2) / 2)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    return bounds([(x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos) for x, y in corners])


def ellipse_bounds(center, radii, degrees=0.0):
    """The bounding box of an ellipse with radii (rx, ry), turned by some degrees."""
    (x, y), (rx, ry) = center, radii
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_width, half_height = math.hypot(rx * cos, ry * sin), math.hypot(rx * sin, ry * cos)
    return x - half_width, y - half_height, x + half_width, y + half_height
