"""Protects the description of an image's ROIs by a network: how pixels are normalised, what pooling takes from the
feature map, which values reach the file, and that weights of another network are refused.

A wrong colour order or normalisation raises no error, it only makes every later number worse. Pooling is compared with
loops over maps that can be checked by hand, normalisation with torchvision's. What each backbone computes is tested in
test_backbones.py.
"""

import copy
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models, transforms

from fastRCNN.backbones import BACKBONES
from fastRCNN.network import RoiNetwork, enlarge, to_input
from fastRCNN.roi_align import linear_of_bins

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
ROIS = np.array([[0, 0, 90, 70], [20, 10, 60, 40.5]], np.float32)


@pytest.fixture(scope="module")
def squeezenet():
    torch.manual_seed(1)
    return RoiNetwork("squeezenet1_1")


# --- pixels in, features out ---


def test_to_input_is_torchvisions_normalisation():
    preset = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.transforms()
    preprocess = transforms.Compose([transforms.ToTensor(), transforms.Normalize(preset.mean, preset.std)])
    for image in (IMAGE, IMAGE[:, ::-1], IMAGE[::2, 3:50], IMAGE[:1, :1]):
        found = to_input(image, BACKBONES["vgg16"])
        assert found.shape == (1, 3, *image.shape[:2]) and found.dtype == torch.float32
        assert (found[0] - preprocess(image.copy())).abs().max() < 1e-6
    # red is the first channel: (1 - 0.485) / 0.229, then (0 - 0.456) / 0.224 and (0 - 0.406) / 0.225
    found = to_input(np.array([[[255, 0, 0]]], np.uint8), BACKBONES["vgg16"])[0, :, 0, 0]
    assert found.tolist() == pytest.approx([0.515 / 0.229, -0.456 / 0.224, -0.406 / 0.225])


def test_arguments_stay_as_they_are(squeezenet):
    image, rois = IMAGE.copy(), ROIS.copy()
    expected = squeezenet.features(image, rois, 500)
    assert (image == IMAGE).all() and (rois == ROIS).all()
    # whatever numbers the ROIs are given in; negative strides are no obstacle
    for same in (rois.astype(np.float64), rois.tolist(), rois[::-1][::-1]):
        assert (squeezenet.features(image[::-1][::-1], same, 500) == expected).all()


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x.flatten(1) * self.factor


def with_large_features(network, factor):
    network = copy.deepcopy(network)
    network.head = Times(factor)
    return network.features(IMAGE, ROIS, 500)


def test_values_beyond_float16_are_clamped(squeezenet):
    found = with_large_features(squeezenet, 1e9)
    assert np.isfinite(found).all() and found.max() == 65504  # the greatest float16


def test_negative_values_beyond_float16_are_clamped(squeezenet):
    assert with_large_features(squeezenet, -1e9).min() == -65504


# --- pooling, by hand ---


def pool(feature_map, rois, name, **changes):
    """`RoiNetwork.pool` of an imaginary network: `name` with another stride and pool size."""
    backbone = replace(BACKBONES[name], **changes)
    map_of_one = torch.as_tensor(feature_map, dtype=torch.float32)[None, None]
    pooled = RoiNetwork.pool(SimpleNamespace(backbone=backbone), map_of_one, torch.tensor(rois, dtype=torch.float32))
    return pooled[:, 0].numpy()


