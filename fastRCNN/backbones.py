"""Pre-trained networks, cut in two: a trunk that runs once an image, and a head that runs on every ROI.

To add a network, add one entry to `BACKBONES`.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torchvision import models

from fastRCNN.vgg_cnn_m import VggCnnM1024


@dataclass(frozen=True)
class Backbone:
    """How to build and cut a network, most of them torchvision's.

    build: its constructor, called without arguments for random weights;
    trunk(model): images (1, 3, H, W) -> features (1, C, H / stride, W / stride); head(model): pooled features
    (R, C, P, P) -> (R, D); stride: pixels from one feature to the next; pool_size: P; pooling: "max" as in the Fast
    R-CNN paper, or "align" (RoIAlign, Mask R-CNN, section 3); layers: torchvision's names of the trunk's layers, at
    which it can be cut, see `cut`; train_from: the first of them that fine-tuning changes, or "head".
    """

    build: object
    trunk: object
    head: object
    stride: int
    pool_size: int
    pooling: str
    layers: tuple
    train_from: str


class UnitScale(nn.Module):
    """A map divided by the root mean square of all its values."""

    def forward(self, x):
        return x / x.square().mean().sqrt().clamp(min=1e-6)


class TwoLevels(nn.Module):
    """A trunk whose map has the channels of two depths: those of `shallow`, and of `deep`, which goes on from there.

    Deep features name an object, those before still know its colours, textures and borders, which tell the objects of
    one refrigerator apart, and frame them (Inside-Outside Net, Bell et al. 2016, section 3). Depths differ in
    magnitude, so each is brought to unit scale. `deep` must keep the resolution.
    """

    def __init__(self, shallow, deep):
        super().__init__()
        self.shallow, self.deep = shallow, deep
        self.unit_scale = UnitScale()

    def forward(self, x):
        """Images (1, 3, H, W) -> features (1, C1 + C2, H / stride, W / stride)."""
        shallow = self.shallow(x)
        return torch.cat([self.unit_scale(shallow), self.unit_scale(self.deep(shallow))], dim=1)


def cut(trunk, index):
    """A trunk as two: its first `index` layers, and the rest. They share their weights with it."""
    if isinstance(trunk, TwoLevels):
        return trunk.shallow[:index], TwoLevels(trunk.shallow[index:], trunk.deep)
    return trunk[:index], trunk[index:]


def cut_to_train(backbone, trunk, first):
    """A trunk as two, see `cut`: the layers before the one called `first`, which stay as they are, and those from it
    on, which learn; first: a name of `Backbone.layers`, or "head" for none."""
    return (trunk, nn.Identity()) if first == "head" else cut(trunk, backbone.layers.index(first))


def _features(count):
    return tuple(f"features.{index}" for index in range(count))


def _convolutions(model):
    return model.features[:-1]  # the last one pools, as the ROI pooling does in its place


def _fully_connected(model):
    return nn.Sequential(nn.Flatten(), *model.classifier[:-1])  # the last one names ImageNet's classes


RESNET_LAYERS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")


def _resnet_trunk(model):
    return nn.Sequential(
        model.conv1, model.bn1, model.relu, model.maxpool, model.layer1, model.layer2, model.layer3
    )  # fmt: skip


def _resnet_head(model):
    # "C4": the last block of layers looks at each ROI by itself (ResNet paper, appendix A; Fast R-CNN's Caffe heirs)
    return nn.Sequential(model.layer4, nn.AdaptiveAvgPool2d(1), nn.Flatten())


BACKBONES = {
    # relu5, 6x6 max pooling, fc6 and fc7: 4096 numbers a ROI, as in the original tutorial
    "alexnet": Backbone(
        build=models.alexnet,
        trunk=_convolutions,
        head=_fully_connected,
        stride=16,
        pool_size=6,
        pooling="max",
        layers=_features(12),
        train_from="features.6",
    ),
    # relu5, 6x6 max pooling, fc6 and fc7: model M of the Fast R-CNN paper, 1024 numbers a ROI
    "vgg_cnn_m_1024": Backbone(
        build=VggCnnM1024,
        trunk=_convolutions,
        head=_fully_connected,
        stride=16,
        pool_size=6,
        pooling="max",
        layers=_features(14),
        train_from="features.4",
    ),
    # conv5_3, 7x7 max pooling, fc6 and fc7: model L of the Fast R-CNN paper
    "vgg16": Backbone(
        build=models.vgg16,
        trunk=_convolutions,
        head=_fully_connected,
        stride=16,
        pool_size=7,
        pooling="max",
        layers=_features(30),
        train_from="features.10",
    ),
    # all convolutions; the pooled features themselves, (256 + 512) x 3 x 3 = 6912 numbers a ROI, are the description
    "squeezenet1_1": Backbone(
        build=models.squeezenet1_1,
        trunk=lambda model: TwoLevels(model.features[:9], model.features[9:]),
        head=lambda model: nn.Flatten(),
        stride=16,
        pool_size=3,
        pooling="align",
        layers=_features(10),
        train_from="features.9",
    ),
    "resnet18": Backbone(
        build=models.resnet18,
        trunk=_resnet_trunk,
        head=_resnet_head,
        stride=16,
        pool_size=14,
        pooling="align",
        layers=RESNET_LAYERS,
        train_from="layer3",
    ),
    "resnet50": Backbone(
        build=models.resnet50,
        trunk=_resnet_trunk,
        head=_resnet_head,
        stride=16,
        pool_size=14,
        pooling="align",
        layers=RESNET_LAYERS,
        train_from="layer3",
    ),
    # up to the last block at stride 16; 112 x 5 x 5 = 2800 numbers a ROI
    "mobilenet_v3_large": Backbone(
        build=models.mobilenet_v3_large,
        trunk=lambda model: model.features[:13],
        head=lambda model: nn.Flatten(),
        stride=16,
        pool_size=5,
        pooling="align",
        layers=_features(13),
        train_from="features.7",
    ),
}
