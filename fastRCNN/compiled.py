"""How functions are compiled: once per machine, kept on disk, without the interpreter's lock."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

njit: Any = None
with contextlib.suppress(ImportError):  # without it functions run as they are
    from numba import njit

IS_COMPILED = njit is not None
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of numbers and arrays when it is first called, and keep the result for later processes.

    numba keeps it beside the source, or where that cannot be written below the user's own cache folder; where neither
    can be, every process compiles for itself. Without numba it stays a function of Python, much slower; what would take
    too long then imports numba itself, and its caller does something else.
    """
    if njit is None:
        return function
    try:
        return cast(Function, njit(cache=True, nogil=True)(function))
    except RuntimeError:  # "no locator available": nowhere to keep it
        return cast(Function, njit(nogil=True)(function))
