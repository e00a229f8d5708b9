"""Pre-trained networks, cut in two: a trunk that runs once an image, and a head that runs on every ROI.

To add a network, add one entry to `BACKBONES`.
"""

from dataclasses import dataclass

from torch import nn
from torchvision import models


@dataclass(frozen=True)
class Backbone:
    """How to build and cut one of torchvision's networks.

    build: its constructor, called without arguments for random weights;
    trunk(model): images (1, 3, H, W) -> features (1, C, H / stride, W / stride); head(model): pooled features
    (R, C, P, P) -> (R, D); stride: pixels from one feature to the next; pool_size: P; pooling: "max" as in the Fast
    R-CNN paper, or "align" (RoIAlign, Mask R-CNN, section 3).
    """

    build: object
    trunk: object
    head: object
    stride: int
    pool_size: int
    pooling: str


def _without_dropout(layers):
    return [layer for layer in layers if not isinstance(layer, nn.Dropout)]


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
        trunk=lambda model: model.features[:-1],
        head=lambda model: nn.Sequential(nn.Flatten(), *_without_dropout(model.classifier[:-1])),
        stride=16,
        pool_size=6,
        pooling="max",
    ),
    # conv5_3, 7x7 max pooling, fc6 and fc7: model L of the Fast R-CNN paper
    "vgg16": Backbone(
        build=models.vgg16,
        trunk=lambda model: model.features[:-1],
        head=lambda model: nn.Sequential(nn.Flatten(), *_without_dropout(model.classifier[:-1])),
        stride=16,
        pool_size=7,
        pooling="max",
    ),
    # all convolutions; the pooled features themselves, 512 x 3 x 3 = 4608 numbers a ROI, are the description
    "squeezenet1_1": Backbone(
        build=models.squeezenet1_1,
        trunk=lambda model: model.features,
        head=lambda model: nn.Flatten(),
        stride=16,
        pool_size=3,
        pooling="align",
    ),
    "resnet18": Backbone(
        build=models.resnet18,
        trunk=_resnet_trunk,
        head=_resnet_head,
        stride=16,
        pool_size=14,
        pooling="align",
    ),
    "resnet50": Backbone(
        build=models.resnet50,
        trunk=_resnet_trunk,
        head=_resnet_head,
        stride=16,
        pool_size=14,
        pooling="align",
    ),
    # up to the last block at stride 16; 112 x 5 x 5 = 2800 numbers a ROI
    "mobilenet_v3_large": Backbone(
        build=models.mobilenet_v3_large,
        trunk=lambda model: model.features[:13],
        head=lambda model: nn.Flatten(),
        stride=16,
        pool_size=5,
        pooling="align",
    ),
}
