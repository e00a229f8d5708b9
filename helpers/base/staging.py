"""A folder beside the one to be written, in which it comes into being: all of it or nothing, whatever happens."""

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.base.errors import UserError
from helpers.base.files import set_aside

LOCK = "lock"
NEW_SECONDS = 60  # a folder without a lock is left alone while it is younger: its process may be about to lock it


def is_filled(folder: str | Path) -> bool:
    """Whether anything is at a path but empty folders. Links count as something, whatever they lead to."""
    if not os.path.lexists(folder):
        return False
    if os.path.islink(folder) or not os.path.isdir(folder):
        return True
    return any(is_filled(entry.path) for entry in os.scandir(folder))


@contextlib.contextmanager
def staging(target: str | Path) -> Iterator[Path]:
    """A path for the new content of `target`, in a temporary folder beside it that is gone afterwards.

    What an import or export of the same target left behind when it was killed is removed first; a folder that a process
    still works in is locked, and stays. Whatever the operating system refuses becomes a `UserError`.
    """
    target = Path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        folder = tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent)
        with folder, FileLock(Path(folder.name, LOCK)):
            yield Path(folder.name, target.name)
    except OSError as error:
        reason = error.strerror or error
        if error.filename and not Path(error.filename).is_relative_to(target.parent):  # a photo of the source
            raise UserError(f"{error.filename}: cannot be copied ({reason})") from error
        raise UserError(f"{target}: cannot be written ({reason}); see to room and rights in its folder") from error


def put_in_place(new: Path, target: Path) -> None:
    """Let the finished folder `new` become `target`; what is there is renamed to NAME.old, empty folders just go."""
    old = None
    if is_filled(target):
        old = set_aside(target)
    else:
        _remove_empty_folders(target)
    try:
        os.rename(new, target)
    except BaseException:
        if old:
            os.rename(old, target)
        raise
    if old:
        print(f"{target}: the old one is now {old}")


def _remove_empty_folders(folder: str | Path) -> None:
    if os.path.lexists(folder):
        for entry in list(os.scandir(folder)):
            _remove_empty_folders(entry.path)
        os.rmdir(folder)  # refuses a folder that is not empty, and a link


def _remove_abandoned(target: Path) -> None:
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[a-z0-9_]{{8}}")  # tempfile's names
    for folder in target.parent.iterdir():
        if not pattern.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        if not (folder / LOCK).exists() and time.time() - folder.stat().st_mtime < NEW_SECONDS:
            continue
        try:
            FileLock(folder / LOCK, timeout=0).acquire().lock.release()
        except Timeout:
            continue
        shutil.rmtree(folder, ignore_errors=True)
