"""Standard output and errors that take any text, and that may be closed or full."""

import atexit
import io
import os
import sys

from helpers.base.errors import ending


def guard_streams():
    """Make the streams of a script's process such ones, and report at the end what could not be written."""
    sys.stdout, sys.stderr = _writable(sys.stdout, 1), _writable(sys.stderr, 2)
    atexit.register(_report_lost)


_lost: list[OSError] = []  # the error by which standard output was lost


class _Pipe(io.FileIO):
    """A stream whose reader may go away, as `| head -1` does: the rest is written nowhere, and the work goes on.

    So it does on a full disk; but then the script ends with an error. An exception here would be lost: argparse and
    Python itself ignore what happens while they write.
    """

    def write(self, data):
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError) and self.fileno() == 1:
                error.filename = "standard output"
                _lost.append(error)
            return len(data)


def _writable(stream, number):
    """Standard output or errors that take any text, whatever the locale, and that may be closed."""
    if stream is None:  # closed by the shell, >&-
        return open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (it is open as long as the process)
    if stream.isatty():
        stream.reconfigure(errors="backslashreplace")
        return stream
    raw = io.BufferedWriter(_Pipe(number, "w", closefd=False))
    by_line = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(raw, stream.encoding, "backslashreplace", line_buffering=by_line)


def _report_lost():
    sys.stdout.flush()
    if _lost:
        sys.stderr.write(ending(_lost[0])[0] + "\n")
        sys.stderr.flush()
        os._exit(1)
