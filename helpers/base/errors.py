"""Errors that a user can fix, shown as one line instead of a traceback."""

from __future__ import annotations

import errno

REMEDIES = (  # of operating-system errors: what to do
    ((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room there, or choose another disk, and run this again"),
    ((errno.EACCES, errno.EPERM), "change its permissions, or choose another place"),
    ((errno.EROFS,), "choose another place"),
    ((errno.ENAMETOOLONG,), "choose a shorter name"),
    ((errno.ENOTDIR, errno.EEXIST), "a file is in the way of a folder: move it, or choose another place"),
    ((errno.EISDIR, errno.ENOTEMPTY), "a folder is in the way of a file: move it, or choose another place"),
    ((errno.EMFILE, errno.ENFILE), "allow more open files (ulimit -n 4096) and run this again"),
    ((errno.ENOENT,), "it is gone, or was never there"),
    ((errno.EAGAIN, errno.ENOMEM), "close other programs and run this again"),
    ((errno.EIO,), "the disk or the connection to it may be damaged"),
)
MEMORY = (
    "not enough memory; close other programs, or hold less at once: smaller cntk_padWidth and cntk_padHeight, "
    "network_roiBatchSize=100"
)
LIBRARIES = (  # what libraries say, as plain RuntimeErrors and the like, where the system refused them something
    ("can't allocate memory", MEMORY),
    ("Insufficient memory", MEMORY),
    ("failed to map segment", MEMORY),  # while packages are loaded
    ("can't start new thread", "no more threads are allowed; close other programs and run this again"),
)


class UserError(Exception):
    """Something outside the code is wrong. The message is one line that names the file, row, value and rule."""


def ending(error: BaseException) -> tuple[str, int] | None:
    """How a script ends after an exception that is no bug: (line, exit code); None for any other exception."""
    if isinstance(error, KeyboardInterrupt):
        return interruption(terminated=type(error).__name__ == "Terminated")
    text = explanation(error)
    return None if text is None else ("ERROR: " + printable(text), 1)


def interruption(terminated: bool) -> tuple[str, int]:
    """How a script ends after Ctrl-C, or after SIGTERM: (line, exit code)."""
    what = "Terminated" if terminated else "Interrupted"
    return what + ". Finished files are kept; run the same command again to continue.", 143 if terminated else 130


def explanation(error: BaseException) -> str | None:
    """What went wrong outside the code and what to do; None where the code itself is the likelier cause."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return MEMORY
    if isinstance(error, OSError) and (error.errno or error.filename):
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        remedy = next((text for numbers, text in REMEDIES if error.errno in numbers), "fix that and run this again")
        return f"{' -> '.join(names) or 'the system'}: {error.strerror or error}; {remedy}"
    return next((text for words, text in LIBRARIES if words in str(error)), None)


def printable(text: object, keep: str = "") -> str:
    """A text on one line: letters that are not to be seen become escapes, but those of `keep`."""
    return "".join(x if x.isprintable() or x in keep else _escape(x) for x in str(text))


def _escape(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # what Python makes of a byte in a name that is not UTF-8
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()
