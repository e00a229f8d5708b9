"""COCO: one JSON file for many images, boxes [x, y, width, height] in pixels.

`iscrowd` boxes, and those with `ignore`, are ignored. Without a box, the bounding box of the segmentation counts:
polygons, or run lengths down the columns, plain or in pycocotools' letters (cocoapi, maskApi.c). Ids compare by value.
"""

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from helpers.base.errors import UserError
from helpers.formats.exported import ExportedImage, labels_of
from helpers.formats.notes import Notes
from helpers.formats.reading import read_json
from helpers.formats.records import Dropped, Record, read_objects, read_shared_file
from helpers.formats.shapes import Box, bounds, flat_points
from helpers.formats.source import Source
from helpers.formats.values import Size, Unreadable, class_name, id_of, number, positive_size, show

LISTS = ("images", "annotations", "categories")
MAX_RUNS = 1_000_000

Id = int | float | str


def read(source: Source) -> list[Record]:
    """One `Record` per image of each file."""
    records = []
    for path in source.files(".json"):
        content = read_shared_file(path, read_json)
        with source.guard(path):
            records += read_content(source, path, content)[1]
    return records


def read_content(notes: Notes, path: Path, content: object) -> tuple[dict[Id, str], list[Record]]:
    """({category id: class name}, one `Record` per image) of a file; notes what is of no image.

    Raises:
        Unreadable: where it is not COCO.
        UserError: where its categories are not clear.
    """
    if not isinstance(content, dict) or not all(isinstance(content.get(name), list) for name in LISTS):
        raise Unreadable(f"is not COCO: it must hold the lists {', '.join(LISTS)}")
    annotations, doubts = _by_image(notes, path, content["annotations"])
    classes = _classes(notes, path, content)
    images = _images(notes, path, content["images"])
    names_of: dict[Id | None, set[str]] = defaultdict(set)
    for _, name, image_id, _ in images:
        names_of[image_id].add(name)
    strangers = [image_id for image_id in annotations if image_id not in names_of]
    for image_id in strangers:
        where = annotations[image_id][0][0]
        notes.note(path, f"left out: image_id {show(image_id)} is not among the images", where)
    records = []
    for where, name, image_id, size in images:
        own = [] if image_id is None else annotations.get(image_id, [])
        objects, dropped = read_objects(own, partial(_class, classes=classes), partial(_box, size=size), _is_ignored)
        if image_id is None:
            doubt = "has no id, so that its annotations are not known"
        elif len(names_of[image_id]) > 1:
            doubt = f"id {show(image_id)} comes twice"
        else:
            doubt = _doubt_by_strangers(name, strangers, bool(own))
        reasons = [*doubts, doubt] if doubt else doubts
        dropped = (*(Dropped("", reason) for reason in reasons), *dropped)
        records.append(Record(path, (name,), objects, dropped, size, where=where))
    return classes, records


def _doubt_by_strangers(name: str, strangers: list[Id], has_annotations: bool) -> str:
    """Why annotations whose image_id is of no image, the strangers, might be of the image of a name, or ""."""
    named = {text.casefold(): text for text in strangers if isinstance(text, str)}  # perhaps instead of a number
    stem = os.path.splitext(os.path.basename(name))[0]
    if other := named.get(name.casefold()) or named.get(stem.casefold()):
        return f"image_id {show(other)} is of no image: this one might be meant"
    if strangers and not has_annotations:
        return f"has no annotation, but image_id {show(strangers[0])} is of no image: it might be meant"
    return ""


def _by_image(notes: Notes, path: Path, annotations: list[object]) -> tuple[dict[Id, list[tuple[str, Any]]], list[str]]:
    """({image id: [(place, annotation)]}, reasons why any image might lack an annotation)."""
    found: dict[Id, list[tuple[str, Any]]] = defaultdict(list)
    doubt: list[str] = []
    for place, annotation in enumerate(annotations):
        where = f"annotations[{place}]"
        try:
            found[_id(annotation, "image_id")].append((where, annotation))
        except Unreadable as error:
            notes.note(path, f"left out: {error}", where)
            doubt = doubt or [f"{where}, {error}: it might be of this image"]
    return found, doubt


