"""Protects the geometry of the annotation windows: window to image and back, boxes, edges and buttons."""

import numpy as np
import pytest
from annotating import SIZE

from helpers.annotating.geometry import (
    box_under,
    dragged_box,
    edges_under,
    fit_image,
    lay_out_buttons,
    region_around,
    tidy_box,
)


def test_a_large_image_is_scaled_to_the_window_and_back():
    fit = fit_image((4000, 3000), (10, 10, 800, 700))  # factor 0.2: 800 x 600, 50 above and below
    assert (fit.shown, fit.left, fit.top) == ((800, 600), 10, 60)
    assert fit.to_screen((0, 0, 4000, 3000)) == (10, 60, 810, 660)
    assert fit.to_image(410, 360) == (2000, 1500)
    assert fit.to_image(-50, 9999) == (0, 3000)  # clamped at the border


@pytest.mark.parametrize(
    "box, tidy",
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((30, 40, 10, 20), (10, 20, 30, 40)),  # reversed
        ((-5, 20.5, 30, 99), (0, 20.5, 30, 80)),  # sticks out
        ((200, 10, 300, 20), (99, 10, 100, 20)),  # lies outside
        ((40, 10, 40, 20), (40, 10, 41, 20)),  # empty
    ],
)
def test_boxes_are_put_in_order(box, tidy):
    assert tidy_box(box, SIZE) == tidy


def test_the_smallest_box_under_the_mouse():
    boxes = [(0, 0, 100, 100), (20, 20, 40, 40), (20, 20, 40, 40)]
    assert box_under(boxes, 30, 30) == 2  # of equal ones the last, which is on top
    assert box_under(boxes, 60, 60) == 0
    assert box_under(boxes, 103, 60) is None and box_under(boxes, 103, 60, reach=4) == 0
    assert box_under([], 1, 1) is None


@pytest.mark.parametrize(
    "point, held",
    [
        ((103, 150), (0, (0,))),  # the left edge
        ((150, 297), (0, (3,))),  # the lower one
        ((96, 104), (0, (0, 1))),  # the upper left corner
        ((302, 299), (0, (2, 3))),
        ((150, 150), None),  # inside
        ((90, 150), None),  # too far
    ],
)
def test_edges_and_corners_under_the_mouse(point, held):
    assert edges_under([(100, 100, 300, 300)], *point) == held


def test_an_edge_may_pass_the_opposite_one():
    assert dragged_box((10, 10, 50, 50), (0,), (70, 99)) == (50, 10, 70, 50)
    assert dragged_box((10, 10, 50, 50), (2, 3), (60, 5)) == (10, 5, 60, 10)


def test_region_around_stay_inside_the_image():
    assert region_around((10, 10, 50, 30), (100, 80), margin=0.5, least=0) == (0, 0, 70, 50)


@pytest.mark.parametrize("count", [1, 3, 18, 30, 82])
def test_buttons_lie_apart_and_inside_their_part(count):
    buttons = lay_out_buttons(count, (900, 10, 280, 700))
    taken = np.zeros((800, 1300), int)
    for x1, y1, x2, y2 in buttons:
        assert 900 <= x1 < x2 <= 1180 and 10 <= y1 < y2 <= 712
        taken[y1:y2, x1:x2] += 1
    assert len(buttons) == count and taken.max() == 1
