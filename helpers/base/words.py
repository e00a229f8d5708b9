"""Values and names for messages."""

import difflib
from collections.abc import Iterable


def shown(value: object) -> str:
    """A value as Python writes it, cut where that is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python writes; a list in a list in a ...
        text = f"a {type(value).__name__}"
    return text if len(text) <= 200 else f"{text[:150]}... ({len(text)} characters)"


def nearest(name: str, known: Iterable[str]) -> str:
    """`, did you mean ...?` for the nearest known name, whatever its case, or nothing."""
    lower = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name[:100].lower(), lower, n=1, cutoff=0.5)
    return f', did you mean "{lower[near[0]]}"?' if near else ""
