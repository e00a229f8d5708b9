"""Protects the geometry that everything else stands on: overlaps, clipping, and the box offsets of R-CNN.

A `+1` too many, swapped axes or a swapped width and height would shift every number of the pipeline without an error
message. Each function is checked on boxes that can be computed in the head, with no box and with one, and on random
boxes against torchvision.
"""

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models.detection._utils import BoxCoder

from fastRCNN import boxes as box_ops

A = [0, 0, 10, 10]  # area 100
B = [5, 5, 15, 15]  # area 100, shares [5, 5, 10, 10] = 25 with A
C = [0, 0, 5, 20]  # area 100, shares [0, 0, 5, 10] = 50 with A and touches B in a line
POINT = [3, 3, 3, 3]  # no area, inside A


def random_boxes(count, seed, side=200.0):
    """(N, 4) float32, at least 1 pixel wide and high."""
    random = np.random.default_rng(seed)
    corners = random.uniform(0, side, (count, 2))
    return np.hstack([corners, corners + random.uniform(1, side / 2, (count, 2))]).astype(np.float32)


def test_as_boxes_gives_float32_rows_of_four():
    for values, rows in (([], 0), (np.zeros((0, 4), int), 0), ([A], 1), ((tuple(A), tuple(B)), 2)):
        boxes = box_ops.as_boxes(values)
        assert boxes.shape == (rows, 4) and boxes.dtype == np.float32


def test_areas():
    # 10 * 10; 10 wide and 20 high; no area; reversed in x, and in both axes (-2 * -3 is not 6)
    boxes = [A, [0, 0, 10, 20], POINT, [5, 0, 3, 9], [5, 5, 3, 2]]
    assert box_ops.areas(boxes).tolist() == [100, 200, 0, 0, 0]
    assert box_ops.areas([]).shape == (0,)
    # 4097**2 = 16785409 is odd and above 2**24, so no float32 holds it: areas of large images need float64
    assert box_ops.areas([[0, 0, 4097, 4097]]).tolist() == [4097**2]


def test_intersections():
    assert box_ops.intersections([A, B], [A, B, C]).tolist() == [[100, 25, 50], [25, 100, 0]]
    # apart in x and in y: the two negative lengths must not multiply to a positive area
    assert box_ops.intersections([A], [[20, 20, 30, 30]]).tolist() == [[0]]


def test_iou():
    # A and B share 25 of 100 + 100 - 25 = 175; A and C 50 of 150; a box with itself everything
    expected = [[1, 25 / 175, 50 / 150], [25 / 175, 1, 0]]
    assert box_ops.iou([A, B], [A, B, C]) == pytest.approx(np.array(expected), abs=1e-12)


def test_coverage_is_relative_to_the_first_box():
    small = [0, 0, 5, 5]  # 25, wholly inside A, a quarter of it
    assert box_ops.coverage([small, A], [A, small]).tolist() == [[1, 1], [1, 0.25]]
    assert box_ops.coverage([C], [A, B]).tolist() == [[0.5, 0]]


def test_boxes_without_area_have_no_overlap_and_divide_by_nothing():
    with np.errstate(all="raise"):
        assert box_ops.iou([POINT], [POINT, A]).tolist() == [[0, 0]]
        assert box_ops.coverage([POINT], [POINT, A]).tolist() == [[0, 0]]


@pytest.mark.parametrize("function", [box_ops.intersections, box_ops.iou, box_ops.coverage])
def test_pairs_of_no_box(function):
    for left, right in (([], []), ([], [A]), ([A], [])):
        assert function(left, right).shape == (len(left), len(right))


@pytest.mark.parametrize("count", [1, 60])
def test_iou_and_areas_against_torchvision(count):
    left, right = random_boxes(count, 1), random_boxes(count + 7, 2)
    expected = torchvision.ops.box_iou(torch.from_numpy(left).double(), torch.from_numpy(right).double()).numpy()
    assert expected.max() > 0  # there is something to compare
    assert np.abs(box_ops.iou(left, right) - expected).max() < 1e-12
    areas = torchvision.ops.box_area(torch.from_numpy(left).double()).numpy()
    assert np.abs(box_ops.areas(left) - areas).max() < 1e-9
    shared = box_ops.intersections(left, right)
    assert np.abs(box_ops.coverage(left, right) - shared / areas[:, None]).max() < 1e-12


