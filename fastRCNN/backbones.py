"""Pre-trained networks, cut in two: a trunk that runs once per image, and a head that runs on every ROI.

To add a network, add one entry to `BACKBONES`. PARAMETERS.py takes the names from it, so this module must not import
torch, which takes seconds, before a network is built.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from fastRCNN.trunks import Trunk


IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB in [0, 1]; torchvision's weights expect (image - mean) / std
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """How to build and cut a network, most of them torchvision's.

    build: its constructor, called without arguments for random weights;
    trunk(model): images (1, 3, H, W) -> features (1, C, H / stride, W / stride); head(model): pooled features
    (R, C, P, P) -> (R, D); stride: pixels from one feature to the next; pool_size: P; pooling: "max" as in the Fast
    R-CNN paper, or "align" (RoIAlign, Mask R-CNN, section 3); nr_features: D; layers: torchvision's names of the
    trunk's layers, at which it can be cut, see `cut`; train_from: the first that fine-tuning changes, or "head";
    mean, std: of RGB in [0, 1], by which pixels are normalised; multiple: what the sides of the network's input must be
    multiples of; finish(trunk): called once the weights are in.
    """

    build: "Callable[[], nn.Module]"
    trunk: "Callable[[Any], Trunk]"  # Any: each network has names of its own for its layers
    head: "Callable[[Any], nn.Module]"
    stride: int
    pool_size: int
    pooling: str
    nr_features: int
    layers: tuple[str, ...]
    train_from: str
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    multiple: int = 1
    finish: "Callable[[nn.Module], None]" = lambda trunk: None

    def input_side(self, side: int) -> int:
        """How long a side of the network's input is, where that of the image has `side` pixels: layers without padding
        need two cells at least."""
        return -(-max(side, 2 * self.stride) // self.multiple) * self.multiple


def _features(count: int) -> tuple[str, ...]:
    return tuple(f"features.{index}" for index in range(count))


def _torchvision(name: str) -> "Callable[[], nn.Module]":
    def build() -> "nn.Module":
        from torchvision import models

        return getattr(models, name)()

    return build


def _vgg_cnn_m() -> "nn.Module":
    from fastRCNN.vgg_cnn_m import VggCnnM1024

    return VggCnnM1024()


def _in_turn(*modules: "nn.Module") -> "nn.Sequential":
    from torch import nn

    return nn.Sequential(*modules)


def _flat(*modules: "nn.Module") -> "nn.Module":
    from torch import nn

    return nn.Sequential(nn.Flatten(), *modules) if modules else nn.Flatten()


def _convolutions(model: Any) -> "nn.Sequential":
    return model.features[:-1]  # the last one pools, as the ROI pooling does in its place


def _fully_connected(model: Any) -> "nn.Module":
    return _flat(*model.classifier[:-1])  # the last one names ImageNet's classes


def _two_levels(model: Any) -> "Trunk":
    from fastRCNN.trunks import TwoLevels

    return TwoLevels(model.features[:9], model.features[9:])


RESNET_LAYERS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3")


def _resnet_trunk(model: Any) -> "nn.Sequential":
    return _in_turn(*(getattr(model, name) for name in RESNET_LAYERS))


def _resnet_head(model: Any) -> "nn.Module":
    # "C4": the last block of layers looks at each ROI by itself (ResNet paper, appendix A; Fast R-CNN's Caffe heirs)
    from torch import nn

    return _in_turn(model.layer4, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _lite0() -> "nn.Module":
    from fastRCNN.efficientnet import EfficientNetLite0

    return EfficientNetLite0()


def _lite0_trunk(model: Any) -> "Trunk":
    from fastRCNN.trunks import ThreeLevels

    stem = model._conv_stem, model._bn0, model.relu6
    return ThreeLevels(_in_turn(*stem, *model._blocks[:5]), model._blocks[5:11], model._blocks[11:])


def _fold(trunk: "nn.Module") -> None:
    from fastRCNN.efficientnet import fold_batch_norms

    fold_batch_norms(trunk)


BACKBONES = {
    # blocks 4, 10 and 15, at strides 8, 16 and 32: (40 + 112 + 320) x 3 x 3 = 4248 numbers per ROI
    "efficientnet_lite0": Backbone(
        build=_lite0,
        trunk=_lite0_trunk,
        head=lambda model: _flat(),
        stride=16,
        pool_size=3,
        pooling="align",
        nr_features=4248,
        layers=("_conv_stem", "_bn0", "relu6", *(f"_blocks.{index}" for index in range(6))),
        train_from="_blocks.5",
        mean=(127 / 255,) * 3,  # TensorFlow's (x - 127) / 128
        std=(128 / 255,) * 3,
        multiple=32,
        finish=_fold,
    ),
    # relu5, 6x6 max pooling, fc6 and fc7: 4096 numbers per ROI, as in the original tutorial
    "alexnet": Backbone(
        build=_torchvision("alexnet"),
        trunk=_convolutions,
        head=_fully_connected,
        stride=16,
        pool_size=6,
        pooling="max",
        nr_features=4096,
        layers=_features(12),
        train_from="features.6",
    ),
    # relu5, 6x6 max pooling, fc6 and fc7: model M of the Fast R-CNN paper, 1024 numbers per ROI
    "vgg_cnn_m_1024": Backbone(
        build=_vgg_cnn_m,
        trunk=_convolutions,
        head=_fully_connected,
        stride=16,
        pool_size=6,
        pooling="max",
        nr_features=1024,
        layers=_features(14),
        train_from="features.4",
    ),
    # conv5_3, 7x7 max pooling, fc6 and fc7: model L of the Fast R-CNN paper
    "vgg16": Backbone(
        build=_torchvision("vgg16"),
        trunk=_convolutions,
        head=_fully_connected,
        stride=16,
        pool_size=7,
        pooling="max",
        nr_features=4096,
        layers=_features(30),
        train_from="features.10",
    ),
    # all convolutions; the pooled features themselves, (256 + 512) x 3 x 3 = 6912 numbers per ROI, are the description
    "squeezenet1_1": Backbone(
        build=_torchvision("squeezenet1_1"),
        trunk=_two_levels,
        head=lambda model: _flat(),
        stride=16,
        pool_size=3,
        pooling="align",
        nr_features=6912,
        layers=_features(10),
        train_from="features.9",
    ),
    "resnet18": Backbone(
        build=_torchvision("resnet18"),
        trunk=_resnet_trunk,
        head=_resnet_head,
        stride=16,
        pool_size=14,
        pooling="align",
        nr_features=512,
        layers=RESNET_LAYERS,
        train_from="layer3",
    ),
    "resnet50": Backbone(
        build=_torchvision("resnet50"),
        trunk=_resnet_trunk,
        head=_resnet_head,
        stride=16,
        pool_size=14,
        pooling="align",
        nr_features=2048,
        layers=RESNET_LAYERS,
        train_from="layer3",
    ),
    # up to the last block at stride 16; 112 x 5 x 5 = 2800 numbers per ROI
    "mobilenet_v3_large": Backbone(
        build=_torchvision("mobilenet_v3_large"),
        trunk=lambda model: model.features[:13],
        head=lambda model: _flat(),
        stride=16,
        pool_size=5,
        pooling="align",
        nr_features=2800,
        layers=_features(13),
        train_from="features.7",
    ),
}
