"""What all annotation formats share: values out of files nobody vouches for, and reading such files.

A value that makes no sense raises `Unreadable`, a file that cannot be read `UserError`.
"""

import codecs
import json
import math
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections import Counter

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from helpers.base.errors import UserError

MAX_BYTES = 2**29  # of one annotation file; COCO train2017 has 448 MB
MAX_NUMBER = 1e9  # of pixels; no image comes near
MAX_DIGITS = 30  # of an id
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Unreadable(Exception):
    """Why an image, a box or a file is left out, in words that name the value and the rule."""


# --- values ----------------------------------------------------------------------------------------------------------


def show(value):
    """A value of a file for a message: short, in one line, of harmless letters."""
    text = value if isinstance(value, str) else repr(value)
    return f'"{ascii(text[:60])[1:-1]}"'


def number(value, name):
    """A number out of JSON, or out of a text such as "-1.5e2"; `Unreadable` where it is none, infinite or gigantic."""
    if isinstance(value, str):
        value = value.strip()
        result = float(value) if NUMBER.fullmatch(value) else math.nan
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            result = float(value)
        except OverflowError:
            result = math.inf
    else:
        result = math.nan
    if not abs(result) <= MAX_NUMBER:
        raise Unreadable(f"{name} = {show(value)} is not a number of at most {MAX_NUMBER:g}")
    return result


def id_of(value, name):
    """An id that compares by value: 1, 1.0, "1" and "1.0" are one, other texts are themselves."""
    if isinstance(value, str):
        value = value.strip()
        if len(value) > MAX_DIGITS or not NUMBER.fullmatch(value):
            return value
        value = float(value) if re.search("[.eE]", value) else int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise Unreadable(f"{name} {show(value)} is neither a number nor a text")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def class_name(value):
    """A class name as text without line breaks, tabs and spaces around it; whole numbers become text.

    Raises `Unreadable` for other numbers: 1.10 would be 1.1.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Unreadable(f"class {show(value)} is not a text")
    if any(unicodedata.category(letter) in ("Cc", "Cs") and not letter.isspace() for letter in value):
        raise Unreadable(f"class {show(value)} has letters that are no text")
    return " ".join(value.split())


def positive_size(width, height):
    """(width, height), or None where a file does not say: tools write 0, or nothing."""
    try:
        size = number(width, "width"), number(height, "height")
    except Unreadable:
        return None
    return size if min(size) >= 1 else None


def bounds(points):
    """The bounding box (x1, y1, x2, y2) of points (x, y)."""
    if not points:
        raise Unreadable("a shape without points")
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def point_pairs(values, name):
    """Points (x, y) out of a flat list x, y, x, y, ..."""
    values = [number(value, name) for value in values]
    if not values or len(values) % 2:
        raise Unreadable(f"{name}: {len(values)} values are no list of points x, y")
    return list(zip(values[::2], values[1::2], strict=True))


def rotated_bounds(box, degrees, around=None):
    """The bounding box of a box turned clockwise, as seen on the screen, around a point; without one, its centre."""
    x1, y1, x2, y2 = box
    if not degrees % 360:
        return box
    x0, y0 = around or ((x1 + x2) / 2, (y1 + y2) / 2)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]
    return bounds([(x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos) for x, y in corners])


def ellipse_bounds(center, radii, degrees=0.0):
    """The bounding box of an ellipse with radii (rx, ry), turned by some degrees."""
    (x, y), (rx, ry) = center, radii
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_width, half_height = math.hypot(rx * cos, ry * sin), math.hypot(rx * sin, ry * cos)
    return x - half_width, y - half_height, x + half_width, y + half_height


# --- files -----------------------------------------------------------------------------------------------------------


def _read_bytes(path):
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: larger than {MAX_BYTES // 2**20} MB; split it")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if not content.strip():
        raise UserError(f"{path}: empty file")
    return content


def read_text(path):
    """The text of a file: UTF-8, or UTF-16 with a byte order mark, as spreadsheets write it."""
    content = _read_bytes(path)
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error


def read_json(path):
    """The value in a JSON file."""
    try:
        return json.loads(read_text(path), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:  # too many digits and too many brackets among them
        raise UserError(f"{path}: not readable JSON ({one_line(error)})") from error


def _object(pairs):
    """A JSON object; of two values of one name the first would be lost."""
    value = dict(pairs)
    if len(value) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'"{name}" comes twice in an object')
    return value


def read_xml(path):
    """The root element of an XML file. Entities of its own, which may blow up or read other files, are refused."""
    content = _read_bytes(path)
    try:
        return defusedxml.ElementTree.fromstring(content)
    except DefusedXmlException as error:
        raise UserError(f"{path}: declares entities of its own, which are not read; write them out") from error
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise UserError(f"{path}: not readable XML ({one_line(error)})") from error


def one_line(error):
    """An error's text, which may quote a file, in one line of harmless letters."""
    return ascii(str(error)[:200])[1:-1]
