"""Parameters as the text that sets them again: what stands after --set on a command line."""

import shlex

from helpers.parameters import RULES


def as_text(name, value):
    """The text that the parameter's rule reads as this value, which may come from JSON."""
    plain = value if isinstance(value, str) else repr(_frozen(value))
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        plain = ",".join(map(str, value))
    for text in (plain, repr(_frozen(value))):
        try:
            if RULES[name].check(text) == RULES[name].check(_frozen(value)):
                return text
        except (KeyError, ValueError):  # a value of another version
            continue
    return plain


def _frozen(value):
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def as_options(values):
    """Values by name as options that a shell understands: "--set a=1 'b=x y'"."""
    return "--set " + " ".join(shlex.quote(f"{name}={as_text(name, value)}") for name, value in values.items())
