"""Protects where each network is cut: that trunk, pooling and head together are torchvision's network, that nothing of
training (dropout, batch statistics) is left in them, and that a ROI is pooled from the cells that see its pixels.

A cut one layer too early raises no error, it only makes every later number worse. Each network is therefore compared
with torchvision's own layers called one by one. Weights are random: nothing here depends on what a network learned.
"""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, batch_norm, conv2d, interpolate, max_pool2d, pad, relu, relu6
from torchvision import models, transforms
from torchvision.ops import misc, roi_align, roi_pool

from fastRCNN.backbones import BACKBONES
from fastRCNN.network import RoiNetwork
from fastRCNN.trunks import ThreeLevels, TwoLevels, UnitScale

# channels of the trunk, numbers per ROI, smallest side of an image that the trunk's own layers accept
SIZES = {
    "efficientnet_lite0": (472, 4248, 1),
    "alexnet": (256, 4096, 31),
    "vgg_cnn_m_1024": (512, 1024, 25),
    "vgg16": (512, 4096, 16),
    "squeezenet1_1": (768, 6912, 17),
    "resnet18": (256, 512, 1),
    "resnet50": (1024, 2048, 1),
    "mobilenet_v3_large": (112, 2800, 1),
}
HEIGHT, WIDTH = 101, 133  # neither is a multiple of any stride
IMAGE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
ROIS = np.array(
    [
        [0, 0, WIDTH, HEIGHT], [0, 0, 16, 16], [20.5, 30.25, 90, 77], [7, 50, 100, 60], [60, 3, 66, 90],
        [WIDTH - 9, HEIGHT - 9, WIDTH, HEIGHT], [40, 40, 40, 40], [64, 48, 128, 96],
    ],
    np.float32,
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A network, and what torchvision's model computed with the same weights: see `plain_features`."""

    name: str
    network: RoiNetwork
    expected: torch.Tensor
    feature_map: torch.Tensor


@pytest.fixture(scope="module", params=SIZES)
def case(request):
    name, backbone = request.param, BACKBONES[request.param]
    torch.manual_seed(0)
    model = calibrated(backbone.build())
    with torch.inference_mode():
        plain = plain_features(name, model, normalised(IMAGE), torch.tensor(ROIS))
    with pytest.MonkeyPatch.context() as patch:  # the very same layers, since those of VGG take half a gigabyte
        patch.setitem(BACKBONES, name, replace(backbone, build=model.train))
        network = RoiNetwork(name)
    return Case(name, network, *plain)


def normalised(image):
    """torchvision's own preparation of an image (1, 3, H, W), in plain memory layout."""
    preset = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.transforms()  # all of torchvision's have these means
    return transforms.Compose([transforms.ToTensor(), transforms.Normalize(preset.mean, preset.std)])(image)[None]


def calibrated(model):
    """Give batch norm real statistics, those of one batch of noise, and convolutions a bias: forgetting them shows.

    Without a bias, layers of ReLUs do not mind if somebody scales what goes into them.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.normal_(module.bias, std=0.1)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        model.train()(torch.randn(2, 3, 64, 64))
    return model.eval()


def plain_features(name, model, image, rois):
    """Features (R, D) and feature map (1, C, H', W') by torchvision's layers, called one after the other."""
    if name.startswith("resnet"):
        x = model.maxpool(relu(model.bn1(model.conv1(image))))
        x = model.layer3(model.layer2(model.layer1(x)))
        return model.layer4(align(x, rois, 14)).mean(dim=(2, 3)), x
    if name == "efficientnet_lite0":
        return plain_lite0(model, rois)
    if name == "vgg_cnn_m_1024":
        return plain_vgg_m(model, image, rois)
    x, maps = image, []
    for index in range({"alexnet": 12, "vgg16": 30, "squeezenet1_1": 13, "mobilenet_v3_large": 13}[name]):
        x = model.features[index](x)
        maps.append(x)
    if name == "squeezenet1_1":  # the last max pooling and the last fire module, each at a mean square of 1
        x = torch.cat([level * (level.numel() ** 0.5 / level.norm()) for level in (maps[8], maps[12])], dim=1)
    if name in ("squeezenet1_1", "mobilenet_v3_large"):
        return align(x, rois, 3 if name == "squeezenet1_1" else 5).reshape(len(rois), -1), x
    side = {"alexnet": 6, "vgg16": 7}[name]
    first, second = [layer for layer in model.classifier if isinstance(layer, nn.Linear)][:2]
    pooled = roi_pool(x, [rois], (side, side), 1 / 16).reshape(len(rois), -1)
    return relu(second(relu(first(pooled)))), x


def plain_lite0(model, rois):
    """As `plain_features`, of the layers' weights alone; the padding is TensorFlow's, batch norm is not folded."""

    def convolve(x, layer, norm, stride=1, groups=1):
        side, kernel = x.shape[2:], layer.weight.shape[2]
        missing = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in side]  # tf.nn's "SAME"
        before = [value // 2 for value in missing]
        x = pad(x, (before[1], missing[1] - before[1], before[0], missing[0] - before[0]))
        x = conv2d(x, layer.weight, None, stride, groups=groups)
        return batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=1e-3)

    image = (torch.tensor(IMAGE).permute(2, 0, 1)[None].float() - 127) / 128
    image = pad(image, (0, -WIDTH % 32, 0, -HEIGHT % 32))  # with grey, to a whole number of cells
    x = relu6(convolve(image, model._conv_stem, model._bn0, 2))
    maps = {}
    strides = {1: 2, 3: 2, 5: 2, 11: 2}  # blocks that halve the resolution
    for index, block in enumerate(model._blocks):
        y = x
        if index:
            y = relu6(convolve(y, block._expand_conv, block._bn0))
        stride = strides.get(index, 1)
        y = relu6(convolve(y, block._depthwise_conv, block._bn1, stride, y.shape[1]))
        y = convolve(y, block._project_conv, block._bn2)
        x = x + y if x.shape == y.shape else y
        maps[index] = x
    levels = avg_pool2d(maps[4], 2), maps[10], interpolate(maps[15], maps[10].shape[2:], mode="bilinear")
    scales = 1, 1, 0.5
    x = torch.cat(
        [level * (scale * level.numel() ** 0.5 / level.norm()) for level, scale in zip(levels, scales, strict=True)], 1
    )
    return align(x, rois, 3).reshape(len(rois), -1), x


