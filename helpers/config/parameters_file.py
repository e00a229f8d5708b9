"""PARAMETERS.py, which its user edits: whatever is wrong with the file itself ends in one line that names the row."""

import inspect
import os
import traceback

from helpers.base.errors import UserError
from helpers.config.rules import nearest, shown

NAME = "PARAMETERS.py"
ADVICE = "correct it, or fetch the file again"
PATH = os.path.join(os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, os.pardir)), NAME)


def read_parameters_file(known=()):
    """The module PARAMETERS. known: the names of all parameters, to find those that it misspells or lacks.

    Raises `UserError` where the file is missing, is not Python, fails, or where its data sets and presets are no dicts.
    """
    if not os.path.isfile(PATH):
        raise UserError(f"{PATH}: no such file; fetch it again")
    try:
        import PARAMETERS
    except (Exception, SystemExit) as error:
        raise UserError(f"{_place(error)}: {type(error).__name__}: {_reason(error)}; {ADVICE}") from error
    for group in ("datasets", "presets"):
        _check_group(group, getattr(PARAMETERS, group, None))
    if known:
        _check_names(vars(PARAMETERS), known)
    return PARAMETERS


def _place(error):
    """The file and the row in it that an exception stands for."""
    rows = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if _is_file(frame.filename)]
    if isinstance(error, SyntaxError) and _is_file(error.filename or ""):
        rows = [error.lineno]
    return f"{PATH}, row {rows[-1]}" if rows and rows[-1] else PATH


def _is_file(path):
    return os.path.basename(path) == NAME


def _reason(error):
    return error.msg if isinstance(error, SyntaxError) else str(error) or "it says no more"


def _check_group(group, blocks):
    """Raise `UserError` unless `datasets` or `presets` is a dict of dicts, both with names as keys."""
    if not isinstance(blocks, dict):
        raise UserError(f"{PATH}: {group} = {shown(blocks)}: must be a dict of blocks; {ADVICE}")
    for name, block in blocks.items():
        if not isinstance(name, str) or not isinstance(block, dict) or not all(isinstance(key, str) for key in block):
            raise UserError(
                f"{PATH}: {group}[{shown(name)}] = {shown(block)}: must be a dict(name=value, ...), and its own name a "
                f"text; {ADVICE}"
            )


def _check_names(values, known):
    """Raise `UserError` for a parameter that is missing and for a value that is no parameter's."""
    for name in known:
        if name not in values and name != "classes":  # those belong to data sets
            raise UserError(f"{PATH}: gives {name} no value; {ADVICE}")
    for name, value in values.items():
        own = name.startswith("_") or name in ("datasets", "presets") or inspect.ismodule(value) or callable(value)
        if name not in known and not own:
            raise UserError(
                f'{PATH}: unknown parameter "{name}"{nearest(name, known)}; values of your own begin with _'
            )
