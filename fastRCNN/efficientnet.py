"""EfficientNet-Lite0: a small network that classifies 75 % of ImageNet's photos, made for phones.

Tan and Le 2019, "EfficientNet" (arXiv 1905.11946), as TensorFlow's repository tensorflow/tpu has it under
efficientnet/lite: no squeeze-and-excitation, ReLU6 everywhere, stem and head not scaled. Tensors have the names of the
weights' file.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

# of each stage: number of blocks, kernel, stride of the first block, expansion, channels (table 1)
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
STEM = 32  # channels
EPS = 1e-3  # of batch norm


class SameConvolution(nn.Conv2d):
    """A convolution with TensorFlow's padding "same" for inputs whose sides are multiples of its stride: with stride 2
    there is one pixel less before the image than behind it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.stride == (1, 1):
            return super().forward(x)
        weight, around = self.weight, self.kernel_size[0] // 2
        if torch.onnx.is_in_onnx_export():  # which wants kernels as they are
            x, around = functional.pad(x, (around - 1, around) * 2), 0
        else:
            # torch pads both sides alike; a row and a column of zeros before the kernel take the first pixel out again,
            # which is faster than to copy the image into a padded one
            weight = functional.pad(weight, (1, 0, 1, 0))
        return functional.conv2d(x, weight, self.bias, self.stride, around, groups=self.groups)


class Block(nn.Module):
    """An inverted residual block: a 1x1 convolution expands, a depthwise one looks around, a 1x1 one projects."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv, self._bn0 = SameConvolution(inputs, inner, 1), nn.BatchNorm2d(inner, EPS)
        self._depthwise_conv = SameConvolution(inner, inner, kernel, stride, groups=inner)
        self._bn1 = nn.BatchNorm2d(inner, EPS)
        self._project_conv, self._bn2 = SameConvolution(inner, outputs, 1), nn.BatchNorm2d(outputs, EPS)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return y.add_(x) if self.adds else y


class EfficientNetLite0(nn.Module):
    """The network without its classifier, in evaluation mode. Blocks 4, 10 and 15 are the last ones at strides 8, 16
    and 32, with 40, 112 and 320 channels."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = SameConvolution(3, STEM, 3, 2), nn.BatchNorm2d(STEM, EPS)
        self.relu6 = nn.ReLU6(inplace=True)
        self._blocks = nn.Sequential(*_blocks())
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (1, 3, H, W), sides multiples of 32 -> features of the last block (1, 320, H / 32, W / 32)."""
        return self._blocks(self.relu6(self._bn0(self._conv_stem(x))))


def _blocks() -> Iterator[Block]:
    inputs = STEM
    for count, kernel, stride, expansion, outputs in STAGES:
        for number in range(count):
            yield Block(inputs, outputs, kernel, stride if number == 0 else 1, expansion)
            inputs = outputs


def fold_batch_norms(layers: nn.Module) -> None:
    """Let convolutions do what the batch norms behind them do, which thereby go: the same function in half the time."""
    for module in list(layers.modules()):
        names = [name for name, _ in module.named_children()]
        for first, second in itertools.pairwise(names):
            conv, norm = getattr(module, first), getattr(module, second)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                fold: Any = fuse_conv_bn_weights
                values = norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                conv.weight, conv.bias = fold(conv.weight, conv.bias, *values)
                setattr(module, second, nn.Identity())
