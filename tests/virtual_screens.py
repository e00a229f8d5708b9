"""A screen of their own for tests that open windows, where Xvfb is installed."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import ImageGrab
from project import ROOT

PATIENCE = 60  # seconds


MISSING = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]


# without a window manager, Qt now and then leaves a window black or deaf for good: such a test starts again
again = pytest.mark.flaky(reruns=3)


def wait_for(condition, what):
    """What `condition` returns as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE} seconds: {what}")


class Screen:
    """A virtual screen, its mouse and its keys."""

    def __init__(self, display):
        self.display = display
        self.environment = {**os.environ, "DISPLAY": display, "OMP_NUM_THREADS": "1"}
        self.environment.pop("WAYLAND_DISPLAY", None)

    def do(self, *words):
        subprocess.run(["xdotool", *map(str, words)], env=self.environment, check=True, capture_output=True)

    def picture(self):
        return np.asarray(ImageGrab.grab(xdisplay=self.display).convert("RGB"))

    def act(self, *words):
        """`do`, and wait until something else is seen, for a moment unchanged."""
        before = self.picture()
        self.do(*words)
        wait_for(lambda: not np.array_equal(self.picture(), before), f"another picture after {words}")
        wait_for(self.rests, "a picture that rests")

    def rests(self):
        before = self.picture()
        time.sleep(0.15)
        return np.array_equal(before, self.picture())

    def drag(self, first, second):
        self.act("mousemove", *first)
        self.act("mousedown", 1, "mousemove", *second)
        self.act("mouseup", 1)

    def start(self, script, *arguments):
        """Start a script and wait for its picture.

        On a screen without a window manager Qt leaves about one window in a hundred black for good, even one that
        shows a single picture, so that a black one is started again.
        """
        for _ in range(4):
            process = subprocess.Popen(
                [sys.executable, script, *map(str, arguments), "--window", "900x600"],
                cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            end = time.monotonic() + PATIENCE / 3
            while time.monotonic() < end:
                if self.picture()[:600, :900].mean() > 20 and all(self.rests() for _ in range(4)):
                    return process
                assert process.poll() is None, process.communicate()
            process.kill()
            process.communicate()
        raise AssertionError(f"{script} shows no picture")


@contextlib.contextmanager
def virtual_screen(size="1000x700"):
    """A `Screen` of its own, of so many pixels."""
    read_end, write_end = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{size}x24", "-noreset", "-nolisten", "tcp"],
        pass_fds=[write_end], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write_end)
    with os.fdopen(read_end) as file:
        display = f":{file.readline().strip()}"  # Xvfb takes a free number and tells it
    try:
        yield Screen(display)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
