"""CVAT for images 1.1: one XML file for many images, shapes in pixels.

Boxes, ellipses, polygons, masks, cuboids and skeletons become bounding boxes; points, lines and tags have none, and
an image with one of them is left out.
A turned box is turned around its centre, clockwise.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from helpers.base.errors import UserError
from helpers.formats.exported import ExportedImage, labels_of
from helpers.formats.reading import read_xml
from helpers.formats.records import Record, read_objects, read_shared_file
from helpers.formats.shapes import Box, Point, bounds, ellipse_bounds, rotated_bounds
from helpers.formats.source import Source
from helpers.formats.values import Unreadable, class_name, number, positive_size, show

WITHOUT_AREA = ("points", "polyline", "tag")


def read(source: Source) -> list[Record]:
    """One `Record` per image of each file."""
    records = []
    for path in source.files(".xml"):
        root = read_shared_file(path, read_xml)
        with source.guard(path):
            if root.tag != "annotations":
                raise Unreadable(f"its outermost element is <{root.tag[:40]}>, not CVAT's <annotations>")
            if root.find("track") is not None:
                raise UserError(f'{path}: has tracks of a video; export it as "CVAT for images"')
            for image in root.iter("image"):
                where = f"image {show(image.get('name', ''))}"
                with source.guard(path, where):
                    records.append(_record(source, path, image, where))
    return records


def _record(source: Source, path: Path, image: Element, where: str) -> Record:
    name = image.get("name")
    if not name:
        raise Unreadable("has no name")
    items = [(f"shape {count}", shape) for count, shape in enumerate(image, 1)]
    objects, dropped = read_objects(items, _class, _box)
    size = positive_size(image.get("width", ""), image.get("height", ""))
    subset = image.get("subset")
    names, doubt = source.images.names_in(subset, name)
    return Record(path, names, objects, dropped + doubt, size, split=subset, where=where)


def _class(shape: Element) -> str:
    return class_name(shape.get("label", ""))


def _box(shape: Element) -> Box:
    if shape.tag in WITHOUT_AREA:
        raise Unreadable(f"<{shape.tag}> has no area")

    def value(name: str) -> float:
        return number(shape.get(name), name)

    angle = number(shape.get("rotation", "0"), "rotation")
    if shape.tag == "box":
        return rotated_bounds((value("xtl"), value("ytl"), value("xbr"), value("ybr")), angle)
    if shape.tag == "ellipse":
        return ellipse_bounds((value("cx"), value("cy")), (value("rx"), value("ry")), angle)
    if shape.tag == "polygon":
        return bounds(_points(shape.get("points", "")))
    if shape.tag == "mask":
        return value("left"), value("top"), value("left") + value("width"), value("top") + value("height")
    if shape.tag == "cuboid":
        corners = [name for name in shape.attrib if name[:1] == "x" and name[1:3] in ("tl", "bl", "tr", "br")]
        return bounds([(value(name), value(f"y{name[1:]}")) for name in corners])
    if shape.tag == "skeleton":
        points = [_points(point.get("points", "")) for point in shape.findall("points") if point.get("outside") != "1"]
        return bounds([point for pair in points for point in pair])
    raise Unreadable(f"<{shape.tag[:40]}> is not known")


def _points(text: str) -> list[Point]:
    pairs = [pair.split(",") for pair in text.split(";") if pair.strip()]
    if not all(len(pair) == 2 for pair in pairs):
        raise Unreadable(f"points {show(text)} are not x,y;x,y;...")
    return [(number(x, "x"), number(y, "y")) for x, y in pairs]


def write(images: Sequence[ExportedImage]) -> dict[str, str]:
    """{file name: text}: annotations.xml."""
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    for name in labels_of(images):
        SubElement(SubElement(labels, "label"), "name").text = name
    for image_id, image in enumerate(images):
        width, height = image.size
        element = SubElement(root, "image", id=str(image_id), name=image.key, width=str(width), height=str(height))
        for box, label, _ in image.objects:
            shape = SubElement(element, "box", label=label, source="manual", occluded="0", z_order="0")
            for name, value in zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True):
                shape.set(name, f"{value:.10g}")
    indent(root)
    return {"annotations.xml": '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"}
