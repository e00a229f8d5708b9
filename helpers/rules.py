"""What values a parameter may have: each rule turns text or a Python value into a checked value, or says what it wants.

A rule has `describe()`, the allowed values in words, and `check(value)`, which returns the value in its final type and
raises `ValueError` for anything else. Text from the command line goes through the same `check`.
"""

import ast
import math
import re
from dataclasses import dataclass


def _literal(value):
    """Text that reads as a Python literal (a number, a tuple, a dict) becomes it; anything else stays."""
    if isinstance(value, str):
        try:
            return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    return value


@dataclass(frozen=True)
class Number:
    """A finite number in [low, high], or in (low, high] with `above`; whole numbers only with `whole`."""

    low: float
    high: float = math.inf
    above: bool = False
    whole: bool = False

    def describe(self):
        kind = "a whole number" if self.whole else "a number"
        least = f"above {self.low:g}" if self.above else f"from {self.low:g}"
        return f"{kind} {least}" + ("" if math.isinf(self.high) else f" to {self.high:g}")

    def check(self, value):
        value = _literal(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError
        if self.whole and value != int(value):
            raise ValueError
        if value > self.high or value < self.low or (self.above and value == self.low):
            raise ValueError
        return int(value) if self.whole else float(value)


def whole(low, high=math.inf):
    """A whole number in [low, high]."""
    return Number(low, high, whole=True)


@dataclass(frozen=True)
class Choice:
    """One of a few texts."""

    options: tuple

    def describe(self):
        return "one of " + ", ".join(f'"{option}"' for option in self.options)

    def check(self, value):
        if value not in self.options:
            raise ValueError
        return value


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def describe(self):
        return "True or False"

    def check(self, value):
        value = {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else value
        if not isinstance(value, bool):
            raise ValueError
        return value


@dataclass(frozen=True)
class Text:
    """A text that matches a pattern from start to end."""

    pattern: str
    words: str

    def describe(self):
        return self.words

    def check(self, value):
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise ValueError
        return value


@dataclass(frozen=True)
class Several:
    """A tuple of values that each follow a rule, `length` of them if given, or `least` or more; as text, separated by
    commas."""

    rule: object
    length: int | None = None
    least: int = 0

    def describe(self):
        count = "values" if self.length is None else f"{self.length} values"
        count = f"{self.least} or more {count}" if self.least else count
        return f"{count} separated by commas, each {self.rule.describe()}"

    def check(self, value):
        if isinstance(value, str):
            parsed = _literal(value)
            if isinstance(parsed, (list, tuple)):
                value = parsed
            else:
                value = [part.strip() for part in value.split(",")] if value.strip() else []
        if not isinstance(value, (list, tuple)) or self.length not in (None, len(value)):
            raise ValueError
        if len(value) < self.least:
            raise ValueError
        return tuple(self.rule.check(item) for item in value)


@dataclass(frozen=True)
class Pair:
    """Two values, each with a rule of its own."""

    first: object
    second: object

    def describe(self):
        return f"a pair of {self.first.describe()} and {self.second.describe()}"

    def check(self, value):
        value = _literal(value)
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ValueError
        return self.first.check(value[0]), self.second.check(value[1])


@dataclass(frozen=True)
class Entries:
    """A dict with exactly these keys whose values each follow a rule."""

    keys: tuple
    rule: object

    def describe(self):
        example = ", ".join(f"'{key}': ..." for key in self.keys)
        return f"{{{example}}}, each {self.rule.describe()}"

    def check(self, value):
        value = _literal(value)
        if not isinstance(value, dict) or set(value) != set(self.keys):
            raise ValueError
        return {key: self.rule.check(value[key]) for key in self.keys}


@dataclass(frozen=True)
class Either:
    """A value that follows the first or else the second rule."""

    first: object
    second: object

    def describe(self):
        return f"{self.first.describe()}, or {self.second.describe()}"

    def check(self, value):
        try:
            return self.first.check(value)
        except ValueError:
            return self.second.check(value)
