"""Protects both annotation scripts in a real window on a virtual screen: mouse, keys and files.

They run wherever Xvfb and xdotool are installed (apt-get install xvfb xdotool), on a screen of their own. A slow
machine loses keys that come too fast, so each step waits until the picture or the files have changed.
"""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image, features
from project import ROOT
from virtual_screens import MISSING, PATIENCE, again, virtual_screen, wait_for

MISSING += [] if features.check("xcb") else ["Pillow with xcb"]
on_screen = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} missing; on Debian and Ubuntu: apt-get install xvfb xdotool"
)


@pytest.fixture
def screen():
    with virtual_screen() as screen:
        yield screen


@pytest.fixture
def folder(tmp_path):
    """1.jpg, 880 x 546 pixels, fills the window at factor 1, at (10, 10); 2.jpg has a quarter of its pixels."""
    for name, size in (("1", (880, 546)), ("2", (440, 273))):
        Image.new("RGB", size, (90, 120, 150)).save(tmp_path / f"{name}.jpg")
    return tmp_path


def finish(screen, process):
    screen.do("key", "q")
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output


def rows(path):
    return [[float(value) for value in line.split("\t")] for line in path.read_text().splitlines()]


@again
@on_screen
def test_boxes_are_drawn_and_then_named(screen, folder):
    process = screen.start("A1_annotateImages.py", folder)
    first, second = folder / "1.bboxes.tsv", folder / "2.bboxes.tsv"
    screen.drag((110, 110), (310, 260))
    wait_for(first.exists, "the first box")
    screen.drag((600, 500), (400, 300))
    assert np.allclose(rows(first), [[100, 100, 300, 250], [390, 290, 590, 490]], atol=1)
    screen.act("key", "u")
    assert np.allclose(rows(first), [[100, 100, 300, 250]], atol=1)
    before = screen.picture()
    screen.act("key", "h")
    assert screen.picture().mean() < before.mean()
    screen.act("key", "h")
    screen.act("key", "n")
    screen.drag((110, 110), (310, 260))
    assert np.allclose(rows(second), [[50, 50, 150, 125]], atol=1)
    assert "2 of 2 images done, 2 boxes" in finish(screen, process)

    process = screen.start("A2_annotateLabels.py", folder, "--set", "classes=apple,pear")
    screen.act("key", "2")
    assert (folder / "1.bboxes.labels.tsv").read_text() == "pear\n"
    screen.act("mousemove", 750, 30)  # over the first button
    screen.act("click", 1)
    assert (folder / "2.bboxes.labels.tsv").read_text() == "apple\n"
    assert "named 2 of 2 boxes" in finish(screen, process)


@again
@on_screen
def test_the_first_class_is_typed(screen, folder):
    (folder / "1.bboxes.tsv").write_text("100\t100\t300\t250\n10\t10\t90\t90\n")
    process = screen.start("A2_annotateLabels.py", folder)
    screen.do("mousemove", 300, 400)
    screen.act("key", "m")
    for key in ("u", "g", "x", "BackSpace"):
        screen.act("key", key)
    screen.act("key", "Return")
    labels = folder / "1.bboxes.labels.tsv"
    assert labels.read_text() == "mug\n"
    screen.act("key", "1")
    assert labels.read_text() == "mug\nmug\n"
    assert "named 2 of 2 boxes" in finish(screen, process)


@again
@on_screen
def test_the_wheel_zooms_to_a_small_object(screen, folder):
    process = screen.start("A1_annotateImages.py", folder)
    screen.act("mousemove", 310, 210)  # the point (300, 200) of the image
    before = screen.picture()
    for _ in range(10):
        screen.do("click", 4)
    wait_for(lambda: not np.array_equal(screen.picture()[:500], before[:500]), "a larger picture")
    time.sleep(1)
    wait_for(screen.rests, "a picture that rests")
    side = 10 * 1.1**10
    screen.do("mousedown", 1)
    screen.act("mousemove", round(310 + side), round(210 + side))
    screen.act("mouseup", 1)
    wait_for((folder / "1.bboxes.tsv").exists, "a box")
    assert np.allclose(rows(folder / "1.bboxes.tsv"), [[300, 200, 310, 210]], atol=1)
    screen.act("key", "Left")
    screen.act("key", "0")
    assert screen.picture()[215, 315].mean() > 0
    finish(screen, process)


@again
@on_screen
def test_a_turn_of_the_wheel_and_a_window_of_another_size_do_no_harm(screen, folder):
    process = screen.start("A1_annotateImages.py", folder)
    screen.act("mousemove", 300, 200)
    screen.do("click", 4)
    time.sleep(1)
    wait_for(screen.rests, "a picture that rests")
    screen.act("key", "0")
    screen.drag((110, 110), (310, 260))
    wait_for((folder / "1.bboxes.tsv").exists, "a box")
    screen.act("search", "--onlyvisible", "--name", "A1 annotate", "windowsize", 500, 327)  # 440 x 273 at (30, 10)
    screen.drag((230, 110), (280, 210))
    assert np.allclose(rows(folder / "1.bboxes.tsv"), [[100, 100, 300, 250], [400, 200, 500, 400]], atol=2)
    finish(screen, process)


@again
@on_screen
def test_a_killed_script_has_lost_nothing_and_goes_on(screen, folder):
    process = screen.start("A1_annotateImages.py", folder)
    screen.drag((110, 110), (310, 260))
    process.kill()
    process.communicate()
    assert np.allclose(rows(folder / "1.bboxes.tsv"), [[100, 100, 300, 250]], atol=1)
    assert not list(folder.glob(".*"))
    wait_for(lambda: screen.picture().mean() < 1, "the window to go")
    process = screen.start("A1_annotateImages.py", folder)
    screen.act("mousemove", 200, 200)
    screen.do("key", "n")  # 2.jpg: the first one without boxes
    wait_for((folder / "2.bboxes.tsv").exists, "an image without objects")
    assert "2 of 2 images done, 1 box, 1 without objects" in finish(screen, process)


@again
@on_screen
def test_a_file_that_cannot_be_written_ends_the_script_in_one_line(screen, folder):
    process = screen.start("A1_annotateImages.py", folder)
    (folder / "1.bboxes.tsv").mkdir()  # nothing can take its place
    screen.act("mousemove", 110, 110)
    screen.act("mousedown", 1, "mousemove", 310, 260)
    screen.do("mouseup", 1)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and errors.count("\n") == 1
    assert "cannot be written" in errors and "1.bboxes.tsv" in errors and not list(folder.glob(".*"))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="DISPLAY is a matter of X11")
@pytest.mark.parametrize("display, part", [("", "DISPLAY is not set"), (":987", "DISPLAY=:987 cannot be opened")])
def test_without_a_display_one_line_says_so(folder, display, part):
    environment = {**os.environ, "DISPLAY": display}
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, "A1_annotateImages.py", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("ERROR: no display: ") and part in done.stderr and done.stderr.count("\n") == 1
