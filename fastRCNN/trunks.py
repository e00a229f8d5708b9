"""Trunks of networks: one of two depths, and cutting one in two where training begins."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


class UnitScale(nn.Module):
    """A map divided by the root mean square of all its values."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / x.square().mean().sqrt().clamp(min=1e-6)


class TwoLevels(nn.Module):
    """A trunk whose map has the channels of two depths: those of `shallow`, and of `deep`, which goes on from there.

    Deep features name an object, those before still know its colours, textures and borders, which tell the objects of
    one refrigerator apart, and frame them (Inside-Outside Net, Bell et al. 2016, section 3). Depths differ in
    magnitude, so each is brought to unit scale, and a finer `shallow` map to the resolution of the other.
    """

    def __init__(self, shallow: nn.Sequential, deep: nn.Sequential, ratio: int = 1) -> None:
        """ratio: of the strides of the two maps."""
        super().__init__()
        self.shallow, self.deep, self.ratio = shallow, deep, ratio
        self.unit_scale = UnitScale()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (1, 3, H, W) -> features (1, C1 + C2, H / stride, W / stride)."""
        shallow = self.shallow(x)
        deep = self.deep(shallow)
        if self.ratio > 1:
            shallow = functional.avg_pool2d(shallow, self.ratio)
        return torch.cat([self.unit_scale(shallow), self.unit_scale(deep)], dim=1)


Trunk = nn.Sequential | TwoLevels


def cut(trunk: Trunk, index: int) -> tuple[nn.Sequential, Trunk]:
    """A trunk as two: its first `index` layers, and the rest. They share their weights with it."""
    if isinstance(trunk, TwoLevels):
        return trunk.shallow[:index], TwoLevels(trunk.shallow[index:], trunk.deep, trunk.ratio)
    return trunk[:index], trunk[index:]


def cut_to_train(trunk: Trunk, layers: Sequence[str], first: str) -> tuple[nn.Module, nn.Module]:
    """A trunk as two, see `cut`: the layers before the one called `first`, which stay as they are, and those from it
    on, which learn; layers: of `Backbone`, first: one of them, or "head" for none."""
    return (trunk, nn.Identity()) if first == "head" else cut(trunk, layers.index(first))
