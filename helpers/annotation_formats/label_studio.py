"""Label Studio: JSON and JSON-MIN exports, a list of tasks; boxes in percent of the image.

A turned box is turned around its upper left corner, clockwise. Of several annotations of one image the first that was
not cancelled counts. Brush masks are not read.
"""

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

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
    rotated_bounds,
    show,
)

UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-")  # put before the name of an uploaded file
KINDS = ("rectanglelabels", "rectangle", "polygonlabels", "polygon", "ellipselabels", "ellipse", "labels")
NO_SHAPES = ("choices", "textarea", "rating", "number", "taxonomy", "pairwise", "datetime", "relation")


def read(source):
    """One `Record` a task of each file."""
    records = []
    for path in source.files(".json"):
        with source.guard(path):
            content = read_json(path)
            tasks = [content] if isinstance(content, dict) else content
            if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
                raise Unreadable("is not Label Studio: it must hold a list of tasks")
            for place, task in enumerate(tasks):
                with source.guard(path, f"task {place}"):
                    records.append(_record(source, path, place, task))
    return records


def _record(source, path, place, task):
    data = task["data"] if isinstance(task.get("data"), dict) else task
    name = next((data[key] for key in ("image", "img", "image_url", "url") if isinstance(data.get(key), str)), None)
    if name is None:
        name = next((text for text in data.values() if isinstance(text, str) and "." in text.rsplit("/", 1)[-1]), None)
    if name is None:
        raise Unreadable('names no image under "data"')
    results = _results(source, path, place, task)
    regions = {}  # a shape and its class may be two results of one id
    for count, result in enumerate(results):
        if not isinstance(result, dict):
            raise Unreadable(f"result {count} is not an object")
        value = result["value"] if isinstance(result.get("value"), dict) else result
        if result.get("type") in NO_SHAPES:
            continue
        key = result.get("id") if isinstance(result.get("id"), str) else f"result {count}"
        region = regions.setdefault(key, {})
        region.update({name: item for name, item in {**result, **value}.items() if name != "value"})
        region.setdefault("where", f"task {place}, result {count}")
    things = []
    for region in regions.values():
        try:
            box = _box(region)
        except Unreadable as error:
            raise Unreadable(f"{region['where'].split(', ')[1]}: {error}") from None
        if box is None:
            source.note(path, f"left out: {show(region.get('type', 'a shape'))} is not read as a box", region["where"])
            continue
        if number(region.get("image_rotation", 0) or 0, "image_rotation") % 360:
            raise Unreadable("the image was turned in Label Studio; turn its file, and annotate that")
        things.append(Thing(_label(region), tuple(side / 100 for side in box), where=region["where"]))
    return Record(path, _names(name, task.get("file_upload")), tuple(things), relative=True, where=f"task {place}")


def _results(source, path, place, task):
    """The results of the annotation that counts; JSON-MIN has them in the task itself."""
    annotations = task.get("annotations", task.get("completions"))
    if isinstance(annotations, list):
        valid = [item for item in annotations if isinstance(item, dict) and not item.get("was_cancelled")]
        if not valid:
            raise Unreadable("was not annotated, or skipped")
        if len(valid) > 1:
            source.note(path, f"has {len(valid)} annotations: the first one counts", f"task {place}")
        results = valid[0].get("result")
        if not isinstance(results, list):
            raise Unreadable('no list "result"')
        return results
    lists = [value for value in task.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    results = [item for value in lists for item in value if {"x", "points", "rle"} & item.keys()]
    if not results and "annotation_id" not in task:
        raise Unreadable('no list "annotations"')
    return results


def _label(region):
    for name in ("rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "labels"):
        if isinstance(region.get(name), list) and region[name]:
            return class_name(region[name][0])
    return ""


def _box(region):
    """(x1, y1, x2, y2) in percent of the image, or None for a shape that has no area or is a mask."""

    def value(name):
        return number(region.get(name), name)

    angle = number(region.get("rotation", 0) or 0, "rotation")
    if isinstance(region.get("points"), list) and len(region["points"]) > 2:
        points = region["points"]
        if not all(isinstance(point, list) and len(point) == 2 for point in points):
            raise Unreadable(f"points {show(points)} are not pairs [x, y]")
        return bounds([(number(x, "x"), number(y, "y")) for x, y in points])
    if "radiusX" in region:
        if angle % 180:  # percents of width and height turn only in pixels
            radii, (w, h) = (value("radiusX"), value("radiusY")), _pixels(region)
            x1, y1, x2, y2 = ellipse_bounds((value("x") * w, value("y") * h), (radii[0] * w, radii[1] * h), angle)
            return x1 / w, y1 / h, x2 / w, y2 / h
        return ellipse_bounds((value("x"), value("y")), (value("radiusX"), value("radiusY")))
    if {"x", "y", "width", "height"} <= region.keys() and region.get("type", "rectangle") in KINDS:
        x, y, w, h = (value(name) for name in ("x", "y", "width", "height"))
        if angle % 360:
            sx, sy = _pixels(region)
            turned = rotated_bounds((x * sx, y * sy, (x + w) * sx, (y + h) * sy), angle, (x * sx, y * sy))
            return turned[0] / sx, turned[1] / sy, turned[2] / sx, turned[3] / sy
        return x, y, x + w, y + h
    return None


def _pixels(region):
    size = positive_size(region.get("original_width"), region.get("original_height"))
    if size is None:
        raise Unreadable("is turned, and original_width and original_height are missing")
    return size


def _names(name, upload):
    """What the image may be called: Label Studio puts eight digits before the name of an uploaded file."""
    parts = urlsplit(name) if "://" in name or name.startswith("/data/") else None
    if parts is not None:
        hidden = parse_qs(parts.query).get("d")
        name = unquote(hidden[0] if hidden else parts.path)
    names = [name, *([upload] if isinstance(upload, str) and upload else [])]
    names += [UPLOAD_PREFIX.sub("", text.replace("\\", "/").rsplit("/", 1)[-1], count=1) for text in names]
    return tuple(dict.fromkeys(names))


def write(images):
    """{file name: text}: tasks that name images as Label Studio's local files, below images/."""
    tasks = []
    for number_, image in enumerate(images, 1):
        width, height = image.size
        results = [
            {
                "id": f"box{count}", "type": "rectanglelabels", "from_name": "label", "to_name": "image",
                "original_width": width, "original_height": height, "image_rotation": 0,
                "value": {
                    "x": x1 / width * 100, "y": y1 / height * 100, "width": (x2 - x1) / width * 100,
                    "height": (y2 - y1) / height * 100, "rotation": 0, "rectanglelabels": [label],
                },
            }
            for count, ((x1, y1, x2, y2), label, _) in enumerate(image.things, 1)
        ]  # fmt: skip
        tasks.append({
            "id": number_, "data": {"image": f"/data/local-files/?d=images/{image.key}"},
            "annotations": [{"id": number_, "was_cancelled": False, "result": results}],
        })  # fmt: skip
    return {"tasks.json": json.dumps(tasks, indent=1) + "\n"}
