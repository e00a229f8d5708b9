"""Regions of the VGG Image Annotator: columns with JSON objects in a CSV, one for the shape, one for the class."""

import json
import math
from typing import Any

from helpers.formats.reading import one_line
from helpers.formats.shapes import Box, bounds, ellipse_bounds
from helpers.formats.values import Unreadable, class_name, number, show

SHAPE, CLASS = "region_shape_attributes", "region_attributes"  # columns
NEEDED = ("filename", CLASS)  # beside the shape
CLASS_NAMES = ("class", "label", "name", "type", "category")  # of the attribute that is the class, the likeliest first


def is_empty(cells: dict[str, str]) -> bool:
    """Whether a row has neither shape nor class: there is no object on the image."""
    return {cells[SHAPE], cells[CLASS]} <= {"", "{}"}


def class_of_region(cells: dict[str, str]) -> str:
    """The class in a row.

    Raises:
        Unreadable: where it has several.
    """
    attributes = _attributes(cells[CLASS])
    labels = [attributes[name] for name in CLASS_NAMES if name in attributes] or list(attributes.values())
    label = labels[0] if labels else ""
    if isinstance(label, dict):  # check boxes
        ticked = [name for name, is_set in label.items() if is_set is True]
        if len(ticked) > 1:
            raise Unreadable(f"has several classes, {show(', '.join(ticked))}")
        label = ticked[0] if ticked else ""
    return class_name(label)


def box_of_region(cells: dict[str, str]) -> Box:
    """The bounding box of the shape in a row.

    Raises:
        Unreadable: for one without area.
    """
    shape = _attributes(cells[SHAPE])

    def value(name: str) -> float:
        return number(shape.get(name), name)

    kind = shape.get("name")
    if kind == "rect":
        return value("x"), value("y"), value("x") + value("width"), value("y") + value("height")
    if kind == "circle":
        return ellipse_bounds((value("cx"), value("cy")), (value("r"), value("r")))
    if kind == "ellipse":  # theta in radians
        angle = math.degrees(number(shape.get("theta", 0), "theta"))
        return ellipse_bounds((value("cx"), value("cy")), (value("rx"), value("ry")), angle)
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if isinstance(xs, list) and isinstance(ys, list) and len(xs) == len(ys) and kind != "polyline":
        return bounds([(number(x, "x"), number(y, "y")) for x, y in zip(xs, ys, strict=True)])
    raise Unreadable(f"shape {show(kind)} has no area")


def _attributes(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not readable JSON ({one_line(error)})") from error
    if not isinstance(value, dict):
        raise Unreadable("region attributes are not JSON objects")
    return value
