"""YOLO: one text file per image, a row `class x y width height` with the centre and sizes as fractions of the image.

Polygons (`class x y x y x y ...`) and turned boxes (four corners) become their bounding boxes. Class names come from
data.yaml, classes.txt or obj.names. An image without a text file, among others that have one, has no objects: that is
how the format says so. But where a file has boxes and no image, they might be those of an image without a file.
"""

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from helpers.base.errors import UserError
from helpers.formats.class_files import find_class_file, read_class_file
from helpers.formats.exported import ExportedImage, labels_of
from helpers.formats.reading import read_text
from helpers.formats.records import Dropped, Record, read_image_file, read_objects
from helpers.formats.shapes import Box, bounds, flat_points
from helpers.formats.source import Source, SourceImage
from helpers.formats.values import NUMBER, Unreadable, number, show


def read(source: Source) -> list[Record]:
    """One `Record` per text file with boxes or of an image, and one for each image that has none."""
    class_file = source.class_file or find_class_file(source)
    classes, key_points = read_class_file(class_file)
    records: list[Record] = []
    with_file: set[Path] = set()
    meant: dict[Path, Path] = {}  # image -> the label file that might be its
    strangers: list[Path] = []  # label files that are of no image
    for path in source.files(".txt"):
        if path == class_file:
            continue
        record = read_image_file(path, partial(_record, path, classes, key_points))
        try:
            with_file.add(source.images.find(record.names, path, strict=True).path)
        except Unreadable:
            if not record.objects and not record.dropped or not _has_boxes(path):
                continue  # a list of names, notes
            candidates = source.images.like(path.stem)
            meant.update({image.path: path for image in candidates})
            strangers += [] if candidates else [path]
        records.append(record)
    if source.path.is_dir():
        folders = {path.parent for path in with_file}
        for image in source.images.images:
            if image.path not in with_file and image.path.parent in folders:
                records.append(_without_file(source, image, meant.get(image.path, next(iter(strangers), None))))
    return records


def _record(path: Path, classes: dict[int, str], key_points: bool) -> Record:
    text = read_text(path) if path.is_file() and path.stat().st_size else ""
    rows = [(f"row {row}", line.split()) for row, line in enumerate(text.splitlines(), 1) if line.strip()]
    found = read_objects(rows, partial(_class, classes=classes), partial(_box, key_points=key_points))
    return Record(path, (path.stem,), *found, relative=True)


def _without_file(source: Source, image: SourceImage, stranger: Path | None) -> Record:
    """The `Record` of an image without a label file; stranger: a label file that might be its, or None."""
    name = "/".join(image.parts)
    if stranger is None:
        source.note(image.path, "has no label file: taken for an image without objects")
        return Record(image.path, (name,), (), (), relative=True)
    reason = f"has no label file, but {stranger.name} has boxes and no image: they might be its own"
    return Record(image.path, (name,), (), (Dropped("", reason),), relative=True)


def _has_boxes(path: Path) -> bool:
    """Whether any row of a file could be a box: a class, four numbers or more. Of an unreadable one nobody knows."""
    try:
        rows = [re.split(r"[\s,;]+", line.strip())[1:] for line in read_text(path).splitlines()]
    except UserError:
        return True
    return any(len(fields) >= 4 and all(map(NUMBER.fullmatch, fields)) for fields in rows)


def _class(fields: list[str], classes: dict[int, str]) -> str:
    if not re.fullmatch(r"[0-9]{1,6}(\.0+)?", fields[0]):
        raise Unreadable(f"class {show(fields[0])} is not a whole number from 0 on")
    class_id = int(float(fields[0]))
    if class_id not in classes:
        raise Unreadable(f"class {class_id} is not among the {len(classes)} class names")
    return classes[class_id]


def _box(fields: list[str], key_points: bool) -> Box:
    values = [number(field, "value") for field in fields[1:]]
    if len(values) in (4, 5) or (key_points and len(values) > 4):  # a score may follow the box
        x, y, w, h = values[:4]
        if min(w, h) < 0:
            raise Unreadable("negative width or height")
        box: Box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
    elif len(values) >= 6 and len(values) % 2 == 0:
        box = bounds(flat_points(values, "points"))
    else:
        raise Unreadable(f"{len(fields)} values; write class x y width height")
    if max(map(abs, box)) > 2:
        raise Unreadable(f"{show(' '.join(fields))} are not fractions of the image, from 0 to 1")
    return box


def write(images: Sequence[ExportedImage]) -> dict[str, str]:
    """{file name: text}: labels/, data.yaml and classes.txt."""
    labels = labels_of(images)
    numbers, files = {label: index for index, label in enumerate(labels)}, {}
    for image in images:
        width, height = image.size
        rows = []
        for (x1, y1, x2, y2), label, _ in image.objects:
            values = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height
            rows.append(" ".join(map(repr, (numbers[label], *values))) + "\n")
        files[f"labels/{image.base}.txt"] = "".join(rows)
    names = "".join(f"  {index}: {json.dumps(label, ensure_ascii=False)}\n" for index, label in enumerate(labels))
    files["classes.txt"] = "".join(f"{label}\n" for label in labels)
    files["data.yaml"] = (
        "# folders relative to this file\npath: .\ntrain: [images/positive, images/negative]\nval: images/testImages\n"
        f"names:\n{names}" + ("" if labels else "  {}\n")
    )
    return files
