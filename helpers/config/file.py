"""PARAMETERS.py, which its user edits: whatever is wrong with the file itself ends in one line that names the row."""

import ast
import inspect
import os
import traceback
from functools import lru_cache
from types import ModuleType

from helpers.base.errors import UserError
from helpers.base.words import nearest, shown

NAME = "PARAMETERS.py"
ADVICE = "correct it, or fetch the file again"
PATH = os.path.join(os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, os.pardir)), NAME)


def read_parameters_file() -> ModuleType:
    """The module PARAMETERS.

    Raises:
        UserError: where the file is missing, is not Python, fails, has a value of no type, which may be a misspelled
            parameter, or where its data sets and presets are no dicts.
    """
    if not os.path.isfile(PATH):
        raise UserError(f"{PATH}: no such file; fetch it again")
    try:
        import PARAMETERS
    except (Exception, SystemExit) as error:
        raise UserError(f"{_place(error)}: {type(error).__name__}: {_reason(error)}; {ADVICE}") from error
    _check(PARAMETERS)
    return PARAMETERS


@lru_cache(maxsize=1)
def _check(module: ModuleType) -> None:
    for group in ("datasets", "presets"):
        _check_group(group, getattr(module, group, None))
    _check_names(module)


def _place(error: BaseException) -> str:
    """The file and the row in it that an exception stands for."""
    rows = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if _is_file(frame.filename)]
    if isinstance(error, SyntaxError) and _is_file(error.filename or ""):
        rows = [error.lineno]
    return f"{PATH}, row {rows[-1]}" if rows and rows[-1] else PATH


def _is_file(path: str) -> bool:
    return os.path.basename(path) == NAME


def _reason(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error) or "it says no more"


def _check_group(group: str, blocks: object) -> None:
    """Raise `UserError` unless `datasets` or `presets` is a dict of dicts, both with names as keys."""
    if not isinstance(blocks, dict):
        raise UserError(f"{PATH}: {group} = {shown(blocks)}: must be a dict of blocks; {ADVICE}")
    for name, block in blocks.items():
        if not isinstance(name, str) or not isinstance(block, dict) or not all(isinstance(key, str) for key in block):
            raise UserError(
                f"{PATH}: {group}[{shown(name)}] = {shown(block)}: must be a dict(name=value, ...), and its own name a "
                f"text; {ADVICE}"
            )


def _check_names(module: ModuleType) -> None:
    """Raise `UserError` for a value that no type declares: it may be a misspelled parameter."""
    with open(PATH, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    imported = {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    known = {*inspect.get_annotations(module), "datasets", "presets", *imported}
    for name, value in vars(module).items():
        own = name.startswith("_") or inspect.ismodule(value) or callable(value)
        if name not in known and not own:
            raise UserError(
                f'{PATH}: unknown parameter "{name}"{nearest(name, known)}; values of your own begin with _'
            )
