"""One case of a fuzzing run: a folder of its own, a seeded source of randomness, and scripts that run in this process.

A `Kind` is a function that changes a file at random, runs what reads it, and asks an oracle about the result. It
returns `CLEAN` or `RIGHT`, or raises: `Wrong` for a result that the oracle says is wrong, anything else is a traceback.
"""

import contextlib
import importlib
import os
import random
import re
import runpy
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CLEAN, RIGHT, TRACEBACK, WRONG, HANG, MEMORY = OUTCOMES = (
    "clean error", "right", "traceback", "wrong result", "hang", "memory",
)  # fmt: skip
BAD = OUTCOMES[2:]
MAX_MESSAGE = 3000  # characters of an error; longer ones are no clear line


@dataclass(frozen=True)
class Kind:
    """A kind of input: its name, and the function of a `Trial` that tries one changed input."""

    name: str
    case: Callable


class Wrong(Exception):
    """The oracle's verdict: what is wrong with the result."""


class OutOfMemory(Exception):
    """The case wanted more memory than its limit allows."""


@dataclass(frozen=True)
class Ended:
    """How a script ended: exit code, and what it wrote to the standard output and the standard error."""

    code: int
    out: str
    err: str

    @property
    def clean(self):
        """Whether it ended with an error of the user's, in a clear line."""
        return self.code != 0


@dataclass
class Trial:
    """base: finished folders that all cases share, read only; folder: this case's own, empty at first."""

    base: Path
    folder: Path
    random: random.Random
    done: list = field(default_factory=list)  # what was changed, in words

    def copy(self, name):
        """A copy of one of the finished folders, the same for each case."""
        return Path(shutil.copytree(self.base / name, self.folder / name, symlinks=True))

    def run(self, script, *arguments):
        """Run a script of the project as its command line would; returns `Ended`.

        Raises `Wrong` where it ends with an exit code but without a clear line, and what the script itself raises.
        """
        arguments = [str(argument) for argument in arguments]
        self.done.append(f"{script} {' '.join(arguments)}"[:2000])
        streams = [self.folder / f"{name}.txt" for name in ("stdout", "stderr")]
        code = 0
        with _streams(*streams), _command_line(script, arguments):
            try:
                runpy.run_path(str(ROOT / script), run_name="__main__")
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except Exception as error:  # as helpers/base/start.py has it in a script's own process
                end = importlib.import_module("helpers.base.errors").ending(error)
                if end is None:
                    raise
                print(end[0], file=sys.stderr)
                code = end[1]
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in streams)
        ended = Ended(code, out, err)
        _require_clear_line(ended)
        return ended


def _require_clear_line(ended):
    """Raise `Wrong` for an exit code that no clear line explains."""
    if "not enough memory" in ended.err:
        raise OutOfMemory(ended.err[-500:])
    lines = [line for line in (ended.out + ended.err).splitlines() if line.startswith(("ERROR: ", "usage: "))]
    if not lines and "ERROR: " in ended.err:
        raise Wrong(
            f"the line ERROR: does not begin at the left, it stands behind something else: {ended.err[-900:]!r}"
        )
    if "Traceback (most recent call last)" in ended.err:
        last = ended.err.strip().splitlines()[-1]
        raise Wrong(f"traceback: {last[:99]} in {' < '.join(_frames(ended.err))}: {ended.err[-3000:]}")
    if ended.code not in (0, 1, 2):
        raise Wrong(f"exit code {ended.code}: {ended.err[-500:]}")
    if ended.code and not lines:
        raise Wrong(f"exit code {ended.code} without a line ERROR: {ended.err[-500:]!r}")
    for line in lines:
        if not line.replace("\t", "").isprintable() and not line.startswith("usage: "):
            raise Wrong(f"an error with control characters: {line[:500]!r}")
        if len(line) > MAX_MESSAGE:
            raise Wrong(f"an error of {len(line)} characters: {line[:200]!r}...")


def _frames(text):
    """The innermost lines of the project that a printed traceback came through."""
    found = re.findall(rf'File "{ROOT}/([^"]+)", line \d+, in (\w+)', text)
    return [f"{file}:{name}" for file, name in reversed(found) if not file.startswith(("dev/", ".venv/"))][:2]


@contextlib.contextmanager
def _command_line(script, arguments):
    before = sys.argv, sys.path[:]
    sys.argv = [str(ROOT / script), *arguments]
    try:
        yield
    finally:
        sys.argv, sys.path[:] = before


@contextlib.contextmanager
def _streams(out, err):
    """Both standard streams lead to files, for compiled code as well."""
    saved = os.dup(1), os.dup(2)
    sys.stdout.flush(), sys.stderr.flush()
    try:
        for number, path in ((1, out), (2, err)):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(file, number)
            os.close(file)
        yield
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        for number, old in zip((1, 2), saved, strict=True):
            os.dup2(old, number)
            os.close(old)


OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "Insufficient memory", "Unable to allocate", "out of memory")


def try_case(kind, trial):
    """(outcome, what happened in words, what a traceback or verdict is about) of one case."""
    try:
        outcome = kind.case(trial)
        if list(trial.folder.rglob("executed")):
            raise Wrong("a file ran code")
    except Wrong as verdict:
        outcome = TRACEBACK if str(verdict).startswith("traceback: ") else WRONG
        return outcome, str(verdict), _without_numbers(str(verdict).replace(str(trial.folder), ""))
    except (MemoryError, OutOfMemory):
        return MEMORY, traceback.format_exc(), _place(sys.exc_info())
    except BaseException as error:  # whatever it is, it is what this program looks for
        text = traceback.format_exc()
        wants_memory = any(words in str(error) for words in OUT_OF_MEMORY)
        return MEMORY if wants_memory else TRACEBACK, text, _place(sys.exc_info())
    return outcome, "", ""


def _without_numbers(text):
    """What verdicts of the same kind have in common, for grouping them."""
    return re.sub(r"\d+", "N", text)[:110]


def _place(info):
    """Type of the exception, and the innermost line of the project that it came through."""
    kind, error, trace = info
    frames = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).is_relative_to(ROOT)]
    frames = [frame for frame in frames if ".venv" not in frame.filename and "/dev/" not in frame.filename] or frames
    frame = frames[-1] if frames else None
    where = f"{Path(frame.filename).relative_to(ROOT)}:{frame.name}" if frame else "elsewhere"
    return _without_numbers(f"{kind.__name__} in {where}: {' '.join(str(error).split())}")
