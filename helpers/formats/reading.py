"""Reading annotation files as text, JSON or XML; one that cannot be read, or is gigantic, raises `UserError`."""

import codecs
import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from helpers.base.errors import UserError

MAX_BYTES = 2**29  # of one annotation file; COCO train2017 has 448 MB
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _read_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: larger than {MAX_BYTES // 2**20} MB; split it")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if not content.strip():
        raise UserError(f"{path}: empty file")
    return content


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, or UTF-16 with a byte order mark, as spreadsheets write it."""
    content = _read_bytes(path)
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error


def read_json(path: Path) -> object:
    """The value in a JSON file."""
    try:
        return json.loads(read_text(path), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:  # too many digits and too many brackets among them
        raise UserError(f"{path}: not readable JSON ({one_line(error)})") from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; of two values of one name the first would be lost."""
    value = dict(pairs)
    if len(value) < len(pairs):
        name = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'"{name}" comes twice in an object')
    return value


def read_xml(path: Path) -> ElementTree.Element:
    """The root element of an XML file. Entities of its own, which may blow up or read other files, are refused."""
    content = _read_bytes(path)
    try:
        return defusedxml.ElementTree.fromstring(content)
    except DefusedXmlException as error:
        raise UserError(f"{path}: declares entities of its own, which are not read; write them out") from error
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise UserError(f"{path}: not readable XML ({one_line(error)})") from error


def one_line(error: Exception) -> str:
    """An error's text, which may quote a file, in one line of harmless letters."""
    return ascii(str(error)[:200])[1:-1]
