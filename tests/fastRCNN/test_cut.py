"""Protects where training cuts a network: the frozen layers and the rest are together the whole trunk, at each place
that a user may name, and the names are torchvision's.

A layer lost between the two, or one that is both, would train another network than the one that scores. Weights are
random.
"""

import pytest
import torch

from fastRCNN.backbones import BACKBONES
from fastRCNN.trunks import ThreeLevels, TwoLevels, cut


@pytest.fixture(scope="module", params=BACKBONES)
def network(request):
    """(backbone, torchvision's model, trunk). The layers that are cut off take no memory and have no values."""
    backbone = BACKBONES[request.param]
    with torch.device("meta"):
        model = backbone.build()
    trunk = backbone.trunk(model).to_empty(device="cpu").eval()
    torch.manual_seed(0)
    for tensor in trunk.state_dict().values():
        if tensor.ndim > 1:
            tensor.normal_(std=tensor[0].numel() ** -0.5)
        elif tensor.is_floating_point():  # biases, and batch norm's statistics
            tensor.uniform_(0.1, 1)
    return backbone, model, trunk


def trunk_layers(trunk):
    """The trunk's layers, one after the other."""
    if isinstance(trunk, ThreeLevels):
        return [*trunk.shallow, *trunk.middle, *trunk.deep]
    return [*trunk.shallow, *trunk.deep] if isinstance(trunk, TwoLevels) else [*trunk]


def test_names_are_torchvisions(network):
    backbone, model, trunk = network
    modules = dict(model.named_modules())
    layers = trunk_layers(trunk)
    assert len(backbone.layers) <= len(layers)
    for name, layer in zip(backbone.layers, layers, strict=False):
        assert modules[name] is layer, name
    assert backbone.train_from in (*backbone.layers, "head")


@pytest.mark.slow
@torch.no_grad()
def test_frozen_and_rest_are_the_whole_trunk(network):
    backbone, _, trunk = network
    pixels = torch.randn(1, 3, 64, 96)
    expected = trunk(pixels.clone())
    assert expected.std() > 1e-3  # there is something to compare
    for index in range(len(backbone.layers)):
        frozen, rest = cut(trunk, index)
        assert torch.equal(rest(frozen(pixels.clone())), expected), index


def test_every_weight_is_in_one_of_the_two(network):
    backbone, model, trunk = network
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    everything = {names[id(parameter)] for parameter in trunk.parameters()}
    for index in range(len(backbone.layers)):
        frozen, rest = ({names[id(parameter)] for parameter in part.parameters()} for part in cut(trunk, index))
        before = tuple(f"{layer}." for layer in backbone.layers[:index])
        assert frozen == {name for name in everything if name.startswith(before)}
        assert rest == everything - frozen
