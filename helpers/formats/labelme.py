"""LabelMe: one JSON file per image, with shapes as lists of points in pixels.

Points and lines have no area, and a flag that is set says something about the whole image: neither is a box. Where the
photo is only inside the file (`imageData`), it is taken from there.
"""

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from helpers.base.errors import UserError
from helpers.formats import embedded_photos
from helpers.formats.exported import ExportedImage
from helpers.formats.reading import read_json
from helpers.formats.records import Record, read_image_file, read_objects
from helpers.formats.shapes import Box, bounds, ellipse_bounds, paired_points
from helpers.formats.source import Source
from helpers.formats.values import Unreadable, class_name, positive_size

WITHOUT_AREA = ("point", "points", "line", "linestrip", "flag")


def read(source: Source) -> list[Record]:
    """One `Record` per file."""
    records = []
    for path in source.files(".json"):
        with source.guard(path):
            records.append(read_image_file(path, partial(_record, source, path)))
    return records


def _record(source: Source, path: Path) -> Record:
    content = read_json(path)
    if not isinstance(content, dict) or not {"shapes", "imagePath"} & content.keys():
        raise Unreadable('is not LabelMe: it must hold a list "shapes"')
    if not isinstance(content.get("shapes"), list):
        raise UserError(f'{path}: "shapes" is not a list')
    flags = content["flags"] if isinstance(content.get("flags"), dict) else {}
    items = [(f"shapes[{place}]", shape) for place, shape in enumerate(content["shapes"])]
    items += [("flags", {"label": name, "shape_type": "flag"}) for name, is_set in flags.items() if is_set is True]
    objects, dropped = read_objects(items, _class, _box)
    name = content.get("imagePath")
    names = (*([name] if isinstance(name, str) and name.strip() else []), path.stem)
    size = positive_size(content.get("imageWidth"), content.get("imageHeight"))
    if isinstance(content.get("imageData"), str):
        names = embedded_photos.find_or_unpack(source, path, names, size, content["imageData"])
    return Record(path, names, objects, dropped, size)


def _class(shape: dict[str, Any]) -> str:
    if not isinstance(shape, dict):
        raise Unreadable("is not an object")
    return class_name(shape.get("label", ""))


def _box(shape: dict[str, Any]) -> Box:
    kind, points = shape.get("shape_type", "polygon"), shape.get("points")  # old versions knew nothing else
    if kind in WITHOUT_AREA:
        raise Unreadable(f"a {kind} has no area")
    if not isinstance(points, list):
        raise Unreadable('no list "points"')
    points = paired_points(points)
    if kind == "circle":
        if len(points) != 2:
            raise Unreadable(f"a circle has a centre and a point on it, not {len(points)} points")
        radius = math.dist(*points)
        return ellipse_bounds(points[0], (radius, radius))
    box = bounds(points)
    if kind == "mask":  # its corners are pixels, both inside
        return box[0], box[1], box[2] + 1, box[3] + 1
    return box


def write(images: Sequence[ExportedImage]) -> dict[str, str]:
    """{file name: text}: a JSON file beside each image."""
    files = {}
    for image in images:
        shapes: list[dict[str, object]] = [
            {"label": label, "points": [list(box[:2]), list(box[2:])], "group_id": None, "shape_type": "rectangle",
             "flags": {}}
            for box, label, _ in image.objects
        ]  # fmt: skip
        content: dict[str, object] = {
            "version": "5.0.1", "flags": {}, "shapes": shapes, "imagePath": image.key.split("/")[-1],
            "imageData": None, "imageHeight": image.size[1], "imageWidth": image.size[0],
        }  # fmt: skip
        files[f"{image.base}.json"] = json.dumps(content, indent=1) + "\n"
    return files


def image_place(key: str) -> str:
    """Where the copy of an image goes."""
    return key
