"""Protects the compression of fully connected layers: that what is lost is exactly the singular values beyond the rank.

numpy's decomposition is the oracle.
"""

import numpy as np
import pytest
import torch
from torch import nn

from fastRCNN.svd import compress, truncated


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(20, 12)


def product(two_layers):
    """The one matrix (v, u) that two thin layers stand for."""
    thin, wide = two_layers
    assert thin.bias is None
    return (wide.weight @ thin.weight).detach().double().numpy()


@pytest.mark.parametrize("rank", [1, 5, 11])
def test_the_error_is_that_of_the_dropped_singular_values(layer, rank):
    weight = layer.weight.detach().double().numpy()
    values = np.linalg.svd(weight, compute_uv=False)
    error = weight - product(truncated(layer, rank))
    # Eckart and Young: no matrix of this rank is nearer
    assert np.linalg.norm(error, 2) == pytest.approx(values[rank], rel=1e-4)
    assert np.linalg.norm(error) == pytest.approx(np.sqrt(np.square(values[rank:]).sum()), rel=1e-4)


def test_shapes_and_bias(layer):
    thin, wide = truncated(layer, 5)
    assert thin.weight.shape == (5, 20) and wide.weight.shape == (12, 5)
    assert torch.equal(wide.bias, layer.bias)
    assert torch.equal(wide(thin(torch.zeros(1, 20)))[0], layer.bias)


def test_a_layer_of_low_rank_loses_nothing(layer):
    with torch.no_grad():
        layer.weight.copy_(torch.randn(12, 3) @ torch.randn(3, 20))
        x = torch.randn(7, 20)
        assert (truncated(layer, 3)(x) - layer(x)).abs().max() < 1e-4
        assert (truncated(layer, 2)(x) - layer(x)).abs().max() > 1e-2


def make_head():
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(20, 12), nn.ReLU(), nn.Sequential(nn.Dropout(), nn.Linear(12, 8)))


def test_a_head_is_compressed_in_place_first_to_last():
    head, original = make_head().eval(), make_head().eval()
    compress(head, (11, 7))
    assert [type(child) for child in head] == [nn.Flatten, nn.Sequential, nn.ReLU, nn.Sequential]
    assert [tensor.shape for tensor in head[1].state_dict().values()] == [(11, 20), (12, 11), (12,)]
    assert [tensor.shape for tensor in head[3][1].state_dict().values()] == [(7, 12), (8, 7), (8,)]
    x = torch.randn(5, 20)
    with torch.no_grad():
        expected = truncated(original[3][1], 7)(torch.relu(truncated(original[1], 11)(x)))
        assert (head(x) - expected).abs().max() < 1e-5
        assert 1e-5 < (head(x) - original(x)).abs().max() < 0.5 * original(x).abs().max()


@pytest.mark.parametrize("ranks", [(), (5,), (5, 4, 3)])
def test_as_many_ranks_as_layers(ranks):
    head = make_head()
    with pytest.raises(ValueError, match=f"{len(ranks)} ranks, but the head has 2 fully connected layers"):
        compress(head, ranks)
    assert head.state_dict().keys() == make_head().state_dict().keys()


def test_a_head_without_fully_connected_layers():
    with pytest.raises(ValueError, match="2 ranks, but the head has 0"):
        compress(nn.Flatten(), (1024, 256))
    compress(nn.Sequential(nn.Flatten()), ())


@pytest.mark.parametrize(
    ("ranks", "words"), [((12, 4), "rank 12: must be less than 12"), ((5, 9), "9: must be less than 8")]
)
def test_a_rank_that_saves_nothing_is_refused(ranks, words):
    head = make_head()
    with pytest.raises(ValueError, match=words):
        compress(head, ranks)
    assert head.state_dict().keys() == make_head().state_dict().keys()  # and nothing was replaced


def test_a_head_that_loads_its_weights_afterwards():
    exact, empty = make_head().eval(), make_head().eval()
    compress(exact, (5, 4))
    compress(empty, (5, 4), exact=False)
    shapes = [{name: tensor.shape for name, tensor in head.state_dict().items()} for head in (exact, empty)]
    assert shapes[0] == shapes[1]
    x = torch.randn(3, 20)
    with torch.no_grad():
        assert not torch.allclose(empty(x), exact(x), atol=1e-3)
        empty.load_state_dict(exact.state_dict())
        assert torch.equal(empty(x), exact(x))
