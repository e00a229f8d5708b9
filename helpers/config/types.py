"""The types of parameters: which values one may have, checked by pydantic, and the words that say so.

PARAMETERS.py names one for each parameter: `svm_C: Positive = 0.003`. A value comes from Python or JSON, or as text
from a command line; both go through the same type. All numbers have bounds: beyond them no step could compute.
"""

import ast
import unicodedata
import warnings
from dataclasses import dataclass
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter

from helpers.base.errors import UserError
from helpers.base.words import shown

LONGEST_LITERAL = 100_000  # characters


@dataclass(frozen=True)
class Allowed:
    """What a type says of itself. words: the allowed values; modest: the greatest that a foreign file may ask for."""

    words: str
    modest: float | None = None


def allowed(kind: Any) -> Allowed:
    """What a type says of itself."""
    return next(item for item in kind.__metadata__ if isinstance(item, Allowed))


def check(kind: Any, value: object) -> Any:
    """A value in its final type; raises `ValueError` for one that the type does not allow."""
    return _adapter(kind).validate_python(value)


@cache
def _adapter(kind: Any) -> TypeAdapter:
    return TypeAdapter(kind)


def checked(name: str, value: object, kind: Any) -> Any:
    """A value in its final type; raises `UserError`, naming it, for one that the type does not allow."""
    try:
        return check(kind, value)
    except ValueError:
        raise UserError(refusal(name, value, kind)) from None


def refusal(name: str, value: object, kind: Any) -> str:
    """The line for a value that the type does not allow."""
    return f"{name} = {shown(value)}: must be {allowed(kind).words}"


def option(name: str, kind: Any):
    """What argparse takes as the `type` of an argument: the same rules hold as for parameters."""
    return lambda text: checked(name, text, kind)


# --- text of the command line ---


def _literal(value: object) -> object:
    """Text that reads as a Python literal (a number, a tuple, a dict) becomes it; anything else stays."""
    if isinstance(value, str) and len(value) <= LONGEST_LITERAL:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's advice about odd literals
                return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # TypeError: {[]: 1}
            return value
    return value