def max_of_cells(feature_map, roi, scale, side):
    """ROI max pooling with loops: whole cells, ends included, each bin the maximum of the cells it touches."""
    x1, y1, x2, y2 = (math.floor(value * scale + 0.5) for value in roi)
    height, width = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
    result = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            top, bottom = y1 + math.floor(row * height / side), y1 + math.ceil((row + 1) * height / side)
            left, right = x1 + math.floor(column * width / side), x1 + math.ceil((column + 1) * width / side)
            cells = feature_map[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
            result[row, column] = cells.max() if cells.size else 0
    return result


def mean_of_samples(feature_map, roi, scale, side):
    """RoIAlign with loops: 2 x 2 bilinear samples a bin, cell k's centre at pixel (k + 0.5) / scale, mean of them."""
    x1, y1, x2, y2 = (value * scale - 0.5 for value in roi)
    result = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            samples = [
                bilinear(
                    feature_map,
                    y1 + (row + (i + 0.5) / 2) * (y2 - y1) / side,
                    x1 + (column + (j + 0.5) / 2) * (x2 - x1) / side,
                )
                for i in range(2)
                for j in range(2)
            ]
            result[row, column] = np.mean(samples)
    return result


def bilinear(feature_map, y, x):
    """The map's value between cells; up to one cell outside the map it is that of the border, further away 0."""
    height, width = feature_map.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = feature_map[top, left] * (left + 1 - x) + feature_map[top, right] * (x - left)
    lower = feature_map[bottom, left] * (left + 1 - x) + feature_map[bottom, right] * (x - left)
    return upper * (top + 1 - y) + lower * (y - top)


def test_max_pooling_of_sixteen_cells():
    cells = np.arange(16).reshape(4, 4)  # 0 1 2 3 / 4 5 6 7 / ...
    # stride 2: pixels 0 to 6 are cells 0 to 3, each bin 2 x 2 cells; a ROI of one cell gives that cell in every bin
    pooled = pool(cells, [[0, 0, 6, 6], [4, 2, 4, 2]], "alexnet", stride=2, pool_size=2)
    assert pooled.tolist() == [[[5, 7], [13, 15]], [[6, 6], [6, 6]]]


def test_align_of_a_ramp():
    # the value of a cell is its column; stride 4: cell k's centre is at pixel 4 k + 2, so pixel x has value x / 4 - 0.5
    ramp = np.tile(np.arange(8.0), (8, 1))
    # bins of [4, 4, 20, 20] are 8 wide, centred at x = 8 and 16: 1.5 and 3.5
    assert pool(ramp, [[4, 4, 20, 20]], "resnet18", stride=4, pool_size=2)[0] == pytest.approx(
        np.array([[1.5, 3.5], [1.5, 3.5]])
    )


@pytest.mark.parametrize("name, reference", [("alexnet", max_of_cells), ("squeezenet1_1", mean_of_samples)])
def test_pooling_against_loops(name, reference):
    random = np.random.default_rng(0)
    cells = random.normal(size=(7, 9))
    corners = random.uniform(-5, 100, (60, 2))
    rois = np.hstack([corners, corners + random.uniform(0, 60, (60, 2))]).astype(np.float32)
    rois[0], rois[1], rois[2] = [0, 0, 144, 112], [5, 5, 5, 5], [500, 500, 600, 600]  # whole, a point, outside
    pooled = pool(cells, rois, name, pool_size=3)
    for roi, found in zip(rois.astype(np.float64), pooled, strict=True):
        assert found == pytest.approx(reference(cells, roi, 1 / 16, 3), abs=1e-5), roi


# --- the context region of a ROI ---


def test_enlarging_by_hand():
    # 10 wide and 20 high about (15, 30), then 18 and 36; nothing is cut off at 0
    assert enlarge(torch.tensor([[10.0, 20, 20, 40], [0, 0, 10, 10]]), 1.8).tolist() == pytest.approx(
        np.array([[6, 12, 24, 48], [-4, -4, 14, 14]])
    )
    assert enlarge(torch.tensor([[3.0, 4, 3, 4]]), 1.8).tolist() == [[3, 4, 3, 4]]


def region_means(cells, rois, factor):
    """`RoiNetwork.on_map` with pooling alone, of an imaginary map of one channel: (R, 2 * 9) float32."""
    network = RoiNetwork.__new__(RoiNetwork)
    nn.Module.__init__(network)
    network.backbone, network.context_factor = replace(BACKBONES["squeezenet1_1"], pool_size=3), factor
    network.head = nn.Flatten()
    map_of_one = torch.as_tensor(cells, dtype=torch.float32)[None, None]
    return network.on_map(map_of_one, torch.as_tensor(rois, dtype=torch.float32)).numpy()


def test_context_region_against_loops():
    random = np.random.default_rng(1)
    cells = random.normal(size=(7, 9))
    corners = random.uniform(0, 90, (40, 2))
    rois = np.hstack([corners, corners + random.uniform(0, 60, (40, 2))])
    rois[0] = 0, 0, 144, 112  # the whole image: its context region is outside
    zeros_around = np.pad(cells, 1)  # a cell is 16 pixels
    for roi, found in zip(rois, region_means(cells, rois, 1.8), strict=True):
        center, half = (roi[:2] + roi[2:]) / 2, (roi[2:] - roi[:2]) / 2
        region = np.concatenate([center - 1.8 * half, center + 1.8 * half]) + 16
        expected = [mean_of_samples(cells, roi, 1 / 16, 3), mean_of_samples(zeros_around, region, 1 / 16, 3)]
        assert found == pytest.approx(np.ravel(expected), abs=1e-4), roi


def test_no_jump_where_a_context_region_leaves_the_image():
    # a ROI that moves right by a hundredth of a pixel a time, its context region over the border of a map of ones;
    # RoiAlign alone lets each sample point go from 1 to 0 in one such step
    steps = np.arange(0, 90, 0.01)
    rois = np.stack([50 + steps, 0 * steps + 40, 90 + steps, 0 * steps + 80], axis=1)
    _, context = np.split(region_means(np.ones((9, 9)), rois, 1.8), 2, axis=1)
    assert context.min() == 0 and context.max() == pytest.approx(1)
    assert np.abs(np.diff(context, axis=0)).max() < 0.01


@pytest.mark.parametrize("name, numbers", [("squeezenet1_1", 6912), ("alexnet", 4096)])
def test_context_region_follows_the_roi_itself(name, numbers):
    torch.manual_seed(2)
    network = RoiNetwork(name, context_factor=1.8)
    alone = copy.copy(network)
    alone.context_factor = 1.0
    both, itself = network.features(IMAGE, ROIS, 500), alone.features(IMAGE, ROIS, 500)
    assert both.shape == (2, 2 * numbers) and np.array_equal(both[:, :numbers], itself)
    # well inside the image, context regions are nothing but the ROI that they make
    inner, outer = np.array([[36, 28, 54, 42]]), np.array([[28.8, 22.4, 61.2, 47.6]])
    expected = alone.features(IMAGE, outer, 500)[0]
    assert network.features(IMAGE, inner, 500)[0, numbers:] == pytest.approx(expected, rel=1e-2, abs=1e-3)
    assert np.abs(expected - alone.features(IMAGE, inner, 500)[0]).max() > 0.05 * np.abs(expected).max()


# --- weights ---


def test_loading_uses_the_given_weights(squeezenet):
    model = models.squeezenet1_1()
    state = {name: tensor.half() for name, tensor in model.state_dict().items()}
    network = RoiNetwork("squeezenet1_1", state)
    # a trunk may call its layers otherwise, but has them in torchvision's order
    given = [tensor for name, tensor in state.items() if name.startswith("features.")]
    loaded = network.trunk.state_dict().values()
    assert all(torch.equal(tensor, wanted.float()) for tensor, wanted in zip(loaded, given, strict=True))
    assert all(tensor.dtype == torch.float32 for tensor in network.state_dict().values())
    expected = RoiNetwork("squeezenet1_1", {name: tensor.float() for name, tensor in state.items()})
    assert (network.features(IMAGE, ROIS, 500) == expected.features(IMAGE, ROIS, 500)).all()
    assert not np.allclose(network.features(IMAGE, ROIS, 500), squeezenet.features(IMAGE, ROIS, 500), atol=1e-2)


def test_batch_norm_statistics_are_loaded():
    state = models.resnet18().state_dict()
    state["layer4.1.bn2.running_mean"] += 2
    network = RoiNetwork("resnet18", state)
    assert (dict(network.named_buffers())["head.0.1.bn2.running_mean"] == 2).all()


def test_the_classifier_does_not_matter():
    state = models.squeezenet1_1(num_classes=7).state_dict()
    RoiNetwork("squeezenet1_1", state)
    RoiNetwork("squeezenet1_1", {name: value for name, value in state.items() if not name.startswith("classifier")})
    state = models.resnet18(num_classes=3).state_dict()
    RoiNetwork("resnet18", {**state, "something.else": torch.zeros(1)})


def test_weights_of_another_network():
    state = models.squeezenet1_1().state_dict()
    first = next(iter(state))
    without = {name: value for name, value in state.items() if name != "features.12.expand3x3.bias"}
    wrong = {**state, first: torch.zeros(64, 3, 5, 5)}
    for broken, words in (
        (without, ("features.12.expand3x3.bias", "squeezenet1_1")),
        (wrong, (first, "(64, 3, 5, 5)", "(64, 3, 3, 3)", "squeezenet1_1")),
        ({}, (first, "squeezenet1_1")),
        (models.squeezenet1_0().state_dict(), (first, "(96, 3, 7, 7)")),
    ):
        with pytest.raises(ValueError) as caught:
            RoiNetwork("squeezenet1_1", broken)
        for word in words:
            assert word in str(caught.value)


def test_old_files_without_batch_counters():
    # torchvision's IMAGENET1K_V1 files of the ResNets are older than BatchNorm's counter of batches
    model = models.resnet18()
    state = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    model.load_state_dict(dict(state))  # torch itself takes them
    RoiNetwork("resnet18", state)


# --- linear functions of features ---


@pytest.mark.parametrize("factor", [1.0, 1.8])
@pytest.mark.parametrize("name", ["squeezenet1_1", "efficientnet_lite0", "alexnet"])
def test_linear_functions_are_those_of_the_features(name, factor, monkeypatch):
    network = RoiNetwork(name, context_factor=factor)
    features = torch.cat(list(network.describe(IMAGE, ROIS, 500))).detach()
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(5, features.shape[1], generator=generator)
    biases = torch.tensor([0.5, -1, 0, 2, -torch.inf])
    expected = features.double() @ weights.double().T + biases
    nr_folded = []
    monkeypatch.setattr("fastRCNN.network.linear_of_bins", lambda *a: nr_folded.append(1) or linear_of_bins(*a))
    for cost in (0, 10**9):  # on what is pooled; before it is pooled, where that can be
        monkeypatch.setattr("fastRCNN.network.POOLING_COST", cost)
        for batch_size in (1, 500):
            found = network.linear(IMAGE, ROIS, weights, biases, batch_size)
            assert found.shape == (len(ROIS), 5) and (found[:, 4] == -torch.inf).all()
            assert np.allclose(found[:, :4], expected[:, :4], atol=1e-5 * float(expected[:, :4].abs().max()))
        assert len(nr_folded) == (0 if cost == 0 or name == "alexnet" else 2 * (1 + (factor > 1)))
    assert network.linear(IMAGE, np.zeros((0, 4)), weights, biases, 500).shape == (0, 5)
