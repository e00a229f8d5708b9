"""What all benchmarks share: fair timing, and a line that says on what machine.

Absolute seconds of a small machine drift from hour to hour. The contenders of a benchmark therefore take turns within
one run, and what is compared are medians: what slows the machine down for a while slows all of them down.
"""

import os
import platform
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import cv2
import torch

from helpers.base.errors import UserError
from helpers.base.memory import keep_freed_memory

BUSY = 0.3  # of the cores in use by other programs at the start, from which on the output warns


@dataclass
class Measured:
    """One contender: the seconds of each of its turns, and what each turn returned."""

    seconds: list = field(default_factory=list)
    results: list = field(default_factory=list)

    @property
    def median(self):
        return statistics.median(self.seconds)

    def text(self, factor=1.0, digits=3):
        """Median, least and greatest time: "0.523 (0.501-0.702)"; factor: 1000 for milliseconds."""
        numbers = (self.median, min(self.seconds), max(self.seconds))
        return "{} ({}-{})".format(*(f"{factor * number:.{digits}f}" for number in numbers))


def interleaved(contenders, rounds, warm_up=True):
    """Let the contenders take turns on every round's input: every other round in reverse order.

    contenders: name -> function of one argument; rounds: the arguments, one a round; warm_up: each contender runs once
    on the first argument before anything is timed. Returns name -> `Measured`.
    """
    measured = {name: Measured() for name in contenders}
    for number, argument in enumerate(rounds):
        if number == 0 and warm_up:
            for run in contenders.values():
                run(argument)
        names = list(contenders)
        for name in reversed(names) if number % 2 else names:
            start = time.perf_counter()
            result = contenders[name](argument)
            measured[name].seconds.append(time.perf_counter() - start)
            measured[name].results.append(result)
    return measured


def one_thread():
    """From here on torch and OpenCV compute on one core."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def finish(device):
    """Wait until the device has computed what it was told to: a GPU is still at work when the call returns."""
    if torch.device(device).type != "cpu":
        torch.accelerator.synchronize()


def spread(items, count):
    """At most `count` of the items, evenly spread over all of them."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def peak_memory():
    """The most memory that this process has held so far, in GB; not a number on a system that does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()  # unlike getrusage, not inherited from the parent
        return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        import resource  # not on Windows
    except ImportError:
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def in_fresh_process(function, *arguments, method="spawn"):
    """The function's result, computed in a new process, which has used no memory yet.

    method: of Python's multiprocessing; a "forkserver" can have imported already what every process needs.
    """
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as processes:
        try:
            return processes.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            raise UserError("a process was killed, most likely for lack of memory: see --help for less work") from error


def machine():
    """One line: processor, cores, threads of torch, versions."""
    return (
        f"{_processor()}, {os.cpu_count()} cores ({torch.get_num_threads()} threads used by torch), "
        f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}, OpenCV {cv2.__version__}"
    )


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def load_warning():
    """A line that warns of other programs on this machine; "" where there are few, or the system does not tell."""
    try:
        load, cores = os.getloadavg()[0], os.cpu_count()
    except (AttributeError, OSError):
        return ""
    if load <= BUSY * cores:
        return ""
    return (
        f"NOTE: {load:.1f} programs were running on {cores} cores in the minute before this one started: "
        "trust the ratios more than the seconds, or wait and measure again"
    )


def announce():
    """Print the machine, and the warning if there is reason for one. Call it first: a benchmark is a load itself.

    From here on memory is kept as in the scripts.
    """
    keep_freed_memory()
    print(machine())
    if warning := load_warning():
        print(warning)
