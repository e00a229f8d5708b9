"""Parameters as the text that sets them again: what stands after --set on a command line."""

import shlex


def as_text(rule, value):
    """The text that a parameter's rule reads as this value, which may come from JSON. rule: maybe None."""
    plain = value if isinstance(value, str) else repr(frozen(value))
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        plain = ",".join(map(str, value))
    for text in (plain, repr(frozen(value))):
        try:
            if rule and rule.check(text) == rule.check(frozen(value)):
                return text
        except ValueError:  # a value of another version
            continue
    return plain


def frozen(value):
    """A value from JSON as the parameters have it: tuples in place of lists."""
    return tuple(map(frozen, value)) if isinstance(value, (list, tuple)) else value


def as_options(values, rules):
    """Values by name as options that a shell understands: "--set a=1 'b=x y'". rules: by name, as far as known."""
    settings = (f"{name}={as_text(rules.get(name), value)}" for name, value in values.items())
    return "--set " + " ".join(map(shlex.quote, settings))
