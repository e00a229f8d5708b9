"""Protects the regions of interest: an object without a ROI is never found, and ROIs that differ from run to run make
every later step differ too. Every engine must see drawn rectangles, stay inside the image and repeat itself; limits,
ranking and the uniform grid are checked by hand.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from settings import settings as settings_of

from fastRCNN.boxes import iou
from fastRCNN.proposals import (
    GridSettings,
    RoiLimits,
    RoiSettings,
    compute_rois,
    even_order,
    filter_mask,
    uniform_grid,
)
from fastRCNN.selective_search import ENGINES, SearchSettings, selective_search

OBJECTS = np.array([[12, 20, 72, 80], [90, 24, 174, 72], [40, 100, 150, 148]])
COLOURS = [(220, 30, 30), (30, 180, 40), (40, 60, 230)]
NO_GRID = settings_of(GridSettings, nr_scales=0)
NO_LIMITS = settings_of(RoiLimits, min_side=0, max_aspect_ratio=1e6)


def drawn_image():
    """200 wide, 160 high: three coloured rectangles on grey, and noise that does not hide them."""
    image = np.full((160, 200, 3), 128, np.float64) + np.random.default_rng(0).normal(0, 3, (160, 200, 3))
    for (x1, y1, x2, y2), colour in zip(OBJECTS, COLOURS, strict=True):
        image[y1:y2, x1:x2] += np.array(colour) - 128.0
    return np.clip(image, 0, 255).astype(np.uint8)


def uniform_image(width, height):
    return np.full((height, width, 3), 90, np.uint8)


def rois_of(image, search, limits=None, grid=None, nms_threshold=0.85):
    """The boxes of `compute_rois` with these settings and the default ones in place of None."""
    given = {name: value for name, value in (("limits", limits), ("grid", grid)) if value}
    rois = compute_rois(image, settings_of(RoiSettings, search=search, nms_threshold=nms_threshold, **given))
    assert (np.diff(rois.origins.astype(int)) >= 0).all() and rois.found.all(), "proposals, then the grid"
    return rois.boxes


def search_with(engine, **knobs):
    """Settings of an engine, or a skipped test where its package is missing."""
    if engine in ("dlib", "selectivesearch"):
        pytest.importorskip(engine, reason=f"the package {engine} is not installed")
    elif engine != "grid" and not hasattr(cv2, "ximgproc"):
        pytest.skip("cv2.ximgproc is missing: opencv-contrib-python is not installed")
    return settings_of(SearchSettings, engine=engine, **knobs)


def assert_inside(boxes, width, height):
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [width, height]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()


every_engine = pytest.mark.parametrize("engine", ENGINES)
searching_engine = pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "grid"])


def test_engine_sees_the_scaled_image_and_its_boxes_are_scaled_back(monkeypatch):
    seen = []

    def engine(image, settings, max_side):
        seen.append(image.shape)
        return [(0, 0, image.shape[1], image.shape[0]), (15, 10, 30, 20)]

    monkeypatch.setitem(ENGINES, "grid", engine)
    # 300 x 200 pixels searched at half the size, then as they are: images are never enlarged
    boxes = selective_search(uniform_image(300, 200), settings_of(SearchSettings, engine="grid", max_image_side=150))
    assert boxes.tolist() == [[0, 0, 300, 200], [30, 20, 60, 40]]
    boxes = selective_search(uniform_image(300, 200), settings_of(SearchSettings, engine="grid", max_image_side=1000))
    assert boxes.tolist() == [[0, 0, 300, 200], [15, 10, 30, 20]]
    assert seen == [(100, 150, 3), (200, 300, 3)]


@pytest.mark.slow
@searching_engine
@pytest.mark.parametrize("max_image_side", [100, 400])
def test_engine_finds_drawn_rectangles(engine, max_image_side):
    search = search_with(engine, max_image_side=max_image_side)
    boxes = selective_search(drawn_image(), search)
    assert boxes.dtype == np.float32 and boxes.shape[1] == 4
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [200, 160]).all()
    best = iou(OBJECTS, boxes).max(axis=1)
    assert best.min() > 0.8, best  # selectivesearch blurs edges by a pixel of the searched size
    rois = rois_of(drawn_image(), search, grid=NO_GRID)
    best = iou(OBJECTS, rois).max(axis=1)
    assert best.min() > 0.7, best  # of near duplicates one is kept, not always the best
    assert_inside(rois, 200, 160)
    # the same again, although OpenCV's random numbers have gone on
    assert np.array_equal(rois, rois_of(drawn_image(), search, grid=NO_GRID))


@searching_engine
def test_a_region_that_fills_the_image_is_framed_by_its_border(engine):
    boxes = selective_search(uniform_image(80, 60), search_with(engine))
    assert np.unique(boxes, axis=0).tolist() == [[0, 0, 80, 60]]


@every_engine
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 3), (5, 400), (400, 5), (30, 30)])
@pytest.mark.parametrize("noise", [False, True])
def test_tiny_narrow_and_plain_images(engine, width, height, noise):
    image = uniform_image(width, height)
    if noise:  # grey: three equal channels
        image[:] = np.random.default_rng(0).integers(0, 256, (height, width, 1))
    grid = settings_of(
        GridSettings, nr_scales=12 if max(width, height) > 100 else 5
    )  # down to squares of 400 / 1.5**11 = 4.6
    rois = rois_of(image, search_with(engine), NO_LIMITS, grid)
    assert (rois == rois.astype(np.int32)).all() and rois.ndim == 2 and rois.shape[1] == 4
    assert_inside(rois, width, height)
    assert len(rois) > 0 and len(np.unique(rois, axis=0)) == len(rois)
    if width == height:  # the grid's greatest box is there at the least
        assert [0, 0, width, height] in rois.tolist()


def test_rois_are_whole_pixels_inside_the_image_whatever_the_engine_says(monkeypatch):
    boxes = [(-3.2, -1, 20.6, 15.4), (10, 10, 41, 31), (50, 5, 60, 15), (0.4, 0.3, 20.7, 15.1)]
    monkeypatch.setitem(ENGINES, "grid", lambda image, settings, max_side: boxes)
    rois = rois_of(
        uniform_image(40, 30), settings_of(SearchSettings, engine="grid"), NO_LIMITS, NO_GRID, nms_threshold=1.0
    )
    # the third is outside, the fourth becomes a double of the first
    assert sorted(rois.tolist()) == [[0, 0, 21, 15], [10, 10, 40, 30]]


def test_no_roi_within_the_limits():
    rois = rois_of(
        uniform_image(80, 60),
        settings_of(SearchSettings, engine="grid"),
        settings_of(RoiLimits, min_side=0.9, max_side=0.5),
    )
    assert rois.shape == (0, 4)


def test_unknown_engine_and_missing_package(monkeypatch):
    with pytest.raises(ValueError, match="no-such-engine.*opencv-fast.*grid"):
        selective_search(uniform_image(8, 8), settings_of(SearchSettings, engine="no-such-engine"))
    monkeypatch.setitem(sys.modules, "dlib", None)  # as if it were not installed
    with pytest.raises(ImportError, match="dlib.*pip install"):
        selective_search(uniform_image(8, 8), settings_of(SearchSettings, engine="dlib"))


@every_engine
def test_rois_keep_to_the_limits_and_proposals_come_first(engine):
    search = search_with(engine, max_image_side=120)
    limits = settings_of(RoiLimits, min_side=0.1, max_side=0.5, min_area=0.02, max_area=0.2, max_aspect_ratio=2.0)
    rois = rois_of(drawn_image(), search, limits)
    sides = (rois[:, 2:] - rois[:, :2]).astype(np.float64)
    area, ratio = sides.prod(axis=1) / 200**2, sides.max(axis=1) / sides.min(axis=1)
    assert sides.min() >= 20 and sides.max() <= 100 and ratio.max() <= 2
    assert area.min() >= 0.02 - 1e-6 and area.max() <= 0.2 + 1e-6
    assert len(np.unique(rois, axis=0)) == len(rois)
    proposals = rois_of(drawn_image(), search, limits, NO_GRID)
    assert (len(proposals) > 0) == (engine != "grid") and len(rois) > len(proposals)
    assert np.array_equal(rois[: len(proposals)], proposals)


def fingerprint():
    """A hash of the ROIs of every installed engine."""
    digest = hashlib.sha256()
    for engine in ENGINES:
        try:
            digest.update(
                rois_of(drawn_image(), settings_of(SearchSettings, engine=engine, max_image_side=120)).tobytes()
            )
        except ImportError:
            digest.update(engine.encode())
    return digest.hexdigest()


@pytest.mark.slow
def test_two_processes_compute_the_same_rois():
    code = "import sys; sys.path[:0] = ['.', 'tests', 'tests/fastRCNN']\n"
    code += "import test_proposals\nprint(test_proposals.fingerprint())"
    root = Path(__file__).resolve().parents[2]
    environment = dict(os.environ, PYTHONHASHSEED="1", OMP_NUM_THREADS="1")
    other = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert other.returncode == 0, other.stderr
    assert other.stdout.split()[-1] == fingerprint()


def test_filter_mask_by_hand():
    # 256 x 128 pixels, lengths in units of 256: sides of 32 to 128 pixels, areas of 1/32 = 2048 to 1/8 = 8192 pixels
    limits = settings_of(
        RoiLimits, min_side=1 / 8, max_side=1 / 2, min_area=1 / 32, max_area=1 / 8, max_aspect_ratio=2.0
    )
    cases = {
        (64, 64): True,
        (32, 64): True,  # least side, least area, greatest ratio
        (64, 32): True,
        (31, 62): False,  # too narrow, too small
        (40, 50): False,  # too small: 2000
        (128, 64): True,  # greatest side, greatest area, greatest ratio
        (129, 65): False,  # too wide
        (96, 96): False,  # too large: 9216
        (60, 121): False,  # ratio above 2
        (121, 60): False,
        (0, 64): False,
    }
    boxes = np.array([[7, 5, 7 + width, 5 + height] for width, height in cases])
    assert filter_mask(boxes, 256, 128, limits).tolist() == list(cases.values())
    # the longer side is the unit, be it the height
    assert filter_mask(boxes, 128, 256, limits).tolist() == list(cases.values())
    assert filter_mask(np.zeros((0, 4)), 256, 128, limits).tolist() == []
    # boxes without width or height never pass, nor do reversed ones
    assert not filter_mask([[5, 5, 5, 9], [5, 5, 9, 5], [9, 9, 5, 5]], 256, 128, NO_LIMITS).any()


def test_even_order_is_a_permutation_with_even_beginnings():
    for count in (0, 1, 2, 3, 10, 89, 1000):
        order = even_order(count)
        assert sorted(order.tolist()) == list(range(count))
        for length in range(1, count + 1):
            # no gap is more than twice as long as even steps would leave
            gaps = np.diff(np.sort(np.concatenate([[-1], order[:length], [count]])))
            assert gaps.max() <= 2 * count / length + 1


def test_uniform_grid_by_hand():
    # 200 x 100 pixels: a square of 200 does not fit; one of 100 at x = 0, 50, 100; squares of 50 at x = 0, 25, ... 150
    # and y = 0, 25, 50
    grid = settings_of(GridSettings, nr_scales=3, aspect_ratios=(1.0,), downscale_ratio=2.0, step=0.5)
    boxes = uniform_grid(200, 100, NO_LIMITS, grid)
    expected = [[x, 0, x + 100, 100] for x in (0, 50, 100)]
    expected += [[x * 25, y * 25, x * 25 + 50, y * 25 + 50] for x in range(7) for y in range(3)]
    assert sorted(boxes.tolist()) == sorted(expected)
    assert boxes.dtype == np.float32
    # borders are met and steps are no longer than wanted: 120 - 60 = 60 are 2.5 steps of 0.4 * 60 = 24, so three of 20
    grid = settings_of(GridSettings, nr_scales=2, aspect_ratios=(1.0,), downscale_ratio=2.0, step=0.4)
    assert sorted(uniform_grid(120, 60, NO_LIMITS, grid).tolist()) == [[x, 0, x + 60, 60] for x in (0, 20, 40, 60)]
    # 4 = width / height: 200 wide and 50 high have the area of a square of 100, a quarter of the longer side's square
    grid = settings_of(GridSettings, nr_scales=1, aspect_ratios=(4.0,))
    boxes = uniform_grid(200, 100, settings_of(RoiLimits, max_area=0.25), grid)
    assert sorted(boxes.tolist()) == [[0, y, 200, y + 50] for y in (0, 25, 50)]
    assert uniform_grid(200, 100, NO_LIMITS, NO_GRID).shape == (0, 4)


@pytest.mark.parametrize(("width", "height"), [(300, 300), (640, 480), (375, 500)])
def test_uniform_grid_goes_round_the_sizes_and_covers_the_image_early(width, height):
    boxes = uniform_grid(width, height, settings_of(RoiLimits, min_side=0.02, max_side=0.5), settings_of(GridSettings))
    assert_inside(boxes, width + 1e-3, height + 1e-3)
    sizes = np.round(boxes[:, 2:] - boxes[:, :2]).astype(int)
    kinds, kind, counts = np.unique(sizes, axis=0, return_inverse=True, return_counts=True)
    assert len(kinds) >= 15
    for length in (20, 100, 500):
        so_far = np.bincount(kind.ravel()[:length], minlength=len(kinds))
        unfinished = so_far[so_far < counts]
        assert unfinished.max() - unfinished.min() <= 1  # each size has had its turn
    points = np.stack(np.meshgrid(np.arange(0.5, width, 15), np.arange(0.5, height, 15)), axis=-1).reshape(-1, 1, 2)
    inside = ((points > boxes[:, :2]) & (points < boxes[:, 2:])).all(axis=2)  # (points, boxes)
    assert inside[:, :120].any(axis=1).mean() > 0.97
    for k in range(len(kinds)):  # and each size covers all of it in the end
        assert inside[:, kind.ravel() == k].any(axis=1).all(), kinds[k]


def test_no_grid_box_is_lost_by_rounding():
    # side 300 * sqrt(0.1) = 94.9 at ceil((300 - 94.9) / 47.4) + 1 = 6 places along each axis
    limits, grid = settings_of(RoiLimits, max_area=0.1), settings_of(GridSettings, nr_scales=1, aspect_ratios=(1.0,))
    assert len(uniform_grid(300, 300, limits, grid)) == 36
    assert len(rois_of(uniform_image(300, 300), settings_of(SearchSettings, engine="grid"), limits, grid)) == 36


def test_limits_for_small_objects_give_a_small_grid():
    # sides from 11.5 to 17.3 pixels: the smaller ones of seven sizes would be millions
    boxes = uniform_grid(640, 480, RoiLimits(0.018, 0.027, 0.0, 1.0, 1.2), settings_of(GridSettings))
    assert 1000 < len(boxes) < 20_000
    assert filter_mask(boxes, 640, 480, RoiLimits(0.018, 0.027, 0.0, 1.0, 1.2)).all()
