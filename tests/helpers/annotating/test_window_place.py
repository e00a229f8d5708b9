"""Protects where the annotation window stands after the wheel was turned, which takes a new window each time: a window
manager that puts its frame where OpenCV was told to put the picture must not let it walk over the screen."""

from types import SimpleNamespace

import cv2
import numpy as np

from helpers.annotating import window as annotation_window

FRAME = 1, 20  # pixels to the left of the picture and above it


class Desk:
    """A window manager in place of OpenCV's windows; `script` has what happens while a key is waited for."""

    def __init__(self, script):
        self.script, self.place, self.places, self.session = script, (120, 115), [], SimpleNamespace(finished=False)
        self.session.view = self.session.resize = self.session.mouse = lambda *_: None

    def __getattr__(self, name):
        return getattr(cv2, name) if name.isupper() else lambda *_: None

    def setMouseCallback(self, title, mouse):
        self.mouse = mouse

    def moveWindow(self, title, x, y):
        self.place = x + FRAME[0], y + FRAME[1]

    def waitKeyEx(self, wait):
        self.places.append(self.place)
        if not self.script:
            self.session.finished = True
            return -1
        moved = self.script.pop(0)
        self.place = moved or self.place
        self.mouse(cv2.EVENT_MOUSEWHEEL, 5, 5, 1, None)
        self.mouse.wheeled -= 1  # it rests
        return -1

    def getWindowProperty(self, title, what):
        return 1

    def getWindowImageRect(self, title):
        return *self.place, 640, 480


def places(monkeypatch, script):
    desk = Desk(script)
    monkeypatch.setattr(annotation_window, "cv2", desk)
    annotation_window.run_window("window", desk.session, lambda view: np.zeros((4, 4, 3), np.uint8), (640, 480))
    return desk.places


def test_the_window_stays_where_it_is_when_the_wheel_turns(monkeypatch):
    monkeypatch.setattr(annotation_window, "IS_LINUX", True)
    assert places(monkeypatch, [None] * 20)[-1] == (121, 135)  # off by one frame, however often
    assert places(monkeypatch, [(0, 0), None, None])[-1] == FRAME


def test_the_window_stays_where_the_user_has_moved_it(monkeypatch):
    monkeypatch.setattr(annotation_window, "IS_LINUX", True)
    assert places(monkeypatch, [None, (500, 300), None, None])[-1] == (501, 320)
