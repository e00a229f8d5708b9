"""PASCAL VOC: one XML file per image.

Its corners are 1-based and inclusive: a box that covers the whole image is (1, 1, width, height). Inside it is
(0, 0, width, height), so xmin and ymin lose 1 when read, gain 1 when written, and xmax and ymax stay as they are
(devkit of PASCAL VOC 2007, section 4.4).
"""

import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from helpers.formats.exported import ExportedImage
from helpers.formats.reading import read_xml
from helpers.formats.records import Record, read_image_file, read_objects
from helpers.formats.shapes import Box, Point, bounds, rotated_bounds
from helpers.formats.source import Source
from helpers.formats.values import Unreadable, class_name, number, positive_size

LISTS = "ImageSets/Main"


def read(source: Source) -> list[Record]:
    """One `Record` per file."""
    records = []
    for path in source.files(".xml"):
        with source.guard(path):
            records.append(read_image_file(path, partial(read_record, path)))
    return records


def read_record(path: Path) -> Record:
    """The `Record` of one file.

    Raises:
        UserError: where it cannot be read.
        Unreadable: where it is not VOC's.
    """
    root = read_xml(path)
    for element in root.iter():
        element.tag = element.tag.lower()
    if root.tag != "annotation":
        raise Unreadable(f"its outermost element is <{root.tag[:40]}>, not VOC's <annotation>")
    name = (root.findtext("filename") or root.findtext("path") or "").strip()
    # the devkit goes by the file's own name; <filename> is often a relic of another machine, but knows the suffix
    names = tuple(text for text in (path.stem + os.path.splitext(name)[1], path.stem, name) if text)
    size = positive_size(root.findtext("size/width"), root.findtext("size/height"))
    elements = list(root.iter("object"))
    items = [(f"object {count}", item) for count, item in enumerate(elements, 1) if not _says(item, "deleted")]
    inside = {box for element in elements for box in element.iter("bndbox")}
    items += [("<bndbox>", box) for box in root.iter("bndbox") if box not in inside]
    return Record(path, names, *read_objects(items, _class, _box, _is_difficult), size)


def _class(element: Element) -> str:
    return class_name(element.findtext("name") or "")


def _is_difficult(element: Element) -> bool:
    return _says(element, "difficult")


def _says(element: Element, flag: str) -> bool:
    return (element.findtext(flag) or "").strip() in ("1", "true", "True")


def _box(element: Element) -> Box:
    if element.tag == "bndbox":
        raise Unreadable("belongs to no object")
    if len(element.findall("bndbox")) > 1:
        raise Unreadable("has several <bndbox>")
    box, polygon, rotated = element.find("bndbox"), element.find("polygon"), element.find("robndbox")
    if box is not None:
        x1, y1, x2, y2 = (number(box.findtext(name), name) for name in ("xmin", "ymin", "xmax", "ymax"))
        if min(abs(x2 - x1), abs(y2 - y1)) < 1 and not all(value.is_integer() for value in (x1, y1, x2, y2)):
            raise Unreadable(f"box ({x1:g}, {y1:g}, {x2:g}, {y2:g}) is smaller than a pixel")  # fractions, most likely
    elif rotated is not None:  # roLabelImg, angles in radians
        cx, cy, w, h, angle = (number(rotated.findtext(name), name) for name in ("cx", "cy", "w", "h", "angle"))
        x1, y1, x2, y2 = rotated_bounds((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), math.degrees(angle))
    elif polygon is not None:
        x1, y1, x2, y2 = bounds(_polygon(polygon))
        if x1 == x2 or y1 == y2:
            raise Unreadable("a polygon without area")
    else:
        raise Unreadable("has no <bndbox>")
    return min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2), max(y1, y2)


def _polygon(element: Element) -> list[Point]:
    values = {child.tag: number(child.text, child.tag) for child in element if child.tag[:1] in "xy"}
    if values:  # x1, y1, x2, y2, ... as some web tools write them
        return [
            (values[f"x{tag[1:]}"], value) for tag, value in values.items() if tag[0] == "y" and f"x{tag[1:]}" in values
        ]
    points = element.findall("pt") or element.findall("point")
    return [(number(point.findtext("x"), "x"), number(point.findtext("y"), "y")) for point in points]


def write(images: Sequence[ExportedImage]) -> dict[str, str]:
    """{file name: text}: Annotations/, and lists of the splits in ImageSets/Main/."""
    files = {}
    for image in images:
        root = Element("annotation")
        _add(root, folder="JPEGImages", filename=image.key)
        _add(SubElement(root, "size"), width=image.size[0], height=image.size[1], depth=3)
        _add(root, segmented=0)
        for (x1, y1, x2, y2), label, ignored in image.objects:
            element = SubElement(root, "object")
            _add(element, name=label, pose="Unspecified", truncated=0, difficult=int(ignored))
            corners = {"xmin": x1 + 1, "ymin": y1 + 1, "xmax": x2, "ymax": y2}
            _add(SubElement(element, "bndbox"), **{name: f"{value:.10g}" for name, value in corners.items()})
        indent(root, "\t")
        files[f"Annotations/{image.base}.xml"] = tostring(root, encoding="unicode") + "\n"
    for name, subdir in (("trainval", "positive"), ("test", "testImages"), ("negative", "negative")):
        rows = "".join(f"{image.base}\n" for image in images if image.subdir == subdir)
        files[f"{LISTS}/{name}.txt"] = rows
    return files


def image_place(key: str) -> str:
    """Where the copy of an image goes."""
    return f"JPEGImages/{key}"


def _add(parent: Element, **children: object) -> None:
    for name, value in children.items():
        SubElement(parent, name).text = str(value)
