"""COCO: one JSON file for many images, boxes [x, y, width, height] in pixels.

`iscrowd` boxes, and those with `ignore`, are excluded. Without a box, the bounding box of the segmentation counts:
polygons, or run lengths down the columns, plain or in pycocotools' letters (cocoapi, maskApi.c). Ids compare by value.
"""

import contextlib
import json
import os
from collections import defaultdict
from functools import partial

from helpers.base.errors import UserError
from helpers.formats.reading import read_json
from helpers.formats.records import Dropped, Record, read_shared_file, read_things
from helpers.formats.shapes import bounds, point_pairs
from helpers.formats.values import Unreadable, class_name, id_of, number, positive_size, show

PARTS = ("images", "annotations", "categories")
MAX_RUNS = 1_000_000


def read(source):
    """One `Record` an image of each file."""
    records = []
    for path in source.files(".json"):
        content = read_shared_file(path, read_json)
        with source.guard(path):
            records += read_content(source, path, content)[1]
    return records


def read_content(source, path, content):
    """({category id: class name}, one `Record` an image) of a file; notes in `source` what is of no image.

    Raises `Unreadable` where it is not COCO, `UserError` where its categories are not clear.
    """
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in PARTS):
        raise Unreadable(f"is not COCO: it must hold the lists {', '.join(PARTS)}")
    annotations, doubt = _by_image(source, path, content["annotations"])
    classes = _classes(source, path, content)
    images = _images(source, path, content["images"])
    places = defaultdict(set)  # id -> what images it is of
    for _, name, image_id, _ in images:
        places[image_id].add(name)
    strangers = [image_id for image_id in annotations if image_id not in places]
    for image_id in strangers:
        where = annotations[image_id][0][0]
        source.note(path, f"left out: image_id {show(image_id)} is not among the images", where)
    named = {text.casefold(): text for text in strangers if isinstance(text, str)}  # perhaps instead of a number
    records = []
    for where, name, image_id, size in images:
        things, dropped = read_things(
            annotations.get(image_id, ()), partial(_class, classes=classes), partial(_box, size=size), _is_excluded
        )
        reasons = list(doubt)
        if image_id is None:
            reasons.append("has no id, so that its annotations are not known")
        elif len(places[image_id]) > 1:
            reasons.append(f"id {show(image_id)} comes twice")
        elif other := named.get(name.casefold()) or named.get(os.path.splitext(os.path.basename(name))[0].casefold()):
            reasons.append(f"image_id {show(other)} is of no image: this one might be meant")
        elif strangers and image_id not in annotations:
            reasons.append(f"has no annotation, but image_id {show(strangers[0])} is of no image: it might be meant")
        dropped = (*(Dropped("", reason) for reason in reasons), *dropped)
        records.append(Record(path, (name,), things, dropped, size, where=where))
    return classes, records


def _by_image(source, path, annotations):
    """({image id: [(place, annotation)]}, reasons why any image might lack an annotation)."""
    found, doubt = defaultdict(list), []
    for place, annotation in enumerate(annotations):
        where = f"annotations[{place}]"
        try:
            found[_id(annotation, "image_id")].append((where, annotation))
        except Unreadable as error:
            source.note(path, f"left out: {error}", where)
            doubt = doubt or [f"{where}, {error}: it might be of this image"]
    return found, doubt


def _images(source, path, images):
    """[(place, file name, id or None, size or None)]."""
    found = []
    for place, image in enumerate(images):
        where = f"images[{place}]"
        with source.guard(path, where):
            name = _get(image, "file_name")
            if not isinstance(name, str):
                raise Unreadable(f"file_name {show(name)} is not a text")
            try:
                image_id = _id(image, "id")
            except Unreadable:
                image_id = None
            found.append((where, name, image_id, positive_size(image.get("width"), image.get("height"))))
    return found


def _classes(source, path, content):
    """{category id: class name}.

    Raises `UserError` where two categories with boxes have one name, or one id has two names.
    """
    used = set()
    for annotation in content["annotations"]:
        with contextlib.suppress(Unreadable):  # `_class` says so
            used.add(_id(annotation, "category_id"))
    classes, ids = {}, {}
    for place, category in enumerate(content["categories"]):
        where = f"categories[{place}]"
        with source.guard(path, where):
            category_id, name = _id(category, "id"), class_name(_get(category, "name"))
            if classes.setdefault(category_id, name) != name:
                raise UserError(f"{path}, {where}: id {show(category_id)} comes twice, as {show(name)} too")
            other = ids.setdefault(name, category_id)
            if other != category_id:
                message = f"name {show(name)} comes twice, with id {show(other)} and {show(category_id)}"
                if {other, category_id} <= used:
                    raise UserError(f"{path}, {where}: {message}; give one of them another name")
                source.note(path, f"{message}; only one has boxes", where)
    return classes


def _get(item, name):
    if not isinstance(item, dict) or name not in item:
        raise Unreadable(f'no "{name}"')
    return item[name]


def _id(item, name):
    return id_of(_get(item, name), name)


def _class(annotation, classes):
    category = _id(annotation, "category_id")
    if category not in classes:
        raise Unreadable(f"category_id {show(category)} is not among the categories")
    return classes[category]


def _is_excluded(annotation):
    return any(annotation.get(name) in (1, "1", True) for name in ("iscrowd", "ignore"))


def _box(annotation, size=None):
    box, mask = annotation.get("bbox"), annotation.get("segmentation")
    if isinstance(box, list) and len(box) == 4:
        x, y, width, height = (number(value, "bbox") for value in box)
        if min(width, height) < 0:
            raise Unreadable(f"bbox {show(box)} has a negative width or height")
        if min(width, height) > 0 or not mask:
            return x, y, x + width, y + height
    elif box:
        raise Unreadable(f"bbox {show(box)} is not [x, y, width, height]")
    if isinstance(mask, list) and mask:
        polygons = mask if isinstance(mask[0], list) else [mask]
        return bounds([point for polygon in polygons for point in point_pairs(polygon, "segmentation")])
    if isinstance(mask, dict):
        box = _box_of_runs(mask)
        if size and list(size) != mask["size"][::-1]:
            raise Unreadable(f"segmentation of size {mask['size']} on an image of {size[0]:g} x {size[1]:g} pixels")
        return box
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
