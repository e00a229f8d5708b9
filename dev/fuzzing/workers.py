"""A process for each case, forked from this one, which has loaded everything: a case takes milliseconds to start, and
whatever it does to itself, a crash, an endless loop, all the memory, ends with it.
"""

import contextlib
import gc
import json
import os
import random
import re
import resource
import selectors
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from fuzzing.trials import HANG, MEMORY, TRACEBACK, Trial, try_case


@dataclass(frozen=True)
class Limits:
    """What a case may take: seconds of CPU time, and bytes beyond those that this process has already."""

    seconds: float = 20.0
    memory: int = 1500 * 2**20
    file: int = 2**30

    @property
    def deadline(self):
        """Seconds on the clock, generous: other programs compete for the processor."""
        return 6 * self.seconds + 30


@dataclass(frozen=True)
class Result:
    """What became of case `number` of a kind: an outcome, details, the cause by which equal ones are grouped, what was
    done, and the seconds it took."""

    kind: str
    number: int
    outcome: str
    details: str
    cause: str
    done: list
    seconds: float


def trial_random(seed, kind, number):
    """The source of randomness of one case, whatever other cases run."""
    return random.Random(f"{seed} {kind} {number}")


def run_cases(cases, base, folder, seed, limits=Limits(), jobs=2):
    """Run cases [(`Kind`, number)] in up to `jobs` processes at a time; yields a `Result` each, as they end.

    base: see `Trial`; folder: where the cases have their folders, which are deleted, unless there is one case only.
    """
    gc.collect()
    gc.freeze()  # the collector of a copy of this process would touch, and so copy, all of its memory
    waiting, keep = list(reversed(cases)), len(cases) == 1
    with selectors.DefaultSelector() as selector:
        running = {}
        while waiting or running:
            while waiting and len(running) < jobs:
                kind, number = waiting.pop()
                own = Path(folder, f"{kind.name}-{number}".replace(" ", "_"))
                pid, pipe = _start(kind, number, base, own, seed, limits)
                running[pipe] = kind, number, own, pid, time.monotonic()
                selector.register(pipe, selectors.EVENT_READ)
            for key, _ in selector.select(timeout=0.5):
                selector.unregister(key.fileobj)
                kind, number, own, pid, start = running.pop(key.fileobj)
                yield _end(kind, number, pid, key.fileobj, time.monotonic() - start, limits)
                if not keep:
                    shutil.rmtree(own, ignore_errors=True)
            for pid, start in [(entry[3], entry[4]) for entry in running.values()]:
                if time.monotonic() - start > limits.deadline:
                    os.killpg(pid, signal.SIGKILL)


def _start(kind, number, base, own, seed, limits):
    """Fork a process that tries a case; returns its id and the end of a pipe that its answer comes from."""
    own.mkdir(parents=True)
    reader, writer = os.pipe()
    sys.stdout.flush(), sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writer)
        with contextlib.suppress(PermissionError, ProcessLookupError):  # it may have done so already, or have ended
            os.setpgid(pid, pid)
        return pid, reader
    try:
        os.setpgid(0, 0)
        os.close(reader)
        _limit(limits)
        os.chdir(own)
        trial, held = Trial(Path(base), own, trial_random(seed, kind.name, number)), _peak_memory()
        outcome, details, cause = try_case(kind, trial)
        answer = json.dumps([outcome, details, cause, trial.done, _peak_memory() - held])
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(answer.encode("utf-8", "backslashreplace"))
    finally:
        os._exit(0)  # neither the buffers nor the clean-up of the process that this one is a copy of


def _peak_memory():
    """The most bytes that this process has held. getrusage would count those of the program that started it as well."""
    if sys.platform == "linux":
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _limit(limits):
    seconds = int(limits.seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file, limits.file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * resource.getpagesize() + limits.memory
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _end(kind, number, pid, pipe, seconds, limits):
    """The `Result` of a process whose pipe has something to say, or was closed."""
    with os.fdopen(pipe, "rb") as file:
        answer = file.read()
    _, status, usage = os.wait4(pid, 0)
    if answer:
        outcome, details, cause, done, grown = json.loads(answer)
        if grown > limits.memory * 0.6:  # one that was refused memory may have called that an error of the user's
            return Result(kind.name, number, MEMORY, f"took {grown / 2**20:.0f} MB", "grew", done, seconds)
        return Result(kind.name, number, outcome, details, cause, done, seconds)
    killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if killed in (signal.SIGXCPU, signal.SIGKILL):
        text = f"no end after {usage.ru_utime + usage.ru_stime:.0f} s of CPU time, {seconds:.0f} s on the clock"
        return Result(kind.name, number, HANG, text, "no end", [], seconds)
    name = signal.Signals(killed).name if killed else f"exit code {os.waitstatus_to_exitcode(status)}"
    return Result(kind.name, number, TRACEBACK, f"the process died of {name}", f"died of {name}", [], seconds)
