"""What values a parameter may have: each rule turns text or a Python value into a checked value, or says what it wants.

A rule has `describe()`, the allowed values in words, and `check(value)`, which returns the value in its final type and
raises `ValueError` for anything else. Text from the command line goes through the same `check`.
"""

import ast
import difflib
import re
import unicodedata
import warnings
from dataclasses import dataclass

from helpers.base.errors import UserError

LONGEST_LITERAL = 100_000  # characters


def _literal(value):
    """Text that reads as a Python literal (a number, a tuple, a dict) becomes it; anything else stays."""
    if isinstance(value, str) and len(value) <= LONGEST_LITERAL:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's advice about odd literals
                return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # TypeError: {[]: 1}
            return value
    return value


@dataclass(frozen=True)
class Number:
    """A finite number in [low, high], or in (low, high] with `above`; whole numbers only with `whole`.

    Every number has an upper bound: beyond it no step could compute with it.
    """

    low: float
    high: float
    above: bool = False
    whole: bool = False

    def describe(self):
        kind = "a whole number" if self.whole else "a number"
        low, high = f"{self.low:.10g}", f"{self.high:.10g}"
        return f"{kind} above {low} and up to {high}" if self.above else f"{kind} from {low} to {high}"

    def check(self, value):
        value = _literal(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError
        if not self.low <= value <= self.high or (self.above and value == self.low):  # nan is in no interval
            raise ValueError
        if self.whole and value != int(value):
            raise ValueError
        return int(value) if self.whole else float(value)


def whole(low, high):
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
    """A text that matches a pattern from start to end, of characters that UTF-8 files can hold on one line."""

    pattern: str
    words: str
    longest: int = 200

    def describe(self):
        return f"{self.words}, {self.longest} characters at most"

    def check(self, value):
        if not isinstance(value, str) or len(value) > self.longest or not re.fullmatch(self.pattern, value):
            raise ValueError
        value.encode("utf-8")  # raises a ValueError for bytes of the command line that are no UTF-8
        if any(unicodedata.category(letter) == "Cc" for letter in value):
            raise ValueError
        return value


@dataclass(frozen=True)
class Several:
    """A tuple of `least` to `most` values that each follow a rule; as text, separated by commas."""

    rule: object
    least: int = 0
    most: int = 1000

    def describe(self):
        count = f"{self.least} or more values" if self.least else "values"
        return f"{count} separated by commas, each {self.rule.describe()}"

    def check(self, value):
        if isinstance(value, str):
            parsed = _literal(value)
            if isinstance(parsed, (list, tuple)):
                value = parsed
            else:
                value = [part.strip() for part in value.split(",")] if value.strip() else []
        if not isinstance(value, (list, tuple)) or not self.least <= len(value) <= self.most:
            raise ValueError
        return tuple(self.rule.check(item) for item in value)


@dataclass(frozen=True)
class Row:
    """A tuple of values, each with a rule of its own; as text, separated by commas."""

    rules: tuple

    def describe(self):
        return f"{len(self.rules)} values: {', '.join(rule.describe() for rule in self.rules)}"

    def check(self, value):
        value = _literal(value)
        if not isinstance(value, (list, tuple)) or len(value) != len(self.rules):
            raise ValueError
        return tuple(rule.check(item) for rule, item in zip(self.rules, value, strict=True))


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


def checked(name, value, rule):
    """A value in its final type; raises `UserError`, naming it, where it breaks the rule."""
    try:
        return rule.check(value)
    except ValueError:
        raise UserError(f"{name} = {shown(value)}: must be {rule.describe()}") from None


def option(name, rule):
    """What argparse takes as the `type` of a number of the command line: the same rules hold as for parameters."""
    return lambda text: checked(name, text, rule)


def shown(value):
    """A value for a message, as Python writes it, cut where that is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python writes; a list in a list in a ...
        text = f"a {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:150]}... ({len(text)} characters)"


def nearest(name, known):
    """ ", did you mean ...?" for the nearest known name, whatever its case, or nothing."""
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name[:100].lower(), lower, n=1, cutoff=0.5)
    return f', did you mean "{lower[near[0]]}"?' if near else ""
