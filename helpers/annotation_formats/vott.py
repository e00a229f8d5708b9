"""VoTT: JSON of version 2, and the CNTK export of version 1, which is this project's own layout.

Version 1 writes positive/, testImages/ and negative/ with NAME.bboxes.tsv and NAME.bboxes.labels.tsv. The CNTK export
of version 2 names them NAME.jpg.bboxes.tsv and writes x1, x2, y1, y2 instead of x1, y1, x2, y2 (VoTT, cntk.ts).
"""

from urllib.parse import unquote

from helpers.annotation_formats.common import (
    Record,
    Thing,
    Unreadable,
    bounds,
    class_name,
    number,
    positive_size,
    read_json,
    read_text,
    show,
)
from helpers.annotations import BOX_SUFFIXES, LABEL_SUFFIXES
from helpers.dataset import ANNOTATED_SUBDIRS, SUBDIRS


def read_json_export(source):
    """One `Record` an asset of each project export, or of each *-asset.json where there is no project export."""
    records, assets_alone = [], []
    for path in source.files(".json"):
        with source.guard(path):
            content = read_json(path)
            if isinstance(content, dict) and isinstance(content.get("assets"), dict):
                for key, item in content["assets"].items():
                    with source.guard(path, f"asset {show(key)}"):
                        records.append(_record(path, item, f"asset {show(key)}"))
            elif isinstance(content, dict) and isinstance(content.get("asset"), dict):
                assets_alone.append((path, content))
            else:
                raise Unreadable('is not VoTT: it must hold "assets", or "asset" and "regions"')
    if not records:
        for path, content in assets_alone:
            with source.guard(path):
                records.append(_record(path, content, ""))
    return records


def _record(path, item, where):
    asset = item.get("asset") if isinstance(item, dict) else None
    if not isinstance(asset, dict) or not isinstance(asset.get("name"), str) or not asset["name"].strip():
        raise Unreadable("names no image")
    regions = item.get("regions", [])
    if not isinstance(regions, list):
        raise Unreadable('"regions" is not a list')
    if not regions and asset.get("state") == 0:
        raise Unreadable("was never looked at in VoTT")
    things = []
    for place, region in enumerate(regions):
        try:
            if not isinstance(region, dict) or not isinstance(region.get("tags"), list):
                raise Unreadable('no list "tags"')
            box, spot = _box(region), f"{where}, region {place}".removeprefix(", ")
            things += [Thing(class_name(tag), box, where=spot) for tag in region["tags"] or [""]]
        except Unreadable as error:
            raise Unreadable(f"region {place}: {error}") from None
    size = asset.get("size") if isinstance(asset.get("size"), dict) else {}
    names = tuple(dict.fromkeys((asset["name"], unquote(asset["name"]))))
    return Record(path, names, tuple(things), positive_size(size.get("width"), size.get("height")), where=where)


def _box(region):
    box, points = region.get("boundingBox"), region.get("points")
    if isinstance(box, dict):
        left, top, width, height = (number(box.get(name), name) for name in ("left", "top", "width", "height"))
        return left, top, left + width, top + height
    if isinstance(points, list) and all(isinstance(point, dict) for point in points):
        return bounds([(number(point.get("x"), "x"), number(point.get("y"), "y")) for point in points])
    raise Unreadable("has no boundingBox")


def read_cntk_export(source):
    """One `Record` an image below folders positive, testImages and negative."""
    records = []
    for image in source.images.images:
        subdir = next((part for part in reversed(image.parts[:-1]) if part in SUBDIRS), None)
        if subdir is None:
            source.note(image.path, f"left out: lies in no folder {', '.join(SUBDIRS)}")
            continue
        with source.guard(image.path):
            things = _things(image.path) if subdir in ANNOTATED_SUBDIRS else ()
            records.append(Record(image.path, ("/".join(image.parts),), things, subdir=subdir))
    return records


def _things(image_path):
    for base, order in ((image_path.stem, (0, 1, 2, 3)), (image_path.name, (0, 2, 1, 3))):
        for box_suffix, label_suffix in zip(BOX_SUFFIXES, LABEL_SUFFIXES, strict=True):
            box_path, label_path = (image_path.with_name(base + suffix) for suffix in (box_suffix, label_suffix))
            if not box_path.exists():
                continue
            boxes, labels = _lines(box_path), _lines(label_path)
            if len(boxes) != len(labels):
                raise Unreadable(f"{len(labels)} labels in {label_path.name} for {len(boxes)} boxes")
            return tuple(_thing(row, *pair, order) for row, pair in enumerate(zip(boxes, labels, strict=True), 1))
    raise Unreadable(f"has no {image_path.stem}{BOX_SUFFIXES[0]}")


def _thing(row, box, label, order):
    values = [number(value, "corner") for value in box.split()]
    if len(values) != 4:
        raise Unreadable(f"box row {row}: {show(box)} is not four numbers")
    return Thing(class_name(label), tuple(values[index] for index in order), where=f"box row {row}")


def _lines(path):
    if path.exists() and not path.stat().st_size:
        return []
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
