"""Label Studio: JSON and JSON-MIN exports, a list of tasks; boxes in percent of the image.

A turned box is turned around its upper left corner, clockwise. Several annotations of one image must agree. Of a
brush mask the bounds count. Key points and classes of the whole image are no boxes, and such an image is left out.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from helpers.formats.brush_masks import box_of_brush
from helpers.formats.exported import ExportedImage
from helpers.formats.reading import read_json
from helpers.formats.records import AnnotatedObject, Dropped, Record, read_objects, read_shared_file
from helpers.formats.shapes import Box, bounds, ellipse_bounds, paired_points, rotated_bounds
from helpers.formats.source import Source
from helpers.formats.values import Size, Unreadable, class_name, number, positive_size, show

UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-")  # put before the name of an uploaded file
KINDS = ("rectanglelabels", "rectangle", "polygonlabels", "polygon", "ellipselabels", "ellipse", "labels")
CLASS_LISTS = ("rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "keypointlabels", "labels")
OF_IMAGE = ("choices", "taxonomy")  # classes of the whole image, or of a region
NO_CLASSES = ("textarea", "rating", "number", "pairwise", "datetime", "relation")
SAME = 0.5  # IoU of two annotators' boxes of one object
MIN_KEYS = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}  # that JSON-MIN has itself
SHAPE_KEYS = {"x", "points", "rle", "vertices", "imageDataURL"}

Region = dict[str, Any]  # a shape and its class, put together


def read(source: Source) -> list[Record]:
    """One `Record` per task of each file."""
    records = []
    for path in source.files(".json"):
        content = read_shared_file(path, read_json)
        with source.guard(path):
            tasks = [content] if isinstance(content, dict) else content
            if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
                raise Unreadable("is not Label Studio: it must hold a list of tasks")
            for place, task in enumerate(tasks):
                with source.guard(path, f"task {place}"):
                    records.append(_record(path, place, task))
    return records


def _record(path: Path, place: int, task: dict[str, Any]) -> Record:
    where = f"task {place}"
    data = task["data"] if isinstance(task.get("data"), dict) else task
    texts = [data[key] for key in ("image", "img", "image_url", "url") if isinstance(data.get(key), str)]
    texts += [text for text in data.values() if isinstance(text, str) and "." in text.rsplit("/", 1)[-1]]
    name = next(iter(texts), None)
    if name is None:
        raise Unreadable('names no image under "data"')
    names = _names(name, task.get("file_upload"))
    annotations = _annotations(task, name)
    try:
        found = [read_objects(_items(results), _class, _box) for results in annotations]
    except Unreadable as error:
        return Record(path, names, (), (Dropped("", str(error)),), where=where)
    objects, dropped = found[0]
    if not all(_agree(objects, others) for others, _ in found):
        dropped += (Dropped("", f"has {len(found)} annotations that differ: delete all but one in Label Studio"),)
    dropped += tuple(item for _, others in found[1:] for item in others)
    return Record(path, names, objects, dropped, relative=True, where=where)


def _annotations(task: dict[str, Any], image: str) -> list[Any]:
    """The lists of results of all annotations that were not cancelled; JSON-MIN has the results in the task itself."""
    annotations = task.get("annotations", task.get("completions"))
    if isinstance(annotations, list):
        valid = [item for item in annotations if isinstance(item, dict) and not item.get("was_cancelled")]
        if not valid:
            raise Unreadable("was not annotated, or skipped")
        return [item.get("result") for item in valid]
    lists = [value for value in task.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    results = [item for value in lists for item in value if SHAPE_KEYS & item.keys() or _has_labels(item)]
    ticked = [value for value in task.values() if isinstance(value, dict) and isinstance(value.get("choices"), list)]
    results += [{"type": "choices", "choices": value["choices"]} for value in ticked]
    if not results and "annotation_id" not in task:
        raise Unreadable('no list "annotations"')
    others = [name for name, value in task.items() if name not in MIN_KEYS and value not in (None, "", [], image)]
    if not results and others:  # no boxes, but perhaps a class of the whole image
        return [[{"type": "choices", "choices": [f"{others[0]}: {task[others[0]]}"]}]]
    return [results]


def _has_labels(item: dict[str, Any]) -> bool:
    return any(name.endswith("labels") for name in item)


def _items(results: object) -> list[tuple[str, Region]]:
    """[(place, region)] with one class each. A shape and its class may be two results of one id."""
    if not isinstance(results, list):
        raise Unreadable('no list "result"')
    regions: dict[str, Region] = {}
    for count, result in enumerate(results):
        where = f"result {count}"
        if not isinstance(result, dict):
            raise Unreadable(f"{where} is not an object")
        value = result["value"] if isinstance(result.get("value"), dict) else result
        if result.get("type") in NO_CLASSES:
            continue
        key = str(result["id"]) if isinstance(result.get("id"), (str, int)) else where
        region = regions.setdefault(key, {"where": where, "types": []})
        region["types"].append(str(result.get("type", "rectangle")))
        region.update({**result, **value, "where": region["where"], "types": region["types"]})
    items = []
    for region in regions.values():
        shapes = [kind for kind in region["types"] if kind not in OF_IMAGE]
        of_image = not shapes
        lists = OF_IMAGE if of_image else CLASS_LISTS
        labels = next((region[name] for name in lists if isinstance(region.get(name), list) and region[name]), [""])
        region["type"] = (shapes or region["types"])[0]
        items += [(region["where"], {**region, "label": label, "of_image": of_image}) for label in labels]
    return items


def _class(region: Region) -> str:
    label = region["label"]
    return class_name(label[-1] if isinstance(label, list) and label else label)  # of a taxonomy the last branch


def _agree(objects: Sequence[AnnotatedObject], others: Sequence[AnnotatedObject]) -> bool:
    """Whether two annotators drew the same: as many boxes of each class, each on one of the other's."""
    left = list(others)
    if len(left) != len(objects):
        return False
    for own in objects:
        same = (other for other in left if other.label == own.label and _iou(other.box, own.box) > SAME)
        match = next(same, None)
        if match is None:
            return False
        left.remove(match)
    return True


