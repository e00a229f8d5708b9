"""VoTT: JSON of version 2, and the CNTK export of version 1, which is this project's own layout.

Version 1 writes positive/, testImages/ and negative/ with NAME.bboxes.tsv and NAME.bboxes.labels.tsv. The CNTK export
of version 2 names them NAME.jpg.bboxes.tsv and writes x1, x2, y1, y2 instead of x1, y1, x2, y2 (VoTT, cntk.ts).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers.base.errors import UserError
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, BOX_SUFFIXES, LABEL_SUFFIXES, SUBDIRS
from helpers.formats.reading import read_json, read_text
from helpers.formats.records import AnnotatedObject, Dropped, Record, read_objects, read_shared_file
from helpers.formats.shapes import Box, bounds
from helpers.formats.source import Source
from helpers.formats.values import Unreadable, class_name, number, positive_size, show

Tagged = tuple[Any, str | None]  # a region, and one of its tags


def read_json_export(source: Source) -> list[Record]:
    """One `Record` per asset of each project export, and of each *-asset.json."""
    records = []
    for path in source.files(".json"):
        content = read_shared_file(path, read_json)
        with source.guard(path):
            if isinstance(content, dict) and isinstance(content.get("assets"), dict):
                for key, item in content["assets"].items():
                    with source.guard(path, f"asset {show(key)}"):
                        records.append(_record(path, item, f"asset {show(key)}"))
            elif isinstance(content, dict) and isinstance(content.get("asset"), dict):
                records.append(_record(path, content, ""))
            else:
                raise Unreadable('is not VoTT: it must hold "assets", or "asset" and "regions"')
    return records


def _record(path: Path, item: Any, where: str) -> Record:
    asset = item.get("asset") if isinstance(item, dict) else None
    if not isinstance(asset, dict) or not isinstance(asset.get("name"), str) or not asset["name"].strip():
        raise Unreadable("names no image")
    regions = item.get("regions", [])
    if not regions and asset.get("state") == 0:
        raise Unreadable("was never looked at in VoTT")
    if isinstance(regions, list):
        objects, dropped = read_objects(_tagged(regions), _class, _box)
    else:
        objects, dropped = (), (Dropped("", '"regions" is not a list'),)
    sides = asset["size"] if isinstance(asset.get("size"), dict) else {}
    size = positive_size(sides.get("width"), sides.get("height"))
    split = asset["subset"] if isinstance(asset.get("subset"), str) else None
    names = (asset["path"], asset["name"]) if isinstance(asset.get("path"), str) else (asset["name"],)
    return Record(path, names, objects, dropped, size, split=split, where=where)


def _tagged(regions: list[Any]) -> Iterator[tuple[str, Tagged]]:
    """(place, (region, tag)) of each tag of each region."""
    for place, region in enumerate(regions):
        tags = region.get("tags") if isinstance(region, dict) else None
        for tag in (tags or [""]) if isinstance(tags, list) else [None]:
            yield f"region {place}", (region, tag)


def _class(item: Tagged) -> str:
    if item[1] is None:
        raise Unreadable('no list "tags"')
    return class_name(item[1])


def _box(item: Tagged) -> Box:
    region = item[0]
    box, points = region.get("boundingBox"), region.get("points")
    if isinstance(box, dict):
        left, top, width, height = (number(box.get(name), name) for name in ("left", "top", "width", "height"))
        return left, top, left + width, top + height
    if isinstance(points, list) and all(isinstance(point, dict) for point in points):
        return bounds([(number(point.get("x"), "x"), number(point.get("y"), "y")) for point in points])
    raise Unreadable("has no boundingBox")


def read_cntk_export(source: Source) -> list[Record]:
    """One `Record` per image below folders positive, testImages and negative; boxes without an image are noted."""
    records = []
    for path in source.files(".tsv", ".txt"):
        name, is_boxes, _ = path.name.partition(".bboxes.")
        images = [image for image in source.images.like(name) if image.path.parent == path.parent]
        if is_boxes and path.name.endswith(BOX_SUFFIXES) and not images:
            source.note(path, "left out: has no image")
    for image in source.images.images:
        subdir = next((part for part in reversed(image.parts[:-1]) if part in SUBDIRS), None)
        if subdir is None:
            source.note(image.path, f"left out: lies in no folder {', '.join(SUBDIRS)}")
            continue
        objects, dropped = _objects(image.path, subdir)
        records.append(Record(image.path, ("/".join(image.parts),), objects, dropped, split=subdir))
    return records


def _objects(image_path: Path, subdir: str) -> tuple[tuple[AnnotatedObject, ...], tuple[Dropped, ...]]:
    """(objects, dropped) of all annotation files of an image."""
    objects: tuple[AnnotatedObject, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    files = 0
    for base, order in ((image_path.stem, (0, 1, 2, 3)), (image_path.name, (0, 2, 1, 3))):
        for box_suffix, label_suffix in zip(BOX_SUFFIXES, LABEL_SUFFIXES, strict=True):
            box_path, label_path = (image_path.with_name(base + suffix) for suffix in (box_suffix, label_suffix))
            if not box_path.exists():
                continue
            files += 1
            try:
                boxes, labels = _lines(box_path), _lines(label_path)
            except UserError as error:
                dropped += (Dropped("", str(error)),)
                continue
            if len(boxes) != len(labels):
                dropped += (Dropped("", f"{len(labels)} labels in {label_path.name} for {len(boxes)} boxes"),)
                continue
            pairs = enumerate(zip(boxes, labels, strict=True), 1)
            rows = [(f"{box_path.name}, row {row}", (box, label, order)) for row, (box, label) in pairs]
            found = read_objects(rows, lambda item: class_name(item[1]), lambda item: _corners(item[0], item[2]))
            objects, dropped = objects + found[0], dropped + found[1]
    if subdir in ANNOTATED_SUBDIRS and not files:
        dropped += (Dropped("", f"has no {image_path.stem}{BOX_SUFFIXES[0]}"),)
    if subdir not in ANNOTATED_SUBDIRS and objects:
        dropped += (Dropped("", f"has {len(objects)} boxes, but lies in {subdir}"),)
    return objects, dropped


def _corners(text: str, order: tuple[int, int, int, int]) -> Box:
    values = [number(value, "corner") for value in text.split()]
    if len(values) != 4:
        raise Unreadable(f"{show(text)} is not four numbers")
    x1, y1, x2, y2 = (values[index] for index in order)
    return x1, y1, x2, y2


def _lines(path: Path) -> list[str]:
    if path.exists() and not path.stat().st_size:
        return []
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
