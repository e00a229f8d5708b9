"""Writing files so that nobody ever sees half of one, and reading them so that a damaged one is named."""

import contextlib
import json
import math
import os
import re
import stat
import struct
import tokenize
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from helpers.base.errors import UserError

CHUNK = 2**18  # bytes that are read at once
NPZ_ERRORS = (  # what zipfile and numpy raise on bytes that are no npz file
    OSError, ValueError, EOFError, NotImplementedError, RuntimeError, SyntaxError, tokenize.TokenError, MemoryError,
    zipfile.BadZipFile,
)  # fmt: skip


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`; it takes the place of `path` when the block ends well and is removed when not.

    The temporary name keeps the suffix of `path`, because writers of pictures and arrays look at it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():  # a device, which a rename would replace; or a folder
        why = "a folder of this name is there; move it away" if path.is_dir() else "it is a device; name a file"
        raise UserError(f"{path}: cannot be written, {why}")
    temporary = path.with_name(f".{os.getpid()}.tmp.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # as when the disk is full: name what the user knows
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file with Unix line ends at once or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON with indentation and keys in the given order at once or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file that this project wrote; a broken one raises a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable JSON file ({error})") from error


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write an npz file (uncompressed: features hardly shrink) at once or not at all."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **cast(Any, arrays))


def read_arrays(path: Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read arrays of an npz file into a dict: those of `names` that are there, or all.

    Objects and compressed arrays are refused, so no file can run code or be larger in memory than on disk. An array
    whose bytes are not those of the checksum (CRC-32) that the file holds of it is refused as well.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            wanted = [name for name in entries if names is None or name in names]
            return {name: _read_array(archive, entries[name]) for name in wanted}
    except NPZ_ERRORS as error:
        raise UserError(f"{path}: not a readable npz file ({' '.join(str(error).split())[:200]})") from error


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """One array. Raises ValueError, OSError or BadZipFile where it is none, or not the one that was written."""
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{entry.filename} is compressed")
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"{entry.filename} has format {version}")
        shape, in_columns, dtype = np.lib.format.read_array_header_1_0(file)
        size = math.prod(shape)
        if dtype.kind not in "biuf" or size * dtype.itemsize != entry.file_size - file.tell():
            raise ValueError(f"{entry.filename} holds no numbers of shape {shape}")
        array = np.empty(size, dtype)
        data = array.view(np.uint8)
        for start in range(0, max(len(data), 1), CHUNK):  # to the end, where the checksum is compared
            part = file.read(CHUNK)
            data[start : start + CHUNK] = np.frombuffer(part, np.uint8)
    return array.reshape(shape, order="F" if in_columns else "C")


def array_start(path: Path, name: str) -> int:
    """At which byte of an npz file that `read_arrays` reads the numbers of an array begin."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(f"{name}.npy")
        with archive.open(entry) as file:
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
            behind = file.tell()
    with open(path, "rb") as file:
        file.seek(entry.header_offset + 26)  # the last fields of its local header: the lengths of what follows
        lengths = struct.unpack("<HH", file.read(4))
    return entry.header_offset + 30 + sum(lengths) + behind


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without line ends: UTF-8 with or without a byte order mark, LF or CRLF.

    Nothing else ends a line: Unicode has more separators, which a class name may hold.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
        return lines if lines[-1] else lines[:-1]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def refuse_to_replace(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise `UserError` where a file that is to be written is one of those that are read, or another one to be written,
    under whatever path, link or spelling."""
    taken: dict[tuple[int, int] | str, str] = {}
    for path in inputs:
        with contextlib.suppress(OSError):  # what cannot be read is reported by its reader
            taken[_identity(path)] = str(path)
    for path in outputs:
        identity: tuple[int, int] | str
        try:
            identity = _identity(path)
        except OSError:  # not there yet
            identity = os.path.realpath(path)
        if identity in taken:
            raise UserError(f"{path}: would replace {taken[identity]}; name another place for what is written")
        taken[identity] = f"{path}, which is written as well"


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def require_file(path: Path, most: float, advice: str) -> None:
    """Raise `UserError` unless there is a regular file of at most `most` bytes: a device or a pipe may never end."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {advice}") from None
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: cannot be read, it is no file; {advice}")
    if status.st_size > most:
        raise UserError(f"{path}: {status.st_size / 1e9:.1f} GB, at most {most / 1e9:.1f} GB are read; {advice}")


def refuse_special(path: Path) -> None:
    """Raise `UserError` for a pipe or a device: to read it may never end. A file, a folder or nothing is fine."""
    with contextlib.suppress(OSError):  # what cannot be looked at cannot be read, which says more
        if stat.S_IFMT(os.stat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f"{path}: cannot be read, it is no file; delete it and run this again")


def set_aside(path: Path) -> Path:
    """Rename a file or folder to the first free one of NAME.old, NAME.old2, ...: nothing of yours is ever deleted."""
    number, old = 1, path.with_name(f"{path.name}.old")
    while os.path.lexists(old):
        number += 1
        old = path.with_name(f"{path.name}.old{number}")
    os.rename(path, old)
    return old


def remove_temporary_files(folder: Path, belongs: Callable[[Path], bool]) -> None:
    """Remove what `atomic_path` of a killed process left below a folder.

    belongs(path): whether a file of this final path is written by nobody else now.
    """
    for path in folder.rglob(".*.tmp.*"):
        name = re.fullmatch(r"\.\d+\.tmp\.(.+)", path.name, re.DOTALL)
        if name and belongs(path.with_name(name[1])):
            path.unlink(missing_ok=True)


def link_file(original: Path, path: Path) -> bool:
    """Whether a file could be linked to a new path: by name or, where Windows does not allow that, by content."""
    for make in (os.symlink, os.link):
        try:
            make(original, path)
            return True
        except (OSError, NotImplementedError):  # Windows allows links by name to few, links by content within a disk
            continue
    return False
