"""YOLO: one text file an image, a row `class x y width height` with the centre and sizes as fractions of the image.

Polygons (`class x y x y x y ...`) and turned boxes (four corners) become their bounding boxes. Class names come from
data.yaml, classes.txt or obj.names. An image without a text file, among others that have one, has no objects: that is
how the format says so.
"""

import json
import re

import yaml

from helpers.annotation_formats.common import (
    Record,
    Thing,
    Unreadable,
    bounds,
    class_name,
    number,
    one_line,
    point_pairs,
    read_text,
    show,
)
from helpers.errors import UserError

CLASS_FILES = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml", "classes.txt", "obj.names", "classes.names")
OTHER_FILES = re.compile(r"(classes|train|val|valid|test|negative|trainval|requirements|readme|license|notes?).*")


def read(source):
    """One `Record` a text file, and one for each image that has none."""
    class_file, classes, key_points = _classes(source)
    records, with_file, lost = [], set(), set()
    for path in source.files(".txt"):
        if path == class_file:
            continue
        try:
            with_file.add(source.images.find((path.stem,), path).path)
        except Unreadable as error:
            lost.add(path.stem.casefold())
            if not OTHER_FILES.fullmatch(path.stem.lower()):
                source.note(path, f"left out: {error}")
            continue
        with source.guard(path):
            try:
                text = read_text(path) if path.stat().st_size else ""
                things = tuple(
                    _thing(row, line.split(), classes, key_points)
                    for row, line in enumerate(text.splitlines(), 1)
                    if line.strip()
                )
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror})") from error
            records.append(Record(path, (path.stem,), things, relative=True))
    if source.path.is_dir():
        folders = {path.parent for path in with_file}
        for image in source.images.images:
            if image.path in with_file or image.path.stem.casefold() in lost or image.path.parent not in folders:
                continue  # of these it is not said that they have no objects
            source.note(image.path, "has no label file: taken for an image without objects")
            records.append(Record(image.path, ("/".join(image.parts),), (), relative=True))
    return records


def _thing(row, fields, classes, key_points):
    where = f"row {row}"
    try:
        if not re.fullmatch(r"[0-9]{1,6}(\.0+)?", fields[0]):
            raise Unreadable(f"class {show(fields[0])} is not a whole number from 0 on")
        class_id = int(float(fields[0]))
        if class_id not in classes:
            raise Unreadable(f"class {class_id} is not among the {len(classes)} class names")
        values = [number(field, "value") for field in fields[1:]]
        if len(values) in (4, 5) or (key_points and len(values) > 4):  # a score may follow the box
            x, y, w, h = values[:4]
            box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        elif len(values) >= 6 and len(values) % 2 == 0:
            box = bounds(point_pairs(values, "points"))
        else:
            raise Unreadable(f"{len(fields)} values; write class x y width height")
        if max(map(abs, box)) > 2:
            raise Unreadable(f"{show(' '.join(fields))} are not fractions of the image, from 0 to 1")
        return Thing(classes[class_id], box, where=where)
    except Unreadable as error:
        raise Unreadable(f"{where}: {error}") from None


def _classes(source):
    """(file of class names, {class id: name}, whether key points follow the boxes)."""
    path = source.class_file or _find_class_file(source)
    text = read_text(path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        names = [line.strip() for line in text.splitlines()]
        while names and not names[-1]:
            names.pop()
        return path, {index: class_name(name) for index, name in enumerate(names)}, False
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable YAML ({one_line(error)})") from error
    names = content.get("names") if isinstance(content, dict) else None
    pairs = names.items() if isinstance(names, dict) else enumerate(names) if isinstance(names, list) else ()
    try:
        classes = {int(number(index, "class")): class_name(name) for index, name in pairs}
    except Unreadable as error:
        raise UserError(f"{path}: {error}") from error
    if not classes:
        raise UserError(f'{path}: no list "names" of classes')
    return path, classes, bool(content.get("kpt_shape"))


def _find_class_file(source):
    start = source.path if source.path.is_dir() else source.path.parent
    for folder in (start, start.parent):
        for name in CLASS_FILES:
            if (folder / name).is_file():
                return folder / name
    below = [path for path in source.files(".txt", ".yaml", ".yml", ".names") if path.name in CLASS_FILES]
    if source.path.is_dir() and below:
        return below[0]
    raise UserError(f"{source.path}: no file of class names ({', '.join(CLASS_FILES)}); name it with --classFile")


def write(images):
    """{file name: text}: labels/, data.yaml and classes.txt."""
    labels = sorted({label for image in images for _, label, _ in image.things})
    numbers, files = {label: index for index, label in enumerate(labels)}, {}
    for image in images:
        width, height = image.size
        rows = []
        for (x1, y1, x2, y2), label, _ in image.things:
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