def plain_vgg_m(model, image, rois):
    """As `plain_features`, of the layers' weights alone: the rest is written out as the paper's table has it."""
    convolutions = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
    first, second = [layer for layer in model.classifier if isinstance(layer, nn.Linear)][:2]
    x = image
    for layer, stride, padding in zip(convolutions, (2, 2, 1, 1, 1), (0, 1, 1, 1, 1), strict=True):
        x = relu(conv2d(x, layer.weight, layer.bias, stride, padding))
        if stride == 2:  # divided by (2 + 0.0005 / 5 * squares of five channels) ** 0.75, pooled, rounded up
            squares = pad(x.square(), (0, 0, 0, 0, 2, 2))
            x = x / (2 + 1e-4 * sum(squares[:, i : i + x.shape[1]] for i in range(5))) ** 0.75
            x = max_pool2d(x, 3, 2, ceil_mode=True)
    pooled = roi_pool(x, [rois], (6, 6), 1 / 16).reshape(len(rois), -1)
    return relu(second(relu(first(pooled)))), x


def align(feature_map, rois, side):
    return roi_align(feature_map, [rois], (side, side), 1 / 16, sampling_ratio=2, aligned=True)


def test_every_backbone_is_tested():
    assert set(SIZES) == set(BACKBONES)


@pytest.mark.slow
@torch.inference_mode()
def test_features_equal_the_plain_network(case):
    channels, numbers, _ = SIZES[case.name]
    assert case.feature_map.shape[:2] == (1, channels) and case.expected.shape == (len(ROIS), numbers)
    scale = float(case.expected.abs().max())
    assert (case.expected[0] - case.expected[2]).abs().max() > 0.1 * scale > 1e-3  # there is something to compare
    found = case.network.features(IMAGE, ROIS, 500)
    assert found.shape == (len(ROIS), numbers) and found.dtype == np.float16
    assert np.abs(found - case.expected.numpy()).max() < 1e-3 * scale  # float16 rounds to 5e-4 of a value
    # training calls the same function
    pixels = case.network.prepare(IMAGE) if case.name == "efficientnet_lite0" else normalised(IMAGE)
    assert (case.network(pixels, torch.tensor(ROIS)) - case.expected).abs().max() < 1e-4 * scale


