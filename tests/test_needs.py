"""Protects a long run from ending for something that was known before its first step: weights that are not there, and a
disk that cannot hold what step 3 writes.
"""

import shutil
from collections import namedtuple

import numpy as np
import pytest
from conftest import nn_params, run_steps, tiny_params

from fastRCNN.network import RoiNetwork
from helpers.errors import UserError
from helpers.feature_files import feature_path
from helpers.parameters import NETWORKS
from needs import check_needs, nr_features, output_bytes

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def room(monkeypatch):
    """A function that sets the free bytes of every disk."""
    return lambda free: monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - free, free))


def test_a_missing_file_of_weights_stops_step_1(tiny):
    params = tiny_params(tiny, networkWeights=tiny / "none.pth")
    with pytest.raises(UserError, match=r'networkWeights = ".*none.pth": no such file'):
        run_steps(params, 1)
    assert not params.proc_dir.exists()


@pytest.mark.parametrize(("network", "works"), [("squeezenet1_1", "bundled"), ("resnet18", "squeezenet1_1")])
def test_what_works_without_a_network_is_said_before_step_1(tiny, monkeypatch, network, works):
    def fail(*arguments, **options):
        raise UserError("the network cannot be reached")

    monkeypatch.setattr("helpers.weights.download", fail)
    monkeypatch.setattr("helpers.weights.auto_candidates", lambda network: [tiny / f"{network}-12345678.pth"])
    params = tiny_params(tiny, network=network, networkWeights="auto")
    with pytest.raises(UserError, match=rf"^no ImageNet weights for {network}: .*Without a network .*{works}.* works"):
        run_steps(params, 1)
    assert not params.proc_dir.exists()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("factor", [1.0, 1.8])
def test_the_numbers_of_a_roi_are_known_without_the_network(tmp_path, network, factor):
    params = tiny_params(tmp_path, network=network, network_contextFactor=factor)
    if network == "squeezenet1_1":  # as the README has it
        assert nr_features(params) == (13824 if factor > 1 else 6912)
    if network in ("squeezenet1_1", "resnet18", "mobilenet_v3_large"):  # the others take seconds and GB to make
        made = RoiNetwork(network, None, "auto", factor)
        described = made.features(np.ones((64, 64, 3), np.uint8), np.array([[0.0, 0, 50, 50]]), 9)
        assert described.shape[1] == nr_features(params)
    assert nr_features(params) >= 512


def test_a_disk_without_room_stops_step_1_and_step_3(tiny, room):
    params = tiny_params(tiny)
    wanted = (5 * 2 + 2) * 60 * 13824 * 2
    assert output_bytes(params, 5 * 60, 2 * 60) == wanted
    assert output_bytes(params.replace(train_mirrored=False), 300, 120) == 7 * 60 * 13824 * 2
    room(wanted - 1)
    with pytest.raises(UserError, match=r"will write 0.0 GB, .* 7 images with up to 60 ROIs each, and this disk has"):
        run_steps(params, 1)
    assert not params.proc_dir.exists()
    room(wanted)
    check_needs(params)
    run_steps(params, 1, 2)
    room(10**5)
    with pytest.raises(UserError, match=r"step 3 will write 0.0 GB, the network's numbers for \d+ ROIs, and this disk"):
        run_steps(params, 3)
    assert not list(params.cntk_files_dir.rglob("*.npz"))
    room(wanted)
    run_steps(params, 3)
    room(10**6)
    run_steps(params, 3)  # what is there already needs no more room


def test_the_size_that_is_asked_for_is_the_size_that_is_written(finished, trained):
    for params in (tiny_params(finished), nn_params(trained)):
        paths = [feature_path(params.cntk_files_dir, *part, params.classifier, 0) for part in (("train",), ("test",))]
        written = [path.stat().st_size for path in paths]
        asked = [output_bytes(params, 60, 0), output_bytes(params, 0, 60)]
        assert [size - 2000 <= wish <= size for size, wish in zip(written, asked, strict=True)] == [True, True]
