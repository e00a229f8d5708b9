"""COCO: one JSON file for many images, boxes [x, y, width, height] in pixels.

`iscrowd` boxes, and those with `ignore`, are excluded. Without a box, the bounding box of the segmentation counts:
polygons, or run lengths down the columns, plain or in pycocotools' letters (cocoapi, maskApi.c).
"""

import json
from collections import defaultdict

from helpers.annotation_formats.common import (
    Record,
    Thing,
    Unreadable,
    bounds,
    class_name,
    number,
    point_pairs,
    positive_size,
    read_json,
    show,
)

PARTS = ("images", "annotations", "categories")
MAX_RUNS = 1_000_000


def read(source):
    """One `Record` an image of each file."""
    records = []
    for path in source.files(".json"):
        with source.guard(path):
            records += read_content(source, path, read_json(path))
    return records


def read_content(source, path, content):
    """One `Record` an image of what a file holds; notes in `source` what is left out."""
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in PARTS):
        raise Unreadable(f"is not COCO: it must hold the lists {', '.join(PARTS)}")
    classes = {}
    for place, category in enumerate(content["categories"]):
        with source.guard(path, f"categories[{place}]"):
            classes[_get(category, "id")] = class_name(_get(category, "name"))
    annotations = defaultdict(list)
    for place, annotation in enumerate(content["annotations"]):
        with source.guard(path, f"annotations[{place}]"):
            annotations[_get(annotation, "image_id")].append((place, annotation))
    records, seen = [], set()
    for place, image in enumerate(content["images"]):
        where = f"images[{place}]"
        with source.guard(path, where):
            image_id, name = _get(image, "id"), _get(image, "file_name")
            if not isinstance(name, str):
                raise Unreadable(f"file_name {show(name)} is not a text")
            if image_id in seen:
                raise Unreadable(f"id {show(image_id)} comes twice")
            seen.add(image_id)
            things = tuple(_thing(count, item, classes) for count, item in annotations.get(image_id, ()))
            size = positive_size(image.get("width"), image.get("height"))
            records.append(Record(path, (name,), things, size, where=where))
    for image_id in annotations.keys() - seen:
        first = annotations[image_id][0][0]
        source.note(path, f"left out: image_id {show(image_id)} is not among the images", f"annotations[{first}]")
    return records


def _get(item, name):
    if not isinstance(item, dict) or name not in item:
        raise Unreadable(f'no "{name}"')
    value = item[name]
    if name.endswith("id") and not isinstance(value, (int, str)):
        raise Unreadable(f"{name} {show(value)} is neither a number nor a text")
    return value


def _thing(place, annotation, classes):
    where = f"annotations[{place}]"
    try:
        category = _get(annotation, "category_id")
        if category not in classes:
            raise Unreadable(f"category_id {show(category)} is not among the categories")
        excluded = annotation.get("iscrowd") in (1, "1", True) or annotation.get("ignore") in (1, "1", True)
        return Thing(classes[category], _box(annotation), excluded, where)
    except Unreadable as error:
        raise Unreadable(f"{where}: {error}") from None


def _box(annotation):
    box = annotation.get("bbox")
    if isinstance(box, list) and len(box) == 4:
        x, y, width, height = (number(value, "bbox") for value in box)
        if min(width, height) < 0:
            raise Unreadable(f"bbox {show(box)} has a negative width or height")
        return x, y, x + width, y + height
    if box:
        raise Unreadable(f"bbox {show(box)} is not [x, y, width, height]")
    mask = annotation.get("segmentation")
    if isinstance(mask, list) and mask:
        polygons = mask if isinstance(mask[0], list) else [mask]
        return bounds([point for polygon in polygons for point in point_pairs(polygon, "segmentation")])
    if isinstance(mask, dict):
        return _box_of_runs(mask)
    raise Unreadable("has neither bbox nor segmentation")


def _box_of_runs(mask):
    """The bounding box of a mask given as run lengths: background first, then in turns, column by column."""
    size, counts = mask.get("size"), mask.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise Unreadable(f"segmentation size {show(size)} is not [height, width]")
    counts = _runs_of_letters(counts) if isinstance(counts, str) else counts
    if not isinstance(counts, list) or len(counts) > MAX_RUNS or not all(isinstance(n, int) and n >= 0 for n in counts):
        raise Unreadable("segmentation counts are not run lengths")
    height, start, boxes = size[0], 0, []
    for turn, length in enumerate(counts):
        if turn % 2 and length:
            first, last = start, start + length - 1
            rows = (first % height, last % height) if first // height == last // height else (0, height - 1)
            boxes += [(first // height, rows[0]), (last // height + 1, rows[1] + 1)]
        start += length
    if not boxes or start > size[0] * size[1]:
        raise Unreadable("segmentation is empty, or longer than its image")
    return bounds(boxes)


def _runs_of_letters(text):
    """pycocotools' compressed run lengths: 5 bits a letter, the 6th for "more", from the third on differences."""
    counts, value, shift = [], 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise Unreadable("segmentation counts are not run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value, shift = 0, 0
    return counts


def write(images):
    """{file name: text}: a file to train on, negative images among them, and one to test on, with equal categories."""
    labels = sorted({label for image in images for _, label, _ in image.things})
    categories = [{"id": number, "name": label, "supercategory": ""} for number, label in enumerate(labels, 1)]
    numbers = {category["name"]: category["id"] for category in categories}
    files, numbered = {}, list(enumerate(images, 1))
    for part, is_test in (("train", False), ("test", True)):
        content = {"info": {}, "licenses": [], "images": [], "annotations": [], "categories": categories}
        for image_id, image in numbered:
            if (image.subdir == "testImages") == is_test:
                _append(content, image_id, image, numbers)
        files[f"annotations/instances_{part}.json"] = json.dumps(content, indent=1) + "\n"
    return files


def _append(content, image_id, image, numbers):
    width, height = image.size
    content["images"].append({"id": image_id, "file_name": image.key, "width": width, "height": height})
    for (x1, y1, x2, y2), label, excluded in image.things:
        w, h = x2 - x1, y2 - y1
        content["annotations"].append({
            "id": len(content["annotations"]) + 1, "image_id": image_id, "category_id": numbers[label],
            "bbox": [x1, y1, w, h], "area": w * h, "iscrowd": int(excluded), "segmentation": [],
        })  # fmt: skip