@torch.inference_mode()
def test_stride_and_shapes(case):
    channels, numbers, _ = SIZES[case.name]
    stride, side = case.network.backbone.stride, case.network.backbone.pool_size
    maps = [
        case.network.trunk(torch.zeros(1, 3, *size)) for size in ((8 * stride, 12 * stride), (10 * stride, 14 * stride))
    ]
    (height, width), (height_2, width_2) = (feature_map.shape[2:] for feature_map in maps)
    assert maps[0].shape[:2] == (1, channels)
    assert (height_2 - height, width_2 - width) == (2, 2)  # a cell for each stride
    assert 6 <= height <= 8 and 10 <= width <= 12  # layers without padding cost at most two cells
    pooled = case.network.pool(maps[0], torch.tensor([[0.0, 0, 99, 88]] * 3))
    assert pooled.shape == (3, channels, side, side)
    assert case.network.head(pooled).shape == (3, numbers)


@pytest.mark.slow
def test_batches_of_rois_change_nothing(case):
    whole = case.network.features(IMAGE, ROIS, 500)
    scale = float(np.abs(whole).max())
    for batch_size in (1, 7):
        parts = case.network.features(IMAGE, ROIS, batch_size)
        assert parts.dtype == np.float16 and np.abs(parts - whole).max() < 1e-3 * scale, batch_size
    assert np.abs(whole[0] - whole[1]).max() > 0.1 * scale  # the ROIs do differ


def test_no_roi(case):
    found = case.network.features(IMAGE, np.zeros((0, 4)), 500)
    assert found.shape == (0, SIZES[case.name][1]) and found.dtype == np.float16


def test_small_images(case):
    smallest = SIZES[case.name][2]
    for height, width in ((smallest, 3 * smallest), (smallest + 16, smallest)):
        found = case.network.features(IMAGE[:height, :width], [[0, 0, width, height], [0, 0, 1, 1]], 500)
        assert found.shape == (2, SIZES[case.name][1]) and np.isfinite(found).all()


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1"])
def test_a_strip_narrower_than_the_layers(name):
    # a panorama of 4000 x 40 pixels is 1000 x 10 when it is scaled to fit into the network's input
    found = RoiNetwork(name).features(IMAGE[:10], [[0, 0, 100, 10]], 500)
    assert found.shape == (1, SIZES[name][1]) and np.isfinite(found).all()


def test_evaluation_mode(case):
    assert not any(module.training for module in case.network.modules())
    before = {name: tensor.clone() for name, tensor in case.network.named_buffers()}
    assert bool(before) == (
        case.name in ("resnet18", "resnet50", "mobilenet_v3_large")
    )  # which have batch norm; that of EfficientNet is folded into its convolutions
    first = case.network.features(IMAGE, ROIS[:2], 500)
    assert (case.network.features(IMAGE, ROIS[:2], 500) == first).all()
    assert all((tensor == before[name]).all() for name, tensor in case.network.named_buffers())
    assert case.network.device.type == "cpu"


# --- two depths in one map ---


def test_unit_scale_by_hand():
    # mean of the squares (9 + 16 + 0 + 0) / 4 = 6.25, its root 2.5; whatever the unit
    x = torch.tensor([3.0, -4, 0, 0]).view(1, 1, 2, 2)
    for unit in (1.0, 1e-3, 1e6):
        assert UnitScale()(unit * x).flatten().tolist() == pytest.approx([1.2, -1.6, 0, 0])
    assert (UnitScale()(torch.zeros(1, 2, 3, 3)) == 0).all()  # a map of nothing is divided by something


def test_two_levels_by_hand():
    # shallow: 4, 3, 0, 0 as above; deep goes on from there, before it is scaled: 2, 2, 0, 0, root mean square sqrt(2)
    trunk = TwoLevels(nn.Identity(), nn.Hardtanh(0, 2))
    found = trunk(torch.tensor([4.0, 3, 0, 0]).view(1, 1, 2, 2))
    assert found.flatten().tolist() == pytest.approx([1.6, 1.2, 0, 0, 2**0.5, 2**0.5, 0, 0])
    assert found.shape == (1, 2, 2, 2)


