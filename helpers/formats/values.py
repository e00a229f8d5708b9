"""Values out of files nobody vouches for: numbers, ids, class names; one that makes no sense raises `Unreadable`."""

import math
import re
import unicodedata

import numpy as np

MAX_NUMBER = 1e9  # of pixels; no image comes near
MAX_DIGITS = 30  # of an id
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

Size = tuple[float, float]  # (width, height) in pixels


class Unreadable(Exception):
    """Why an image, a box or a file is left out, in words that name the value and the rule."""


def show(value: object) -> str:
    """A value of a file for a message: short, in one line, of harmless letters."""
    text = value if isinstance(value, str) else repr(value)
    return f'"{ascii(text[:60])[1:-1]}"'


def number(value: object, name: str) -> float:
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


def id_of(value: object, name: str) -> int | float | str:
    """An id that compares by value: 1, 1.0, "1" and "1.0" are one, other texts are themselves."""
    if isinstance(value, str):
        value = value.strip()
        if len(value) > MAX_DIGITS or not NUMBER.fullmatch(value):
            return value
        value = float(value) if re.search("[.eE]", value) else int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise Unreadable(f"{name} {show(value)} is neither a number nor a text")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def class_name(value: object) -> str:
    """A class name as text without line breaks, tabs and spaces around it; whole numbers become text.

    Raises:
        Unreadable: for other numbers: 1.10 would be 1.1.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Unreadable(f"class {show(value)} is not a text")
    if any(unicodedata.category(letter) in ("Cc", "Cs") and not letter.isspace() for letter in value):
        raise Unreadable(f"class {show(value)} has letters that are no text")
    return " ".join(value.split())


def positive_size(width: object, height: object) -> Size | None:
    """(width, height), or None where a file does not say: tools write 0, or nothing."""
    try:
        size = number(width, "width"), number(height, "height")
    except Unreadable:
        return None
    return size if min(size) >= 1 else None


def shortest(value: float) -> float:
    """The float64 with the fewest digits that is the same float32: 0.1 for 0.10000000149."""
    return float(str(np.float32(value)))
