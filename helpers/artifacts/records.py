"""A step's record on disk: what it was made from, and the fingerprint of each file that it wrote.

`record*.json` beside the files of a step, with these keys:

    step, before    the step, and the `id` of the record of the step before it, or null
    parameters      those that it depends on, name -> value
    inputs          name -> fingerprint of what it read besides the files of the step before
    notes           name -> text: which setting gave an input, for messages alone
    id              a hash of the five above but for the notes; it stands for the step and for all before it
    outputs         path of a file, relative to the record's folder -> its fingerprint
    complete        whether the step came to its end

While a step runs, each file that it finished is a line of the hidden file `.NAME.written` beside the record, so that a
rerun after a kill knows which files are whole; at the end they stand in `outputs`. The fingerprint of a text file or a
model is a hash of its bytes. Features are up to hundreds of GB, and nothing of that is read for a fingerprint: an npz
file holds a checksum of each array, which is compared whenever the array is read, and the fingerprint is a hash of
these checksums. So the next step finds a file that was exchanged before it starts, and one that was edited when it
reads it.
"""

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.base.errors import UserError
from helpers.base.files import refuse_special
from helpers.base.fingerprints import arrays_are_whole, arrays_fingerprint, fingerprint
from helpers.config.schema import declared
from helpers.config.settings import frozen

Record = dict[str, Any]  # with the keys above

KINDS: dict[str, type | tuple[type, ...]] = {
    "step": str, "before": (str, type(None)), "parameters": dict, "inputs": dict, "notes": dict, "id": str,
    "outputs": dict, "complete": bool,
}  # fmt: skip


def read_record(path: Path, step: str) -> Record | None:
    """The record of a step, or None where there is none.

    Raises:
        UserError: for one that is damaged.
    """
    refuse_special(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        trouble = _trouble(record, step)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); delete it and run {step} again") from error
    except (ValueError, RecursionError):
        trouble = "not JSON"
    if trouble:
        raise UserError(f"{path}: damaged, or of another version ({trouble}); delete it and run {step} again")
    return record


def _trouble(record: Any, step: str) -> str | None:
    """What is wrong with a record, in words; None if nothing is."""
    if not isinstance(record, dict):
        return "no JSON object"
    for key, kind in KINDS.items():
        if not isinstance(record.get(key, ...), kind):
            return f"no {key}" if key not in record else f"{key} is {json.dumps(record[key])[:50]}"
    if record["step"] != step:
        return f"the record of {json.dumps(record['step'])[:50]}"
    known = declared()
    for name, value in record["parameters"].items():
        if name in known and not known[name].takes(frozen(value)):
            return f"parameters: {name} is {json.dumps(value)[:50]}"
    for key in ("inputs", "notes", "outputs"):
        for name, value in record[key].items():
            if not isinstance(value, str):
                return f"{key}: {json.dumps(name)[:50]} is {json.dumps(value)[:50]}"
    strange = next((name for name in record["outputs"] if not _is_below(name)), None)
    return None if strange is None else f"outputs: {json.dumps(strange)[:50]} is no file of the step"


def _is_below(name: str) -> bool:
    """Whether a text is the path of a file below the record's folder."""
    parts = PurePosixPath(name).parts
    can_be_a_name = "\0" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)
    return can_be_a_name and bool(parts) and parts[0] != "/" and ".." not in parts


def output_fingerprint(path: Path) -> str:
    """The fingerprint of a file that a step wrote."""
    return arrays_fingerprint(path) if path.suffix == ".npz" else fingerprint(path)


def is_intact(path: Path, wanted: str, record_path: Path) -> bool:
    """Whether a file is the one of this fingerprint, to the last byte.

    The arrays of an npz file are read unless it has rested since the record was written.
    """
    if output_fingerprint(path) != wanted:
        return False
    return path.suffix != ".npz" or _last_touched(path) < _last_touched(record_path) or arrays_are_whole(path)


def _last_touched(path: Path) -> int:
    status = os.stat(path)
    return max(status.st_mtime_ns, status.st_ctime_ns)  # the first can be set, the second comes from the system


def changed_output(path: Path, record: Record) -> Path | None:
    """Of the files that a record lists, the first that is not what the step wrote: its path; None if there is none."""
    for name, wanted in record["outputs"].items():
        if output_fingerprint(path.parent / name) != wanted:
            return path.parent / name
    return None


class Journal:
    """The files that an unfinished step has finished, line by line. path: of the step's record."""

    def __init__(self, path: Path) -> None:
        self.folder, self.path = path.parent, path.with_name(f".{path.name}.written")

    def add(self, path: Path) -> None:
        """Note a finished file; several processes may do so at once."""
        line = json.dumps([path.relative_to(self.folder).as_posix(), output_fingerprint(path)]) + "\n"
        with open(self.path, "ab", buffering=0) as file:
            file.write(line.encode())

    def read(self) -> dict[str, str]:
        """Path relative to the record's folder -> fingerprint. A line that was cut short counts for nothing."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        return dict(filter(None, map(_parsed, lines)))

    def remove(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)


def _parsed(line: bytes) -> tuple[str, str] | None:
    try:
        name, value = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    return (name, value) if isinstance(name, str) and isinstance(value, str) else None