def test_both_levels_weigh_the_same(case):
    channels = {"squeezenet1_1": [256, 512], "efficientnet_lite0": [40, 112, 320]}
    if case.name not in channels:
        assert not any(isinstance(module, (TwoLevels, ThreeLevels)) for module in case.network.modules())
        return
    with torch.inference_mode():
        feature_map = case.network.trunk(case.network.prepare(IMAGE))
    for level, wanted in zip(feature_map.split(channels[case.name], dim=1), (1, 1, 0.25), strict=False):
        assert float(level.square().mean()) == pytest.approx(wanted, abs=1e-4)
    if case.name != "squeezenet1_1":
        return
    # fire modules 9 to 12 keep the resolution, so a cell of both levels is the same place
    assert list(case.network.trunk.shallow(normalised(IMAGE)).shape[2:]) == list(feature_map.shape[2:])


# --- do ROIs get the cells that see their pixels? ---


def smooth(module):
    """Make a trunk a chain of means with the same geometry, so that every pixel that a cell sees counts."""
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            pooling = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, ceil_mode=child.ceil_mode)
            setattr(module, name, pooling)
        elif isinstance(child, (nn.BatchNorm2d, nn.Hardswish, nn.LocalResponseNorm, misc.SqueezeExcitation, UnitScale)):
            setattr(module, name, nn.Identity())  # the last two look at the whole image
        elif isinstance(child, nn.Conv2d):
            nn.init.constant_(child.weight, 1 / child.weight[0].numel())
            if child.bias is not None:
                nn.init.zeros_(child.bias)
        smooth(child)
    return module


def seen_by(trunk, channel, column):
    """The pixel x that a channel's receptive fields in a column of cells are centred on; pixel 0 is from 0 to 1."""
    image = torch.full((1, 3, 64, 1536), 0.01, requires_grad=True)  # far below the 6 of ReLU6
    trunk(image)[:, channel, :, column].sum().backward()
    weights = image.grad.sum(dim=(0, 1, 2)).double()
    assert weights[0] == 0 and weights[-1] == 0 and (weights >= 0).all()  # the whole field lies in the image
    return float((weights * (torch.arange(len(weights)) + 0.5)).sum() / weights.sum())


def pooled_from(backbone, left, right):
    """The column, a fraction, that pooling takes as the middle of a ROI from `left` to `right`."""
    ramp, roi = torch.arange(31.0).expand(1, 1, 3, 31), torch.tensor([[left, 16.0, right, 32.0]])
    highest, lowest = (
        float((sign * RoiNetwork.pool(SimpleNamespace(backbone=backbone), sign * ramp, roi)).flatten()[index])
        for sign, index in ((1, -1), (-1, 0))
    )
    return (lowest + highest) / 2


# Pixels from the middle of a ROI to the middle of what its features are computed from, in x as in y. Layers without
# padding (AlexNet, SqueezeNet) see further right with each cell; ROI max pooling takes cell k to be at 16 k, RoIAlign
# at 16 k + 8. A network with another cut or pooling must say here what that does to its ROIs.
OFFSETS = {
    "efficientnet_lite0": (3.5, 15.5),  # TensorFlow pads less before an image than behind it
    "alexnet": 15.5,
    "vgg_cnn_m_1024": 17.5,
    "vgg16": 8,
    "squeezenet1_1": 7.5,
    "resnet18": -7.5,
    "resnet50": -7.5,
    "mobilenet_v3_large": -7.5,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_distance_of_rois_from_the_cells_that_see_them(name):
    backbone = BACKBONES[name]
    with torch.device("meta"):  # the layers that are cut off, VGG's large ones among them, take no memory
        trunk = backbone.trunk(backbone.build())
    trunk = smooth(trunk.to_empty(device="cpu")).eval()
    column = pooled_from(backbone, 208.0, 272.0)  # both ends are multiples of 16, the middle is 240
    wanted = OFFSETS[name] if isinstance(OFFSETS[name], tuple) else (OFFSETS[name],) * 2
    for channel, offset in zip((0, -1), wanted, strict=True):  # of the shallow and of the deep level, if there are two
        first, third = seen_by(trunk, channel, 46), seen_by(trunk, channel, 48)
        assert third - first == pytest.approx(2 * backbone.stride, abs=1e-3)
        assert first + (column - 14) * backbone.stride - (240 + 32 * backbone.stride) == pytest.approx(offset, abs=0.1)
