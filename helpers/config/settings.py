"""Parameters as the text that sets them again: what stands after --set on a command line."""

import shlex
from typing import Any

from helpers.config.schema import Parameter, declared


def as_text(item: Parameter | None, value: object) -> str:
    """The text that a parameter reads as this value, which may come from JSON. item: maybe None."""
    plain = value if isinstance(value, str) else repr(frozen(value))
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        plain = ",".join(map(str, value))
    for text in (plain, repr(frozen(value))):
        try:
            if item and item.check(text) == item.check(frozen(value)):
                return text
        except ValueError:  # a value of another version
            continue
    return plain


def frozen(value: Any) -> Any:
    """A value from JSON as the parameters have it: tuples in place of lists."""
    return tuple(map(frozen, value)) if isinstance(value, (list, tuple)) else value


def as_options(values: dict[str, Any]) -> str:
    """Values by name as options that a shell understands: "--set a=1 'b=x y'"."""
    known = declared()
    settings = (f"{name}={as_text(known.get(name), value)}" for name, value in values.items())
    return "--set " + " ".join(map(shlex.quote, settings))
