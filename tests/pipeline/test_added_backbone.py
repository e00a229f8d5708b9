"""Protects the promise that a network is added by one entry in `BACKBONES`: PARAMETERS.py takes its name, a wrong name
lists it, and both classifiers work with it from random weights."""

import sys

import pytest
from tiny import nn_params, run_steps, tiny_params
from torch import nn

from fastRCNN.backbones import BACKBONES, Backbone
from helpers.artifacts.model_files import model_path, read_description
from helpers.base.errors import UserError


def tiny_network():
    """Two convolutions to halve an image with, and one layer that describes a ROI."""
    body = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, 1), nn.ReLU())
    return nn.ModuleDict({"body": body, "last": nn.Linear(8 * 2 * 2, 16)})


@pytest.fixture
def added(monkeypatch):
    """The name of a network that was just added."""
    backbone = Backbone(
        build=tiny_network,
        trunk=lambda model: model["body"],
        head=lambda model: nn.Sequential(nn.Flatten(), model["last"]),
        stride=4,
        pool_size=2,
        pooling="align",
        nr_features=16,
        layers=("body.0", "body.1", "body.2", "body.3"),
        train_from="body.2",
    )
    monkeypatch.setitem(BACKBONES, "two_convolutions", backbone)
    monkeypatch.delitem(sys.modules, "PARAMETERS")  # it reads the names when it is imported
    return "two_convolutions"


@pytest.mark.slow
def test_it_is_trained(prepared, added):
    params = nn_params(prepared, network=added)
    run_steps(params, 3, 5)
    assert read_description(model_path(params))["network"] == added


def test_svms_are_trained_on_what_it_describes(prepared, added):
    result = run_steps(tiny_params(prepared, network=added), 3, 4, 5)
    assert set(result["AP"]) == {"circle", "square"}


def test_a_wrong_name_lists_it(prepared, added):
    with pytest.raises(
        UserError, match='^network = \'two\': must be one of "efficientnet_lite0", .*"two_convolutions"$'
    ):
        tiny_params(prepared, network="two")
