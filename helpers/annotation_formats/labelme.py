"""LabelMe: one JSON file an image, with shapes as lists of points in pixels."""

import json
import math

from helpers.annotation_formats.common import (
    Record,
    Thing,
    Unreadable,
    bounds,
    class_name,
    ellipse_bounds,
    number,
    positive_size,
    read_json,
    show,
)

WITHOUT_AREA = ("point", "points", "line", "linestrip")


def read(source):
    """One `Record` a file; points and lines are noted as left out."""
    records = []
    for path in source.files(".json"):
        with source.guard(path):
            records.append(_record(source, path, read_json(path)))
    return records


def _record(source, path, content):
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list):
        raise Unreadable('is not LabelMe: it must hold a list "shapes"')
    things = []
    for place, shape in enumerate(shapes):
        where = f"shapes[{place}]"
        try:
            if not isinstance(shape, dict) or not isinstance(shape.get("points"), list):
                raise Unreadable('no list "points"')
            kind = shape.get("shape_type", "polygon")  # old versions knew nothing else
            if kind in WITHOUT_AREA:
                source.note(path, f"left out: a {kind} has no area", where)
                continue
            things.append(Thing(class_name(shape.get("label", "")), _box(kind, shape["points"]), where=where))
        except Unreadable as error:
            raise Unreadable(f"{where}: {error}") from None
    name = content.get("imagePath")
    names = (name, path.stem) if isinstance(name, str) and name.strip() else (path.stem,)
    return Record(path, names, tuple(things), positive_size(content.get("imageWidth"), content.get("imageHeight")))


def _box(kind, points):
    if not all(isinstance(point, list) and len(point) == 2 for point in points):
        raise Unreadable(f"points {show(points)} are not pairs [x, y]")
    points = [(number(x, "x"), number(y, "y")) for x, y in points]
    if kind == "circle":
        if len(points) != 2:
            raise Unreadable(f"a circle has a centre and a point on it, not {len(points)} points")
        radius = math.dist(*points)
        return ellipse_bounds(points[0], (radius, radius))
    box = bounds(points)
    if kind == "mask":  # its corners are pixels, both inside
        return box[0], box[1], box[2] + 1, box[3] + 1
    return box


def write(images):
    """{file name: text}: a JSON file beside each image."""
    files = {}
    for image in images:
        shapes = [
            {"label": label, "points": [list(box[:2]), list(box[2:])], "group_id": None, "shape_type": "rectangle",
             "flags": {}}
            for box, label, _ in image.things
        ]  # fmt: skip
        content = {
            "version": "5.0.1", "flags": {}, "shapes": shapes, "imagePath": image.key.split("/")[-1],
            "imageData": None, "imageHeight": image.size[1], "imageWidth": image.size[0],
        }  # fmt: skip
        files[f"{image.base}.json"] = json.dumps(content, indent=1) + "\n"
    return files


def image_place(key):
    """Where the copy of an image goes."""
    return key