def _number(value: object) -> object:
    value = _literal(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")
    return value


def _flag(value: object) -> object:
    value = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(value, bool):
        raise ValueError("neither True nor False")
    return value


def _items(value: object) -> object:
    """Several values as a tuple: a sequence, its literal, or text with commas."""
    if isinstance(value, str):
        parsed = _literal(value)
        separated = [part.strip() for part in value.split(",")] if value.strip() else []
        value = parsed if isinstance(parsed, (list, tuple)) else separated
    if not isinstance(value, (list, tuple)):
        raise ValueError("no sequence")
    return tuple(value)


def _row(value: object) -> object:
    value = _literal(value)
    if not isinstance(value, (list, tuple)):
        raise ValueError("no sequence")
    return tuple(value)


def _on_one_line(value: str) -> str:
    if any(unicodedata.category(letter) == "Cc" for letter in value):
        raise ValueError("a control character")
    return value


# --- the types ---


def _bounded(kind: type, bounds: tuple, words: str) -> Any:
    low, high, *modest = bounds
    words += f" from {low:.10g} to {high:.10g}"
    field = Field(ge=low, le=high, allow_inf_nan=False) if kind is float else Field(ge=low, le=high)
    return Annotated[kind, BeforeValidator(_number), field, Allowed(words, *modest)]


class Number:
    """`Number[low, high]`: a finite number between them, or one of them. A third bound: `Allowed.modest`."""

    def __class_getitem__(cls, bounds: tuple) -> Any:
        return _bounded(float, bounds, "a number")


class Whole:
    """`Whole[low, high]`: the same for whole numbers."""

    def __class_getitem__(cls, bounds: tuple) -> Any:
        return _bounded(int, bounds, "a whole number")


class Above:
    """`Above[low, high]`: a finite number in (low, high]."""

    def __class_getitem__(cls, bounds: tuple) -> Any:
        low, high = bounds
        words = f"a number above {low:.10g} and up to {high:.10g}"
        return Annotated[float, BeforeValidator(_number), Field(gt=low, le=high, allow_inf_nan=False), Allowed(words)]


class Choice:
    """`Choice["a", "b"]`: one of a few texts; `Choice[table]`: one of the keys of a table."""

    def __class_getitem__(cls, options: Any) -> Any:
        options = (options,) if isinstance(options, str) else tuple(options)
        words = "one of " + ", ".join(f'"{text}"' for text in options)
        return Annotated[Literal[options], Allowed(words)]


class Text:
    """`Text[pattern, words]`: text on one line that matches a pattern from start to end, of 200 characters at most, or
    of as many as a third argument says."""

    def __class_getitem__(cls, arguments: tuple) -> Any:
        pattern, words, longest = (*arguments, 200)[:3]
        constraints = StringConstraints(strict=True, pattern=rf"\A(?:{pattern})\z", max_length=longest)
        allowed_words = Allowed(f"{words}, {longest} characters at most")
        return Annotated[str, constraints, AfterValidator(_on_one_line), allowed_words]


class Several:
    """`Several[type]`: a tuple of values of one type, 1000 at most; `Several[type, least, most]`: of so many.

    As text, they are separated by commas."""

    def __class_getitem__(cls, arguments: Any) -> Any:
        given = arguments if isinstance(arguments, tuple) else (arguments,)
        kind, least, most = (*given, *(None, 0, 1000)[len(given) :])
        words = f"{f'{least} or more values' if least else 'values'} separated by commas, each {allowed(kind).words}"
        field = Field(min_length=least, max_length=most)
        return Annotated[tuple[kind, ...], BeforeValidator(_items), field, Allowed(words)]


class Row:
    """`Row[type, type]`: a tuple of values, each of a type of its own; as text, separated by commas."""

    def __class_getitem__(cls, kinds: tuple) -> Any:
        words = f"{len(kinds)} values: {', '.join(allowed(kind).words for kind in kinds)}"
        return Annotated[tuple[kinds], BeforeValidator(_row), Allowed(words)]


class Entries:
    """`Entries[("a", "b"), type]`: a dict with exactly these keys and values of one type."""

    def __class_getitem__(cls, arguments: tuple) -> Any:
        keys, kind = arguments

        def complete(value: dict) -> dict:
            if set(value) != set(keys):
                raise ValueError("other keys")
            return {key: value[key] for key in keys}

        words = f"{{{', '.join(f'{key!r}: ...' for key in keys)}}}, each {allowed(kind).words}"
        return Annotated[dict[str, kind], BeforeValidator(_literal), AfterValidator(complete), Allowed(words)]


class Either:
    """`Either[type, type]`: a value of the first or else of the second type."""

    def __class_getitem__(cls, kinds: tuple) -> Any:
        words = ", or ".join(allowed(kind).words for kind in kinds)
        modest = next((allowed(kind).modest for kind in kinds if allowed(kind).modest), None)
        return Annotated[reduce(or_, kinds), Field(union_mode="left_to_right"), Allowed(words, modest)]


Flag = Annotated[bool, BeforeValidator(_flag), Allowed("True or False")]
Fraction = Number[0, 1]
Overlap = Above[0, 1]  # an IoU
Positive = Number[1e-6, 1e6]  # a weight; what lies beyond is no longer computed with exactly
Score = Number[-1e9, 1e9]
Name = Text[r"[\w-]+", "letters, digits, - and _"]
Folder = Text[r".+", "the path of a folder", 4096]


def parts(kind: Any) -> list:
    """A type and all that it is made of."""
    inner = [item for argument in get_args(kind) for item in (argument, *get_args(argument))]
    return [kind, *(part for item in inner if hasattr(item, "__metadata__") for part in parts(item))]
