"""Naming the content of files by a fingerprint, and remembering it so that unchanged files are not read again.

Steps compare the fingerprints of all images of a data set when they start. To read the images for that would take
longer than some steps do, so `remembered_fingerprints` keeps beside each fingerprint what the system says of the file
without reading it.
"""

import contextlib
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers.base.files import NPZ_ERRORS, refuse_special, write_text

RESTED = (
    2 * 10**9
)  # ns that a file must have rested: two changes within one tick of a file system's clock look the same

State = tuple[int, int, int]  # size in bytes, mtime and ctime in ns: the first two can be set, the third cannot
Memory = dict[str, tuple[str, State]]  # absolute path of a file -> its fingerprint, and what the file was like then


def fingerprint(*paths: Path) -> str:
    """A short hash of the content of files, 16 hexadecimal digits; a missing file counts as such."""
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        refuse_special(path)
        try:
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
        except FileNotFoundError:
            digest.update(b"missing")
    return digest.hexdigest()


def arrays_fingerprint(path: Path) -> str:
    """The same of an npz file, without reading the arrays: of its size, and of their names, sizes and checksums.

    The checksums stand in the directory at the file's end; `read_arrays` compares them with what it reads. So a file
    that was exchanged is found by this, and one that was edited when it is read, and no byte is read twice for it.
    """
    refuse_special(path)
    try:
        with zipfile.ZipFile(path) as archive:
            listed = [(entry.filename, entry.file_size, entry.CRC) for entry in archive.infolist()]
        text = repr((os.path.getsize(path), listed))
    except FileNotFoundError:
        text = "missing"
    except NPZ_ERRORS:
        text = "damaged"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def arrays_are_whole(path: Path) -> bool:
    """Whether every array of an npz file has the checksum that the file holds of it: reads all of the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except NPZ_ERRORS:
        return False


def remembered_fingerprints(paths: Iterable[Path], memory: Path) -> dict[Path, str]:
    """The `fingerprint` of each file; only new and changed files are read.

    A file counts as unchanged while its size and its times of change, to the nanosecond, are those of the time when it
    was read (Git's index does the same, see its "racy-git"). Files that changed within the two seconds before are read
    next time as well.

    Args:
        memory: the file that remembers. It may be deleted at any time; a damaged one counts as missing, and one that
            cannot be written is not.

    Raises:
        UserError: for a pipe or a device among the files.
        OSError: for a file that cannot be read.
    """
    known = _read_memory(memory)
    found: dict[Path, str] = {}
    learned: Memory = {}
    for path in paths:
        key, before = os.path.abspath(path), _state(path)
        if before is not None and key in known and known[key][1] == before:
            found[path] = known[key][0]
            continue
        now = time.time_ns()
        found[path] = fingerprint(path)
        if before is not None and before == _state(path) and max(before[1:]) < now - RESTED:
            learned[key] = found[path], before
    if learned:
        _write_memory(memory, {**known, **learned})
    return found


def _state(path: Path) -> State | None:
    try:
        status = os.stat(path)
    except OSError:  # reading it will tell
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read_memory(path: Path) -> Memory:
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        refuse_special(path)
        return {key: _entry(*values) for key, values in json.loads(path.read_bytes()).items()}
    return {}


def _entry(digest: Any, *state: Any) -> tuple[str, State]:
    """An entry of the memory; raises ValueError where it is none."""
    if not isinstance(digest, str) or not all(isinstance(value, int) for value in state):
        raise ValueError("damaged")
    size, mtime, ctime = state
    return digest, (size, mtime, ctime)


def _write_memory(path: Path, memory: Memory) -> None:
    """Write what was learned, and drop what is not there any more, in a folder that is there already."""
    rows = {key: [digest, *state] for key, (digest, state) in sorted(memory.items()) if os.path.lexists(key)}
    if path.parent.is_dir():
        with contextlib.suppress(OSError):  # on a full disk, say: then files are read again next time
            for left in path.parent.glob(f".*.tmp.{path.name}"):  # of a killed process; another writer loses its turn
                left.unlink(missing_ok=True)
            write_text(path, json.dumps(rows))
