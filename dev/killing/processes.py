"""Runs a script in a process of its own and kills it with SIGKILL, which nothing can catch: after some seconds, or just
before, amid or just after its n-th change of the file system.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from fuzzing.trials import Trial, Wrong

HOOKED = ("replace", "rename", "unlink", "mkdir", "rmdir", "symlink", "link")  # of the module os


@dataclass(frozen=True)
class Moment:
    """When a process dies: seconds after its start, or, when that is None, at the n-th call of `HOOKED` (from 1).

    where: "before" or "after" that call, or "half", before it with half of the file written.
    """

    seconds: float | None = None
    call: int = 0
    where: str = "before"

    def __str__(self):
        return f"after {self.seconds:.3f} s" if self.seconds is not None else f"{self.where} call {self.call}"


@dataclass(frozen=True)
class End:
    """How a process ended: whether it was killed, exit code, standard error, calls of `HOOKED`, seconds."""

    killed: bool
    code: int
    err: str
    calls: int
    seconds: float


NEVER = Moment(None, 0)
UNCLEAR = 99  # an exit code of our own: the script ended in a traceback, or without a clear line


def run_until(moment, command, folder, prepare=lambda: None):
    """Run command (script, *arguments) in a forked process that dies at `moment`, unless it ends before; an `End`.

    folder: for its streams; prepare: called in the process first.
    """
    reader, writer = os.pipe()
    sys.stdout.flush(), sys.stderr.flush()
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            os.close(reader)
            prepare()
            answer = _run(moment, command, folder)
            os.write(writer, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with contextlib.suppress(PermissionError, ProcessLookupError):  # it may have done so already, or have ended
        os.setpgid(pid, pid)
    if moment.seconds is not None:
        _wait(pid, moment.seconds)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    status = os.waitpid(pid, 0)[1]
    seconds = time.monotonic() - start
    if answer:
        return End(False, *json.loads(answer), seconds)
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
        raise RuntimeError(f"{command}: ended without an answer, status {status}")
    return End(True, -signal.SIGKILL, "", 0, seconds)


def _wait(pid, seconds):
    """Kill a process and its own after some seconds, unless it has ended."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, 0.002))
    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        os.killpg(pid, signal.SIGKILL)


def _run(moment, command, folder):
    """In the process itself: (exit code, standard error, calls)."""
    calls = _die_at(moment)
    folder.mkdir(exist_ok=True)
    own = Trial(Path(), folder, random.Random(0))
    try:
        ended = own.run(*command)
    except Wrong as error:
        return UNCLEAR, str(error), calls[0]
    except Exception:  # which the driver shows
        return UNCLEAR, traceback.format_exc(), calls[0]
    return ended.code, ended.err, calls[0]


def _die_at(moment):
    """Count the calls of `HOOKED` in a list, and die at the one that `moment` says."""
    calls = [0]

    def hook(name):
        original = getattr(os, name)

        def call(*arguments, **options):
            calls[0] += 1
            now = moment.seconds is None and calls[0] == moment.call
            if now and moment.where == "half" and name in ("replace", "rename") and os.path.isfile(arguments[0]):
                os.truncate(arguments[0], os.path.getsize(arguments[0]) // 2)
            if now and moment.where != "after":
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*arguments, **options)
            if now:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(os, name, call)

    for name in HOOKED:
        hook(name)
    return calls