def _iou(a: Box, b: Box) -> float:
    width, height = (max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / max(sum(areas) - width * height, 1e-12)


def _box(region: Region) -> Box:
    """The box as fractions of the image."""
    if region["of_image"]:
        raise Unreadable(f"{show(region['label'])} is a class of the whole image, and no box")
    if number(region.get("image_rotation", 0) or 0, "image_rotation") % 360:
        raise Unreadable("the image was turned in Label Studio; turn its file, and annotate that")
    x1, y1, x2, y2 = _percent(region)
    return x1 / 100, y1 / 100, x2 / 100, y2 / 100


def _percent(region: Region) -> Box:
    def value(name: str) -> float:
        return number(region.get(name), name)

    angle = number(region.get("rotation", 0) or 0, "rotation")
    if "rle" in region:
        width, height = _pixels(region)
        x1, y1, x2, y2 = box_of_brush(region["rle"], (width, height))
        return x1 / width * 100, y1 / height * 100, x2 / width * 100, y2 / height * 100
    if isinstance(region.get("points"), list) and len(region["points"]) > 2:
        return bounds(paired_points(region["points"]))
    if "radiusX" in region:
        if angle % 180:  # percents of width and height turn only in pixels
            radii, (w, h) = (value("radiusX"), value("radiusY")), _pixels(region)
            x1, y1, x2, y2 = ellipse_bounds((value("x") * w, value("y") * h), (radii[0] * w, radii[1] * h), angle)
            return x1 / w, y1 / h, x2 / w, y2 / h
        return ellipse_bounds((value("x"), value("y")), (value("radiusX"), value("radiusY")))
    if {"x", "y", "width", "height"} <= region.keys() and region["type"] in KINDS:
        x, y, w, h = (value(name) for name in ("x", "y", "width", "height"))
        if angle % 360:
            sx, sy = _pixels(region)
            turned = rotated_bounds((x * sx, y * sy, (x + w) * sx, (y + h) * sy), angle, (x * sx, y * sy))
            return turned[0] / sx, turned[1] / sy, turned[2] / sx, turned[3] / sy
        return x, y, x + w, y + h
    raise Unreadable(f"{show(region['type'])} is not read as a box")


def _pixels(region: Region) -> Size:
    size = positive_size(region.get("original_width"), region.get("original_height"))
    if size is None:
        raise Unreadable("original_width and original_height are missing")
    return size


def _names(name: str, upload: object) -> tuple[str, ...]:
    """What the image may be called: Label Studio puts eight digits before the name of an uploaded file."""
    parts = urlsplit(name) if "://" in name or name.startswith("/data/") else None
    if parts is not None:
        hidden = parse_qs(parts.query).get("d")  # unquotes
        name = hidden[0] if hidden else unquote(parts.path)
    names = [name, *([upload] if isinstance(upload, str) and upload else [])]
    names += [UPLOAD_PREFIX.sub("", text.replace("\\", "/").rsplit("/", 1)[-1], count=1) for text in names]
    return tuple(dict.fromkeys(names))


def write(images: Sequence[ExportedImage]) -> dict[str, str]:
    """{file name: text}: tasks that name images as Label Studio's local files, below images/."""
    tasks = []
    for task_id, image in enumerate(images, 1):
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
            for count, ((x1, y1, x2, y2), label, _) in enumerate(image.objects, 1)
        ]  # fmt: skip
        tasks.append({
            "id": task_id, "data": {"image": f"/data/local-files/?d={quote(f'images/{image.key}')}"},
            "annotations": [{"id": task_id, "was_cancelled": False, "result": results}],
        })  # fmt: skip
    return {"tasks.json": json.dumps(tasks, indent=1) + "\n"}
