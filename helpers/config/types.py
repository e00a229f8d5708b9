"""The types of parameters: which values one may have, checked by pydantic, and the words that say so.

PARAMETERS.py names one for each parameter: `svm_C: Positive = 0.01`. A value comes from Python or JSON, or as text
from a command line; both go through the same type. All numbers have bounds: beyond them no step could compute.
"""

import ast
import os
import unicodedata
import warnings
from collections.abc import Callable
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
    """A value in its final type.

    Raises:
        ValueError: for one that the type does not allow.
    """
    return _adapter(kind).validate_python(value)


@cache
def _adapter(kind: Any) -> TypeAdapter:
    return TypeAdapter(kind)


def checked(name: str, value: object, kind: Any) -> Any:
    """A value in its final type.

    Raises:
        UserError: naming it, for one that the type does not allow.
    """
    try:
        return check(kind, value)
    except ValueError:
        raise UserError(refusal(name, value, kind)) from None


def refusal(name: str, value: object, kind: Any) -> str:
    """The line for a value that the type does not allow."""
    return f"{name} = {shown(value)}: must be {allowed(kind).words}"


def option(name: str, kind: Any) -> Callable[[str], Any]:
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


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


# --- the types ---


class _Subscribed:
    """A function that is called by brackets, `Number[0, 1]`, as types are."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make, self.__doc__ = make, make.__doc__

    def __getitem__(self, arguments: Any) -> Any:
        return self.make(*arguments) if isinstance(arguments, tuple) else self.make(arguments)


@_Subscribed
def Number(low: float, high: float, modest: float | None = None) -> Any:
    """A finite number between the bounds, or one of them; modest: see `Allowed`."""
    words = f"a number from {low:.10g} to {high:.10g}"
    field = Field(ge=low, le=high, allow_inf_nan=False)
    return Annotated[float, BeforeValidator(_number), field, Allowed(words, modest)]


@_Subscribed
def Whole(low: int, high: int, modest: int | None = None) -> Any:
    """The same for whole numbers."""
    words = f"a whole number from {low:.10g} to {high:.10g}"
    return Annotated[int, BeforeValidator(_number), Field(ge=low, le=high), Allowed(words, modest)]


@_Subscribed
def Above(low: float, high: float) -> Any:
    """A finite number in (low, high]."""
    words = f"a number above {low:.10g} and up to {high:.10g}"
    return Annotated[float, BeforeValidator(_number), Field(gt=low, le=high, allow_inf_nan=False), Allowed(words)]


@_Subscribed
def Choice(*options: Any) -> Any:
    """One of a few texts, or of the keys of a table."""
    texts = tuple(options) if isinstance(options[0], str) else tuple(options[0])
    words = "one of " + ", ".join(f'"{text}"' for text in texts)
    return Annotated[Literal[texts], Allowed(words)]


@_Subscribed
def Text(pattern: str, words: str, longest: int = 200) -> Any:
    """Text on one line that matches a pattern from start to end; words: the pattern in words; longest: characters."""
    constraints = StringConstraints(strict=True, pattern=rf"\A(?:{pattern})\z", max_length=longest)
    return Annotated[str, constraints, AfterValidator(_on_one_line), Allowed(f"{words}, {longest} characters at most")]


@_Subscribed
def Several(kind: Any, least: int = 0, most: int = 1000) -> Any:
    """A tuple of so many values of one type; as text, separated by commas."""
    count = f"{least} or more values" if least else "values"
    words = f"{count} separated by commas, each {allowed(kind).words}"
    field = Field(min_length=least, max_length=most)
    values = tuple[kind, ...]
    return Annotated[values, BeforeValidator(_items), field, Allowed(words)]


@_Subscribed
def Row(*kinds: Any) -> Any:
    """A tuple of values, each of a type of its own; as text, separated by commas."""
    words = f"{len(kinds)} values: {', '.join(allowed(kind).words for kind in kinds)}"
    values: Any = tuple.__class_getitem__(kinds)
    return Annotated[values, BeforeValidator(_row), Allowed(words)]


@_Subscribed
def Entries(keys: tuple[str, ...], kind: Any) -> Any:
    """A dict with exactly these keys and values of one type."""

    def complete(value: dict[str, Any]) -> dict[str, Any]:
        if set(value) != set(keys):
            raise ValueError("other keys")
        return {key: value[key] for key in keys}

    words = f"{{{', '.join(f'{key!r}: ...' for key in keys)}}}, each {allowed(kind).words}"
    values = dict[str, kind]
    steps = BeforeValidator(_literal), AfterValidator(complete)
    return Annotated[values, *steps, Allowed(words)]


@_Subscribed
def Either(*kinds: Any) -> Any:
    """A value of the first type that takes it."""
    words = ", or ".join(allowed(kind).words for kind in kinds)
    modest = next((allowed(kind).modest for kind in kinds if allowed(kind).modest), None)
    union = reduce(or_, kinds)
    return Annotated[union, Field(union_mode="left_to_right"), Allowed(words, modest)]


def _folder() -> Any:
    path = Text[r".+", "the path of a folder", 4096]
    return Annotated[path, AfterValidator(_absolute)]


Flag = Annotated[bool, BeforeValidator(_flag), Allowed("True or False")]
Fraction = Number[0, 1]
Overlap = Above[0, 1]  # an IoU
Positive = Number[1e-6, 1e6]  # a weight; what lies beyond is no longer computed with exactly
Score = Number[-1e9, 1e9]
Name = Text[r"[\w-]+", "letters, digits, - and _"]
Folder = _folder()  # becomes absolute


def parts(kind: Any) -> list:
    """A type and all that it is made of."""
    inner = [item for argument in get_args(kind) for item in (argument, *get_args(argument))]
    return [kind, *(part for item in inner if hasattr(item, "__metadata__") for part in parts(item))]
