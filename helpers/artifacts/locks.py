"""One process at a time writes the files of a step, and whoever comes second is told who does.

While a step runs, `proc/<dataset>/` has two small hidden files of it: `.NAME.lock`, which the operating system frees
when the process ends, however it ends, and `.NAME.owner`, JSON that says which process it is and which steps' files it
reads. Both are removed at the end. What a killed process leaves blocks nobody, and the next run of the step removes it.
"""

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from helpers.base.errors import UserError

ATTEMPTS = 20  # to lock a file that its former owner is just removing
PROBE_SECONDS = 0.2  # whoever only asks holds a lock for less


@contextlib.contextmanager
def alone(folder: Path, name: str, script: str, reads: Sequence[str] = ()) -> Iterator[None]:
    """Hold the lock of this name while the block runs.

    Args:
        folder: where locks lie.
        script: what runs, for messages.
        reads: names of the locks of those whose files it reads, see `refuse_readers`.

    Raises:
        UserError: where another process holds the lock.
    """
    path, owner = _files(folder, name)
    lock = _acquired(path)
    if lock is None:
        raise UserError(f"{script} is running here already, {describe(folder, name)}; wait until it has ended")
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        process = {"script": script, "process": os.getpid(), "host": platform.node(), "since": since}
        owner.write_text(json.dumps({**process, "reads": list(reads)}), encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        _release(lock, path)


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f".{name}.lock", folder / f".{name}.owner"


def _acquired(path: Path) -> BaseFileLock | None:
    """The lock, or None where another process holds it."""
    for attempt in range(ATTEMPTS):
        lock = FileLock(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=PROBE_SECONDS)
        except Timeout:
            return None
        except (FileNotFoundError, FileExistsError):  # its last user is just removing the folder
            if attempt == ATTEMPTS - 1:
                raise
            continue
        except NotImplementedError:
            print(f"NOTE: {path.parent}: this file system cannot lock; start nothing twice", file=sys.stderr)
            return lock
        if path.exists():
            return lock
        lock.release()  # its former owner removed the file between our opening and locking it
    return None


def _release(lock: BaseFileLock, path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows removes no open file; there the lock removes its own
        path.unlink()
    lock.release()
    with contextlib.suppress(OSError):  # other steps are running
        path.parent.rmdir()


def is_held(folder: Path, name: str) -> bool:
    """Whether a process holds the lock of this name."""
    path, _ = _files(folder, name)
    if not path.exists():
        return False
    lock = _acquired(path)
    if lock:
        _release(lock, path)
    return lock is None


def describe(folder: Path, name: str) -> str:
    """Who holds the lock of this name, in words."""
    owner = _owner(_files(folder, name)[1])
    return "process {process} on {host}, since {since}".format(**owner) if owner else "another process"


def _owner(path: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # not written yet, or removed already
        return None
    is_whole = isinstance(owner, dict) and {"script", "process", "host", "since", "reads"} <= owner.keys()
    return owner if is_whole and isinstance(owner["reads"], list) else None


def refuse_readers(folder: Path, name: str, script: str) -> None:
    """Raise `UserError` where a process is running that reads what the holder of this lock is about to change."""
    for path in sorted(folder.glob(".*.owner")):
        owner, reader = _owner(path), path.stem.removeprefix(".")
        if owner and name in owner["reads"] and is_held(folder, reader):
            raise UserError(
                f"{owner['script']} is running, {describe(folder, reader)}, and reads files that {script} would "
                "replace now; wait until it has ended"
            )
