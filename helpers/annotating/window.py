"""The window of the annotation scripts: passes events to a session and shows what the session says."""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from helpers.annotating.keys import Typing
from helpers.annotating.session import Session
from helpers.base.errors import UserError
from helpers.base.images import Size

KINDS = {
    cv2.EVENT_MOUSEMOVE: "move",
    cv2.EVENT_LBUTTONDOWN: "down", cv2.EVENT_LBUTTONDBLCLK: "down", cv2.EVENT_LBUTTONUP: "up",
    cv2.EVENT_RBUTTONDOWN: "grab", cv2.EVENT_RBUTTONDBLCLK: "grab", cv2.EVENT_RBUTTONUP: "release",
}  # fmt: skip
IS_LINUX = sys.platform.startswith("linux")
PROBE = "import cv2; cv2.namedWindow('probe', cv2.WINDOW_GUI_NORMAL); cv2.destroyAllWindows()"
WINDOW = (1280, 800)  # pixels: fits on most screens; larger by --window, or by dragging its corner
WAIT = 15  # milliseconds between looks at the keyboard
WHEEL_REST = 0.2  # seconds after which the wheel is taken to rest
FRAME = 60  # pixels that the frame of a window has at most on any side


def parse_window(text: str) -> Size:
    """ "1280x800" as (width, height), for argparse."""
    match = re.fullmatch(r"(\d{3,5})x(\d{3,5})", text)
    if not match:
        raise argparse.ArgumentTypeError(f'"{text}": write WIDTHxHEIGHT in pixels, such as 1280x800')
    return int(match[1]), int(match[2])


def require_display() -> None:
    """Raise `UserError` where no window can be opened.

    On Linux another process tries it first: Qt, which OpenCV uses there, ends the process that asks in vain.
    """
    if IS_LINUX and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UserError("no display: DISPLAY is not set; run this script on a desktop, or over ssh -X")
    if IS_LINUX:
        probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
        failed, said = probe.returncode != 0, probe.stderr
    else:
        failed, said = False, ""
        try:
            cv2.namedWindow("probe")
            cv2.destroyWindow("probe")
        except cv2.error as error:
            failed, said = True, str(error)
    if failed and "not implemented" in said:
        raise UserError("this OpenCV cannot open windows; install opencv-contrib-python, not one named headless")
    if failed:
        display = os.environ.get("DISPLAY", "") if IS_LINUX else ""
        raise UserError(f"no display: a window on DISPLAY={display} cannot be opened; run this script on a desktop")


def run_window(title: str, session: Session, paint: Callable[[Any], np.ndarray], size: Size) -> None:
    """Show a session in a window of size (width, height) until the user quits it or closes the window.

    Args:
        paint: from a view to a picture, uint8 RGB. The picture follows the size of the window.
    """
    mouse, typing = _Mouse(), Typing()
    _open(title, size, mouse)
    session.resize(*size)
    shown, home = None, None
    try:
        while not session.finished:
            view = session.view()
            if view != shown and not mouse.magnified:
                cv2.imshow(title, cv2.cvtColor(paint(view), cv2.COLOR_RGB2BGR))
                shown = view
            code = cv2.waitKeyEx(WAIT)
            for event in mouse.take():
                session.mouse(*event)
            key = typing.key(code)
            if key:
                session.key(key)
            if cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) < 1:
                break
            x, y, width, height = cv2.getWindowImageRect(title)
            if mouse.magnified and time.monotonic() > mouse.wheeled + WHEEL_REST:
                cv2.destroyWindow(title)
                _open(title, (width, height), mouse)
                if home is None or max(abs(x - home[0]), abs(y - home[1])) > FRAME:  # the user has moved it
                    home = x, y
                cv2.moveWindow(title, *home)  # (x, y) may be off by the frame: it would walk down the screen
                mouse.magnified, shown = False, None
            elif width > 0 and height > 0:
                session.resize(width, height)
    finally:
        cv2.destroyAllWindows()


class _Mouse:
    """Keeps what OpenCV says of the mouse until the loop asks for it: OpenCV would swallow an error raised here.

    Under Linux Qt magnifies the picture by itself when the wheel turns, by the session's own factor around the same
    point. It looks right as long as nothing else happens; then only a new window makes Qt forget it.
    """

    def __init__(self) -> None:
        self.events: list[tuple[str, int, int, bool]] = []
        self.magnified, self.wheeled = False, 0.0

    def __call__(self, event: int, x: int, y: int, flags: int, _: object) -> None:
        kind = KINDS.get(event)
        if event in (cv2.EVENT_MOUSEWHEEL, cv2.EVENT_MOUSEHWHEEL):
            kind = ("wheel in" if flags > 0 else "wheel out") if event == cv2.EVENT_MOUSEWHEEL else None
            self.magnified = self.magnified or (IS_LINUX and flags > 0)  # Qt does not shrink what it has not magnified
            self.wheeled = time.monotonic()
        elif self.magnified and kind != "up":
            kind = None  # its position is that in a magnified picture
        if kind:
            self.events.append((kind, x, y, bool(flags & cv2.EVENT_FLAG_SHIFTKEY)))

    def take(self) -> list[tuple[str, int, int, bool]]:
        """The events since the last call, in order: arguments of a session's `mouse`."""
        events, self.events = self.events, []
        return events


def _open(title: str, size: Size, mouse: _Mouse) -> None:
    cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
    cv2.resizeWindow(title, *size)
    cv2.setMouseCallback(title, mouse)
