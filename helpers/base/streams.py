"""Standard output and errors that take any text, and that may be closed or full."""

from __future__ import annotations

import atexit
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO, cast

from helpers.base.errors import ending

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def guard_streams() -> None:
    """Make the streams of a script's process such ones, and report at the end what could not be written."""
    sys.stdout, sys.stderr = _writable(sys.stdout, 1), _writable(sys.stderr, 2)
    atexit.register(_report_lost)


_lost: list[OSError] = []  # the error by which standard output was lost


class _Pipe(io.FileIO):
    """A stream whose reader may go away, as `| head -1` does: the rest is written nowhere, and the work goes on.

    So it does on a full disk; but then the script ends with an error. An exception here would be lost: argparse and
    Python itself ignore what happens while they write.
    """

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError) and self.fileno() == 1:
                error.filename = "standard output"
                _lost.append(error)
            return memoryview(data).nbytes


def _writable(stream: TextIO | None, number: int) -> TextIO:
    """Standard output or errors that take any text, whatever the locale, and that may be closed."""
    if stream is None:  # closed by the shell, >&-
        return open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (it is open as long as the process)
    stream = cast("io.TextIOWrapper", stream)  # what Python opens for a process
    if stream.isatty():
        stream.reconfigure(errors="backslashreplace")
        return stream
    raw = io.BufferedWriter(_Pipe(number, "w", closefd=False))
    by_line = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(raw, stream.encoding, "backslashreplace", line_buffering=by_line)


def _report_lost() -> None:
    sys.stdout.flush()
    end = ending(_lost[0]) if _lost else None
    if end:
        sys.stderr.write(end[0] + "\n")
        sys.stderr.flush()
        os._exit(1)
