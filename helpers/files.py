"""Writing files so that nobody ever sees half of one, and naming their content by a fingerprint."""

import contextlib
import hashlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from helpers.errors import UserError


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path beside `path`; it takes the place of `path` when the block ends well and is removed when not.

    The temporary name keeps the suffix of `path`, because writers of pictures and arrays look at it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.tmp.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Write a UTF-8 file with Unix line ends at once or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path, value):
    """Write JSON with indentation and keys in the given order at once or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path):
    """Read a JSON file that this project wrote; a broken one raises a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable JSON file ({error})") from error


def write_arrays(path, **arrays):
    """Write an npz file (uncompressed: features hardly shrink) at once or not at all."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def read_arrays(path, names=None):
    """Read arrays of an npz file into a dict: those of `names` that are there, or all.

    Objects are refused, so no file can run code.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files if names is None or name in names}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a readable npz file ({error})") from error


def read_lines(path):
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


def set_aside(path):
    """Rename a file or folder to the first free one of NAME.old, NAME.old2, ...: nothing of yours is ever deleted."""
    number, old = 1, path.with_name(f"{path.name}.old")
    while os.path.lexists(old):
        number += 1
        old = path.with_name(f"{path.name}.old{number}")
    os.rename(path, old)
    return old


def fingerprint(*paths):
    """A short hash of the content of files, 16 hexadecimal digits; a missing file counts as such."""
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        try:
            digest.update(hashlib.blake2b(Path(path).read_bytes()).digest())
        except FileNotFoundError:
            digest.update(b"missing")
    return digest.hexdigest()
