"""Protects the compiled selective search: the same regions, pairs and groupings as plain Python that works another way,
growing arrays, the same boxes from any memory layout and thread, and a fallback where numba is not there.
"""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from project import ROOT
from settings import settings as settings_of

from fastRCNN.boxes import iou
from fastRCNN.selective_search import SearchSettings, selective_search

pytest.importorskip("numba")

from fastRCNN.fast_search.colours import COLOUR_SPACES, TOP, UNIT, blurred
from fastRCNN.fast_search.grouping import ONE, group, pixel_bins, region_features
from fastRCNN.fast_search.search import GROUPINGS, search
from fastRCNN.fast_search.segmentation import pixel_regions, region_pairs, sorted_edges

SPACES = sorted(COLOUR_SPACES)
SETTINGS = settings_of(SearchSettings, engine="fast")


def photo(seed=3, rows=5, columns=6, noise=6):
    """Patches of 6 x 7 pixels in random colours, with grain: uint8 RGB."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (rows, columns, 3)).repeat(6, 0).repeat(7, 1)
    return np.clip(coarse + random.normal(0, noise, coarse.shape), 0, 255).astype(np.uint8)


# --- colours ---


def test_blur_keeps_what_is_even_and_the_mean():
    assert (blurred(np.full((5, 7, 3), 100, np.uint8)) == 100 * UNIT).all()
    point = np.zeros((5, 5, 3), np.uint8)
    point[2, 2] = 255
    smooth = blurred(point)[..., 0] / (255 * UNIT)
    near, here = 27 / 256, 202 / 256
    assert smooth[2, 2] == pytest.approx(here**2, abs=1e-3) and smooth[2, 1] == pytest.approx(here * near, abs=1e-3)
    assert smooth[1, 1] == pytest.approx(near**2, abs=1e-3) and smooth.sum() == pytest.approx(1, abs=2e-3)


def test_lab_is_that_of_scikit_image():
    color = pytest.importorskip("skimage.color")
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    lab = COLOUR_SPACES["lab"](image.astype(np.int32) * UNIT) / UNIT
    wanted = color.rgb2lab(image) * [2.55, 1, 1] + [0, 128, 128]
    assert np.abs(lab - wanted).max() < 1.5, "of 255"


def test_hsv_is_that_of_colorsys():
    import colorsys  # noqa: PLC0415

    image = np.random.default_rng(1).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    found = COLOUR_SPACES["hsv"](image.astype(np.int32) * UNIT) / UNIT
    for pixel, (hue, saturation, value) in zip(image.reshape(-1, 3), found.reshape(-1, 3), strict=True):
        wanted = colorsys.rgb_to_hsv(*(pixel / 255))
        turn = abs(hue / 180 - wanted[0])
        assert min(turn, 1 - turn) < 0.01
        assert saturation / 255 == pytest.approx(wanted[1], abs=0.01)
        assert value / 255 == pytest.approx(wanted[2], abs=0.01)


@pytest.mark.parametrize("name", SPACES)
def test_channels_keep_their_range(name):
    values = np.array([0, 1, 127, 128, 254, 255])
    image = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(1, -1, 3).astype(np.int32) * UNIT
    found = COLOUR_SPACES[name](image)
    assert found.min() >= 0 and found.max() <= TOP


# --- segmentation and grouping, against plain Python ---


def plain_regions(image, k, min_size):
    """Felzenszwalb with sets and a sorted list: {pixel: its region}, {pairs of regions that touch}."""
    height, width = image.shape[:2]
    edges = []
    for direction, (down, right) in enumerate(((0, 1), (1, 0), (1, 1), (1, -1))):
        for y in range(height - down):
            for x in range(max(0, -right), width - max(0, right)):
                difference = image[y, x].astype(int) - image[y + down, x + right]
                weight = min(int(np.sqrt(float(difference @ difference))), 4095)
                edges.append((weight, direction, y * width + x, (y + down) * width + x + right))
    edges.sort()
    region = {pixel: frozenset([pixel]) for pixel in range(height * width)}
    inner = {}
    for weight, _, a, b in edges:
        one, other = region[a], region[b]
        if one is not other and all(weight <= inner.get(r, 0) + k * UNIT // len(r) for r in (one, other)):
            union = one | other
            inner[union] = weight
            region.update(dict.fromkeys(union, union))
    for _, _, a, b in edges:
        one, other = region[a], region[b]
        if one is not other and min(len(one), len(other)) < min_size:
            region.update(dict.fromkeys(one | other, one | other))
    pairs = {frozenset([region[a], region[b]]) for _, _, a, b in edges if region[a] is not region[b]}
    return region, pairs


def plain_group(histograms, frames, sizes, pairs, nr_pixels, wanted):
    """Greedy grouping that looks at every pair in every step; of equal pairs, that of the latest regions."""
    regions = {i: (histograms[i].astype(int), frames[i].astype(int), int(sizes[i])) for i in range(len(sizes))}

    def similarity(a, b):
        (ha, fa, sa), (hb, fb, sb) = regions[a], regions[b]
        shared = np.minimum(ha, hb)
        frame = np.maximum(fa[2:], fb[2:]) - np.minimum(fa[:2], fb[:2])
        parts = (
            shared[:75].sum() // 3, shared[75:].sum() // 3, ONE - (sa + sb) * ONE // nr_pixels,
            ONE - (frame.prod() - sa - sb) * ONE // nr_pixels,
        )  # fmt: skip
        return max(0, sum(int(part) for part, used in zip(parts, wanted, strict=True) if used))

    waiting = [(similarity(a, b), a, b) for a, b in pairs.tolist()]
    found = []
    while waiting:
        best = max(waiting, key=lambda pair: (pair[0], max(pair[1:]), min(pair[1:])))
        b, a = sorted(best[1:])
        (ha, fa, sa), (hb, fb, sb) = regions[a], regions[b]
        new = len(regions)
        share = (sa << 15) // (sa + sb)
        frame = np.concatenate([np.minimum(fa[:2], fb[:2]), np.maximum(fa[2:], fb[2:])])
        regions[new] = ((ha * share + hb * ((1 << 15) - share) + (1 << 14)) >> 15, frame, sa + sb)
        found.append(frame)
        touching = {n for _, c, d in waiting for m, n in ((c, d), (d, c)) if m in (a, b)} - {a, b}
        waiting = [pair for pair in waiting if not {pair[1], pair[2]} & {a, b}]
        waiting += [(similarity(new, n), new, n) for n in sorted(touching)]
    return np.array(found).reshape(-1, 4)


def segmented(image, k, min_size=5):
    height, width = image.shape[:2]
    weights, codes = sorted_edges(image)
    labels, sizes, between = pixel_regions(weights, codes, height, width, k, min_size)
    return labels, sizes, region_pairs(codes, between, width, labels, len(sizes))


@pytest.mark.slow
@pytest.mark.parametrize("k", (10, 40, 120))
@pytest.mark.parametrize("name", SPACES)
def test_regions_and_groupings_are_those_of_plain_python(name, k):
    image = COLOUR_SPACES[name](blurred(photo()))
    labels, sizes, pairs = segmented(image, k)
    plain, plain_pairs = plain_regions(image, k, 5)
    members = [frozenset(np.flatnonzero(labels == region).tolist()) for region in range(len(sizes))]
    assert set(plain.values()) == set(members) and [len(m) for m in members] == sizes.tolist()
    assert {frozenset([members[a], members[b]]) for a, b in pairs} == plain_pairs and len(pairs) == len(plain_pairs)
    histograms, frames = region_features(pixel_bins(image), labels, sizes)
    width = image.shape[1]
    for member, frame in zip(members, frames, strict=True):
        xs, ys = [pixel % width for pixel in member], [pixel // width for pixel in member]
        assert frame.tolist() == [min(xs), min(ys), max(xs) + 1, max(ys) + 1]
    for similarities in GROUPINGS:
        found = group(histograms, frames, sizes, pairs, image[..., 0].size, similarities, 10**6)
        assert len(found) == len(sizes) - 1
        assert (found == plain_group(histograms, frames, sizes, pairs, image[..., 0].size, similarities)).all()


def test_edges_are_sorted_and_complete():
    image = COLOUR_SPACES["lab"](blurred(photo(rows=2, columns=2)))
    height, width = image.shape[:2]
    weights, codes = sorted_edges(image)
    assert (np.diff(weights.astype(int)) >= 0).all()
    assert len(codes) == height * (width - 1) + (height - 1) * width + 2 * (height - 1) * (width - 1)
    assert len(set(codes.tolist())) == len(codes)


def test_arrays_grow_with_what_they_hold():
    """A region that touches thousands of others: more neighbours and pairs than any array begins with."""
    rows, columns = 60, 200
    labels = np.arange(1, rows * columns + 1).reshape(rows, columns)
    labels[:, ::2] = 0  # a comb that touches every other pixel
    labels = np.unique(labels, return_inverse=True)[1].reshape(rows, columns).astype(np.int32)
    sizes = np.bincount(labels.ravel()).astype(np.int32)
    pairs = {tuple(sorted(pair)) for pair in zip(labels[:, :-1].ravel(), labels[:, 1:].ravel(), strict=True)}
    pairs |= {tuple(sorted(pair)) for pair in zip(labels[:-1].ravel(), labels[1:].ravel(), strict=True)}
    pairs = np.array(sorted(pair for pair in pairs if pair[0] != pair[1]), np.int32)
    bins = np.random.default_rng(0).integers(0, 25, (rows, columns, 6)).astype(np.uint8)
    histograms, frames = region_features(bins, labels.ravel(), sizes)
    found = group(histograms, frames, sizes, pairs, rows * columns, np.array([True] * 4), 10**6)
    assert len(found) == len(sizes) - 1 and found[-1].tolist() == [0, 0, columns, rows]


def test_one_colour_and_one_pixel():
    for shape in ((30, 40, 3), (1, 1, 3), (1, 50, 3), (3, 1, 3)):
        found = search(np.full(shape, 77, np.uint8), ("lab", "hsv", "rgi"), (60, 150), 1000)
        assert (found == [0, 0, shape[1], shape[0]]).all()


def test_regions_that_are_too_long_are_left_alone():
    image = photo()
    every = search(image, ("lab",), (40,), 1000)
    short = search(image, ("lab",), (40,), 15)
    assert 0 < len(short) < len(every)
    sides = short[:, 2:] - short[:, :2]
    joined = set(map(tuple, short)) - set(map(tuple, every))
    assert sides.max() <= max(16, (every[:, 2:] - every[:, :2]).min()) or not joined


# --- the engine ---


def test_the_engine_finds_the_patches():
    image = np.full((120, 160, 3), 200, np.uint8)
    boxes = np.array([[10, 10, 50, 40], [70, 20, 110, 100], [120, 60, 150, 110]])
    for (x1, y1, x2, y2), colour in zip(boxes, ((200, 30, 30), (30, 30, 200), (20, 160, 60)), strict=True):
        image[y1:y2, x1:x2] = colour
    found = selective_search(image, SETTINGS)
    assert found.dtype == np.float32
    assert iou(boxes, found).max(axis=1).min() > 0.95


def test_memory_layout_does_not_matter():
    image = photo(rows=12, columns=14)
    wanted = selective_search(image, SETTINGS)
    for same in (np.asfortranarray(image), image[:, ::-1].copy()[:, ::-1]):
        assert (selective_search(same, SETTINGS) == wanted).all()


def test_threads_do_not_disturb_each_other():
    images = [photo(seed, 10, 10) for seed in range(4)]
    wanted = [selective_search(image, SETTINGS) for image in images]
    found = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: selective_search(images[i], SETTINGS)})) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((found[i] == wanted[i]).all() for i in range(4))


CHILD = """
import sys, hashlib
{before}
import numpy as np
from fastRCNN.selective_search import SearchSettings, selective_search
from pipeline.parameters import load_parameters
from pipeline.regions import propose_rois
image = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8).repeat(9, 0).repeat(9, 1)
params = load_parameters(["roi_engine=fast"])
rois = propose_rois(image, params)
print(len(rois), hashlib.sha256(rois.boxes.tobytes()).hexdigest())
"""


def run_child(before="", **environment):
    process = subprocess.run(
        [sys.executable, "-c", CHILD.format(before=before)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process


@pytest.mark.slow
def test_where_nothing_can_be_kept_it_is_compiled_anew():
    nowhere = """
from numba.core.dispatcher import Dispatcher
def refuse(self):
    raise RuntimeError("cannot cache function: no locator available")
Dispatcher.enable_caching = refuse
"""
    assert run_child(nowhere).stdout == run_child().stdout


@pytest.mark.slow
def test_without_numba_another_engine_runs_and_says_so():
    process = run_child("sys.modules['numba'] = None")
    assert int(process.stdout.split()[0]) > 10
    assert process.stderr.count("NOTE") == 1 and "opencv-fast" in process.stderr
