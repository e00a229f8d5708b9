"""Trunks of networks: those of two and three depths, and cutting one in two where training begins."""

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
    magnitude, so each is brought to unit scale. `deep` must keep the resolution.
    """

    def __init__(self, shallow: nn.Sequential, deep: nn.Sequential) -> None:
        super().__init__()
        self.shallow, self.deep = shallow, deep
        self.unit_scale = UnitScale()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (1, 3, H, W) -> features (1, C1 + C2, H / stride, W / stride)."""
        shallow = self.shallow(x)
        return torch.cat([self.unit_scale(shallow), self.unit_scale(self.deep(shallow))], dim=1)

    def cut(self, index: int) -> "tuple[nn.Sequential, TwoLevels]":
        """The first `index` layers, and the rest."""
        return self.shallow[:index], TwoLevels(self.shallow[index:], self.deep)


class ThreeLevels(nn.Module):
    """The same of three depths, each at half the resolution of the one before; the map has that of the second.

    The deepest level, which names what a photo shows, counts for less: the objects of one refrigerator are told apart
    by the others, and the cards of one deck by it [weight by cross-validation on both].
    """

    DEEPEST_WEIGHT = 0.5

    def __init__(self, shallow: nn.Sequential, middle: nn.Sequential, deep: nn.Sequential) -> None:
        super().__init__()
        self.shallow, self.middle, self.deep = shallow, middle, deep
        self.unit_scale = UnitScale()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (1, 3, H, W), sides multiples of twice the stride -> (1, C1 + C2 + C3, H / stride, W / stride)."""
        shallow = self.shallow(x)
        middle = self.middle(shallow)
        deep = functional.interpolate(self.deep(middle), scale_factor=2.0, mode="bilinear", align_corners=False)
        levels = functional.avg_pool2d(shallow, 2), middle, deep
        first, second, third = map(self.unit_scale, levels)
        return torch.cat([first, second, third * self.DEEPEST_WEIGHT], dim=1)

    def cut(self, index: int) -> "tuple[nn.Sequential, ThreeLevels]":
        """The first `index` layers, and the rest."""
        return self.shallow[:index], ThreeLevels(self.shallow[index:], self.middle, self.deep)


Trunk = nn.Sequential | TwoLevels | ThreeLevels


def cut(trunk: Trunk, index: int) -> "tuple[nn.Sequential, Trunk]":
    """A trunk as two: its first `index` layers, and the rest. They share their weights with it."""
    return (trunk[:index], trunk[index:]) if isinstance(trunk, nn.Sequential) else trunk.cut(index)


def cut_to_train(trunk: Trunk, layers: Sequence[str], first: str) -> tuple[nn.Module, nn.Module]:
    """A trunk as two, see `cut`: the layers before the one called `first`, which stay as they are, and those from it
    on, which learn; layers: of `Backbone`, first: one of them, or "head" for none."""
    return (trunk, nn.Identity()) if first == "head" else cut(trunk, layers.index(first))