def test_clip():
    # an image 30 wide and 20 high; inside, across the right and lower border, across the left and upper one, outside
    boxes = np.array([[1, 2, 3, 4], [25, 15, 35, 25], [-5, -6, 7, 8], [40, 50, 60, 70]], np.float32)
    before = boxes.copy()
    clipped = box_ops.clip(boxes, 30, 20)
    assert clipped.tolist() == [[1, 2, 3, 4], [25, 15, 30, 20], [0, 0, 7, 8], [30, 20, 30, 20]]
    assert clipped.dtype == np.float32
    assert np.array_equal(boxes, before), "the caller's boxes must stay as they are"
    assert box_ops.clip([], 30, 20).shape == (0, 4)
    expected = torchvision.ops.clip_boxes_to_image(torch.from_numpy(random_boxes(50, 3)), (90, 120)).numpy()
    assert np.array_equal(box_ops.clip(random_boxes(50, 3), 120, 90), expected)


def test_mirror():
    # 30 wide: x1 = 30 - x2, x2 = 30 - x1, y as it was; the whole image, one at the left border, one beyond the right
    boxes = np.array([[0, 0, 30, 20], [0, 1, 7, 8], [25.5, 15, 35, 25]], np.float32)
    before = boxes.copy()
    mirrored = box_ops.mirror(boxes, 30)
    assert mirrored.tolist() == [[0, 0, 30, 20], [23, 1, 30, 8], [-5, 15, 4.5, 25]]
    assert mirrored.dtype == np.float32 and np.array_equal(boxes, before)
    assert box_ops.mirror([A], 10).tolist() == [A] and box_ops.mirror([], 30).shape == (0, 4)


def test_mirror_of_pixels():
    # the box covers the same pixels of the mirrored image
    picture = np.random.default_rng(0).integers(0, 256, (20, 30))
    x1, y1, x2, y2 = box_ops.mirror([[4, 3, 11, 9]], 30)[0].astype(int)
    assert np.array_equal(picture[:, ::-1][y1:y2, x1:x2][:, ::-1], picture[3:9, 4:11])


def test_mirrored_twice_is_where_it_was():
    left, right = random_boxes(60, 9), random_boxes(60, 10)
    assert np.abs(box_ops.mirror(box_ops.mirror(left, 333), 333) - left).max() < 1e-4
    mirrored = box_ops.iou(box_ops.mirror(left, 333), box_ops.mirror(right, 333))
    assert np.abs(mirrored - box_ops.iou(left, right)).max() < 1e-5


def test_encode():
    # proposal: centre (10, 20), 20 wide, 40 high; target: centre (15, 10), 40 wide, 20 high
    # dx = 5 / 20, dy = -10 / 40, dw = log(40 / 20), dh = log(20 / 40)
    offsets = box_ops.encode([[0, 0, 20, 40]], [[-5, 0, 35, 20]])
    assert offsets == pytest.approx(np.array([[0.25, -0.25, np.log(2), -np.log(2)]]), abs=1e-12)
    assert offsets.dtype == np.float64
    assert box_ops.encode([], []).shape == (0, 4)


def test_decode():
    boxes = box_ops.decode([[0, 0, 20, 40]], [[0.25, -0.25, np.log(2), -np.log(2)]])
    assert boxes == pytest.approx(np.array([[-5, 0, 35, 20]]), abs=1e-5)
    assert boxes.dtype == np.float32
    assert box_ops.decode([], []).shape == (0, 4)
    # offsets of zero leave every box where it is, to the last bit
    assert np.array_equal(box_ops.decode([A, B, C], np.zeros((3, 4))), box_ops.as_boxes([A, B, C]))


def test_decode_bounds_wild_sizes():
    # 1000 / 16 = 62.5 times as large at most: 10 pixels become 625 around the centre 5, that is -307.5 to 317.5
    wild = box_ops.decode([A], [[0, 0, 1e4, 1e4]])
    assert wild == pytest.approx(np.array([[-307.5, -307.5, 317.5, 317.5]]), abs=1e-3)
    # shrinking has no bound: exp(-1e4) = 0, a box without area around the same centre
    assert box_ops.decode([A], [[0, 0, -1e4, -1e4]]).tolist() == [[5, 5, 5, 5]]


def test_offsets_against_torchvision():
    proposals, targets = random_boxes(80, 4), random_boxes(80, 5)
    coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    expected = coder.encode_single(torch.from_numpy(targets).double(), torch.from_numpy(proposals).double()).numpy()
    assert np.abs(box_ops.encode(proposals, targets) - expected).max() < 1e-9
    offsets = np.random.default_rng(6).normal(0, 2, (80, 4))  # some beyond the bound of log(62.5) = 4.135
    assert (offsets[:, 2:] > box_ops.MAX_LOG_SCALE).any()
    expected = coder.decode_single(torch.from_numpy(offsets), torch.from_numpy(proposals).double()).numpy()
    assert box_ops.decode(proposals, offsets) == pytest.approx(expected, rel=1e-6, abs=1e-3)


def test_decode_inverts_encode():
    proposals, targets = random_boxes(80, 7), random_boxes(80, 8)
    assert np.abs(box_ops.decode(proposals, box_ops.encode(proposals, targets)) - targets).max() < 1e-3