def _images(notes: Notes, path: Path, images: list[Any]) -> list[tuple[str, str, Id | None, Size | None]]:
    """[(place, file name, id or None, size or None)]."""
    found = []
    for place, image in enumerate(images):
        where = f"images[{place}]"
        with notes.guard(path, where):
            name = _get(image, "file_name")
            if not isinstance(name, str):
                raise Unreadable(f"file_name {show(name)} is not a text")
            image_id = None
            with contextlib.suppress(Unreadable):
                image_id = _id(image, "id")
            found.append((where, name, image_id, positive_size(image.get("width"), image.get("height"))))
    return found


def _classes(notes: Notes, path: Path, content: dict[str, list[Any]]) -> dict[Id, str]:
    """{category id: class name}.

    Raises:
        UserError: where two categories with boxes have one name, or one id has two names.
    """
    used = set()
    for annotation in content["annotations"]:
        with contextlib.suppress(Unreadable):  # `_class` says so
            used.add(_id(annotation, "category_id"))
    classes: dict[Id, str] = {}
    ids: dict[str, Id] = {}
    for place, category in enumerate(content["categories"]):
        where = f"categories[{place}]"
        with notes.guard(path, where):
            category_id, name = _id(category, "id"), class_name(_get(category, "name"))
            if classes.setdefault(category_id, name) != name:
                raise UserError(f"{path}, {where}: id {show(category_id)} comes twice, as {show(name)} too")
            other = ids.setdefault(name, category_id)
            if other != category_id:
                message = f"name {show(name)} comes twice, with id {show(other)} and {show(category_id)}"
                if {other, category_id} <= used:
                    raise UserError(f"{path}, {where}: {message}; give one of them another name")
                notes.note(path, f"{message}; only one has boxes", where)
    return classes


def _get(item: object, name: str) -> Any:
    if not isinstance(item, dict) or name not in item:
        raise Unreadable(f'no "{name}"')
    return item[name]


def _id(item: object, name: str) -> Id:
    return id_of(_get(item, name), name)


def _class(annotation: dict[str, Any], classes: dict[Id, str]) -> str:
    category = _id(annotation, "category_id")
    if category not in classes:
        raise Unreadable(f"category_id {show(category)} is not among the categories")
    return classes[category]


def _is_ignored(annotation: dict[str, Any]) -> bool:
    return any(annotation.get(name) in (1, "1", True) for name in ("iscrowd", "ignore"))


def _box(annotation: dict[str, Any], size: Size | None = None) -> Box:
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
        return bounds([point for polygon in polygons for point in flat_points(polygon, "segmentation")])
    if isinstance(mask, dict):
        box = _box_of_runs(mask)
        if size and list(size) != mask["size"][::-1]:
            raise Unreadable(f"segmentation of size {mask['size']} on an image of {size[0]:g} x {size[1]:g} pixels")
        return box
    raise Unreadable("has neither bbox nor segmentation")


def _box_of_runs(mask: dict[str, Any]) -> Box:
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


def _runs_of_letters(text: str) -> list[int]:
    """pycocotools' compressed run lengths: 5 bits per letter, the 6th for "more", from the third on differences."""
    counts: list[int] = []
    value, shift = 0, 0
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


def write(images: Sequence[ExportedImage]) -> dict[str, str]:
    """{file name: text}: a file to train on, negative images among them, and one to test on, with equal categories."""
    numbers = {label: number for number, label in enumerate(labels_of(images), 1)}
    categories = [{"id": number, "name": label, "supercategory": ""} for label, number in numbers.items()]
    files, numbered = {}, list(enumerate(images, 1))
    for split, is_test in (("train", False), ("test", True)):
        of_split = [(image_id, image) for image_id, image in numbered if (image.subdir == "testImages") == is_test]
        listed = [
            {"id": image_id, "file_name": image.key, "width": image.size[0], "height": image.size[1]}
            for image_id, image in of_split
        ]
        annotations = _annotations(of_split, numbers)
        content = {
            "info": {}, "licenses": [], "images": listed, "annotations": annotations, "categories": categories
        }  # fmt: skip
        files[f"annotations/instances_{split}.json"] = json.dumps(content, indent=1) + "\n"
    return files


def _annotations(images: list[tuple[int, ExportedImage]], numbers: dict[str, int]) -> list[dict[str, object]]:
    annotations: list[dict[str, object]] = []
    for image_id, image in images:
        for (x1, y1, x2, y2), label, ignored in image.objects:
            w, h = x2 - x1, y2 - y1
            annotations.append({
                "id": len(annotations) + 1, "image_id": image_id, "category_id": numbers[label],
                "bbox": [x1, y1, w, h], "area": w * h, "iscrowd": int(ignored), "segmentation": [],
            })  # fmt: skip
    return annotations
