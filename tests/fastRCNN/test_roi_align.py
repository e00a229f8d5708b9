"""Protects RoIAlign: that the sum of weighted cells is what torchvision's kernel computes, its gradient included, on
maps in either memory format and on whatever ROIs there are.

torchvision's own function is the oracle; test_network.py compares both with loops over cells.
"""

import pytest
import torch
import torchvision

from fastRCNN.roi_align import linear_of_bins, roi_align

HEIGHT, WIDTH, STRIDE = 7, 9, 16  # a map of 7 x 9 cells of 16 pixels: 112 x 144 pixels

ODD_ROIS = {
    "whole image": [0, 0, 144, 112],
    "one pixel": [70, 50, 71, 51],
    "a point": [40, 40, 40, 40],
    "a line": [10, 30, 90, 30],
    "a corner": [136, 104, 144, 112],
    "reversed": [90, 80, 20, 10],
    "reversed in x": [90, 10, 20, 80],
    "larger than the image": [-100, -90, 300, 250],
    "across the left border": [-30, 20, 25, 60],
    "across the right border": [120, 90, 170, 140],
    "outside": [500, 500, 600, 600],
    "outside on the other side": [-600, 20, -500, 90],
    "within a cell of the border": [-6, -6, -2, -2],
    "beyond a cell from the border": [-40, -40, -20, -20],
}


def random_map(channels=6, seed=0):
    return torch.randn(1, channels, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def random_rois(count, seed=0):
    """(N, 4), many of them partly outside the image."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=generator) * 160 - 20
    return torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * 90], dim=1)


def torchvisions(feature_map, rois, size, scale=1 / STRIDE):
    return torchvision.ops.roi_align(feature_map, [rois], size, scale, sampling_ratio=2, aligned=True)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 14])
def test_random_rois(size):
    feature_map, rois = random_map(), random_rois(300)
    found = roi_align(feature_map, rois, size, 1 / STRIDE)
    expected = torchvisions(feature_map, rois, size)
    assert found.shape == (300, 6, size, size) and found.dtype == torch.float32
    assert expected.abs().max() > 1  # there is something to compare
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("name", ODD_ROIS)
def test_odd_rois(name):
    feature_map, rois = random_map(), torch.tensor([ODD_ROIS[name]], dtype=torch.float32)
    found = roi_align(feature_map, rois, 3, 1 / STRIDE)
    assert (found - torchvisions(feature_map, rois, 3)).abs().max() < 1e-5
    assert bool((found == 0).all()) == name.startswith(("outside", "beyond"))


def test_a_roi_is_pooled_alone_as_among_others():
    feature_map = random_map()
    rois = torch.tensor(list(ODD_ROIS.values()), dtype=torch.float32)
    together = roi_align(feature_map, rois, 3, 1 / STRIDE)
    alone = torch.cat([roi_align(feature_map, roi[None], 3, 1 / STRIDE) for roi in rois])
    assert (together - alone).abs().max() < 1e-6


def test_no_roi():
    assert roi_align(random_map(), torch.zeros(0, 4), 3, 1 / STRIDE).shape == (0, 6, 3, 3)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 4, 1, 5), (1, 4, 5, 1), (1, 1, 2, 2)])
def test_smallest_maps(shape):
    feature_map, rois = torch.randn(shape, generator=torch.Generator().manual_seed(1)), random_rois(50)
    assert (roi_align(feature_map, rois, 3, 1 / STRIDE) - torchvisions(feature_map, rois, 3)).abs().max() < 1e-5


def test_other_scales():
    feature_map, rois = random_map(), random_rois(50)
    for scale in (1.0, 1 / 4, 1 / 7):
        found = roi_align(feature_map, rois, 2, scale)
        assert (found - torchvisions(feature_map, rois, 2, scale)).abs().max() < 1e-5


def test_both_memory_formats_give_the_same():
    plain, rois = random_map(), random_rois(50)
    channels_last = plain.contiguous(memory_format=torch.channels_last)
    assert plain.stride() != channels_last.stride()
    expected = torchvisions(plain, rois, 3)
    part = random_map(12)[:, ::2]  # and a view that is in neither format
    for feature_map, wanted in ((plain, expected), (channels_last, expected), (part, torchvisions(part, rois, 3))):
        before = feature_map.clone()
        assert (roi_align(feature_map, rois, 3, 1 / STRIDE) - wanted).abs().max() < 1e-5
        assert torch.equal(feature_map, before)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradient(memory_format):
    rois = torch.cat([random_rois(40), torch.tensor(list(ODD_ROIS.values()), dtype=torch.float32)])
    factors = torch.randn(len(rois), 6, 3, 3, generator=torch.Generator().manual_seed(2))

    def gradient(pool):
        feature_map = random_map().contiguous(memory_format=memory_format).requires_grad_()
        (pool(feature_map) * factors).sum().backward()
        return feature_map.grad

    expected = gradient(lambda feature_map: torchvisions(feature_map, rois, 3))
    assert expected.abs().max() > 1
    assert (gradient(lambda feature_map: roi_align(feature_map, rois, 3, 1 / STRIDE)) - expected).abs().max() < 1e-4


def test_other_precisions():
    rois = random_rois(50)
    exact = torchvisions(random_map().double(), rois.double(), 3)
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.bfloat16, 0.05)):
        found = roi_align(random_map().to(dtype), rois, 3, 1 / STRIDE)
        assert found.dtype == dtype and (found.double() - exact).abs().max() < tolerance


@pytest.mark.parametrize(("size", "nr_outputs"), [(1, 1), (3, 7), (5, 2)])
def test_linear_functions_of_bins_are_those_of_what_was_pooled(size, nr_outputs):
    feature_map = random_map()
    rois = torch.cat([random_rois(100), torch.tensor(list(ODD_ROIS.values()), dtype=torch.float32)])
    weights = torch.randn(nr_outputs, 6 * size * size, generator=torch.Generator().manual_seed(1))
    expected = torchvisions(feature_map, rois, size).flatten(1) @ weights.T
    for layout in (torch.contiguous_format, torch.channels_last):
        found = linear_of_bins(feature_map.contiguous(memory_format=layout), rois, weights, size, 1 / STRIDE)
        assert found.shape == expected.shape == (len(rois), nr_outputs)
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert linear_of_bins(feature_map, rois[:0], weights, size, 1 / STRIDE).shape == (0, nr_outputs)
