"""Parameters that are kept with a data set: `data/<dataset>/parameters.txt`, a `name=value` a row; `#` begins a remark.

They count more than the data set's block and the preset in PARAMETERS.py, and less than `--set`. A run with `--keep`
writes what its `--set` says into the file. Since a data set may come from anywhere, the file can say how it is learned
and looked at, within the bounds of helpers/config/modest.py, and nothing about this machine: no folder that files are
written to, no device, no other computers.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from helpers.base.errors import UserError
from helpers.base.files import read_lines, write_text
from helpers.config.modest import require_modest
from helpers.config.schema import parameter

MAX_BYTES = 100_000  # of the file


class ToKeep(str):
    """A setting of --set that `load_parameters` keeps with the data set, because --keep was given as well."""


def kept_path(image_dir: Path) -> Path:
    """The file of a data set."""
    return image_dir / "parameters.txt"


def read_kept(image_dir: Path, check: Callable[[str], tuple[str, Any]], settings: Iterable[str] = ()) -> dict[str, Any]:
    """Name -> value of the parameters that are kept with a data set, maybe none; says on stderr, once, which they are.

    Args:
        check: a function of "name=value" that returns the name and the value, or raises `UserError`.
        settings: those of the command line, which count more.

    Raises:
        UserError: naming file and row.
    """
    path = kept_path(image_dir)
    kept: dict[str, Any] = {}
    rows: list[str] = []
    if not os.path.lexists(path):
        return kept
    if not path.is_file():
        raise UserError(f"{path}: is no file, so nothing is kept in it; move it away")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: has more than {MAX_BYTES} bytes, which is no list of parameters; delete it")
    for row, line in enumerate(read_lines(path), start=1):
        if _is_remark(line):
            continue
        try:
            rows.append("=".join(part.strip() for part in line.split("=", 1)))
            name, value = check(rows[-1])
        except UserError as error:
            raise UserError(f"{path}, row {row}: {error}; correct the row or delete it") from error
        if not parameter(name).group.kept:
            raise UserError(f"{path}, row {row}: {name} does not belong to a data set; delete the row and use --set")
        if name in kept:
            raise UserError(f"{path}, row {row}: {name} stands in an earlier row as well; delete one of them")
        kept[name] = value
    require_modest(kept, path, settings)
    if kept:
        _show(f"{path}: {', '.join(rows)}")
    return kept


def _is_remark(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


@lru_cache
def _show(line: str) -> None:
    print("".join(letter if letter.isprintable() else "?" for letter in line), file=sys.stderr)


def keep(image_dir: Path, values: Mapping[str, str]) -> None:
    """Write parameters, name -> text, into the file of a data set, in place of those of the same names."""
    left = [name for name in values if not parameter(name).group.kept and name != "datasetName"]
    if left:
        print(f"NOTE: not kept with the data set: {', '.join(left)}", file=sys.stderr)
    values = {name: text for name, text in values.items() if parameter(name).group.kept}
    if os.path.isfile(os.path.expanduser(values.get("networkWeights", ""))):  # from whatever folder a script is started
        values["networkWeights"] = os.path.abspath(os.path.expanduser(values["networkWeights"]))
    path = kept_path(image_dir)
    lines = read_lines(path) if path.is_file() else []
    lines = [line for line in lines if _is_remark(line) or line.partition("=")[0].strip() not in values]
    if values:
        lines += [f"{name}={text}" for name, text in values.items()]
        write_text(path, "".join(f"{line}\n" for line in lines))
        print(f"kept in {path}: {', '.join(values)}", file=sys.stderr)
