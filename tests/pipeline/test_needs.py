"""Protects a long run from ending for something that was known before its first step: weights that are not there, and a
disk that cannot hold what step 3 writes.
"""

import re
import shutil
from collections import namedtuple

import numpy as np
import pytest
from tiny import nn_params, run_steps, tiny_params

from fastRCNN.backbones import BACKBONES
from fastRCNN.network import RoiNetwork
from helpers.artifacts.feature_files import feature_path
from helpers.base.errors import UserError
from pipeline.needs import check_needs, map_bytes, map_root, nr_features, output_bytes
from pipeline.training_images import TrainingImages

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


@pytest.mark.slow
@pytest.mark.parametrize("network", ["squeezenet1_1", "resnet18"])
def test_what_works_without_a_network_is_said_before_step_1(tiny, monkeypatch, capsys, network):
    def fail(*arguments, **options):
        raise UserError("the network cannot be reached")

    monkeypatch.setattr("helpers.fetching.weights.download", fail)
    monkeypatch.setattr("helpers.fetching.weights.auto_candidates", lambda network: [tiny / f"{network}-12345678.pth"])
    params = tiny_params(tiny, network=network, networkWeights="auto")
    advice = rf"no ImageNet weights for {network}: .*Without a network .*efficientnet_lite0 works"
    with pytest.raises(UserError, match=f"^{advice}"):  # what run.py does before step 0
        check_needs(params)
    assert not params.proc_dir.exists()
    assert min(run_steps(params, 1).values()) > 0, "ROIs need no weights"
    assert re.search(f"WARNING: step 3 will need what is missing now: {advice}", capsys.readouterr().err)


@pytest.mark.slow
@pytest.mark.parametrize("network", BACKBONES)
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


@pytest.mark.slow
def test_a_disk_without_room_stops_step_1_and_step_3(tiny, room):
    params = tiny_params(tiny)
    wanted = (5 * 2 + 2) * 60 * 13824 * 2
    assert output_bytes(params, 5 * 60, 2 * 60) == wanted
    assert output_bytes(params.replace(train_mirrored=False), 300, 120) == 7 * 60 * 13824 * 2
    room(wanted - 1)
    with pytest.raises(UserError, match=r"will write 19.9 MB, .* 7 images with up to 60 ROIs each, and this disk has"):
        run_steps(params, 1)
    assert not params.proc_dir.exists()
    room(wanted)
    check_needs(params)
    run_steps(params, 1, 2)
    room(10**5)
    with pytest.raises(
        UserError,
        match=r"step 3 will write 19.9 MB, the network's numbers for 420 ROIs, and this disk has room for 0.1 MB",
    ):
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


SOME_LAYERS = [
    ("squeezenet1_1", "auto"),
    ("squeezenet1_1", "head"),
    ("squeezenet1_1", "features.3"),
    ("resnet18", "auto"),
]


@pytest.mark.parametrize(("network", "layer"), SOME_LAYERS)
def test_the_size_of_the_cached_maps_is_known_without_the_network(prepared, monkeypatch, network, layer):
    params, written = nn_params(prepared, network=network, nn_trainFromLayer=layer), []
    compute = TrainingImages._compute_map

    def note(self, index, mirrored):
        written.append(compute(self, index, mirrored).nbytes)
        raise InterruptedError

    monkeypatch.setattr(TrainingImages, "_compute_map", note)
    with pytest.raises(InterruptedError):
        run_steps(params, 3)
    assert written == [map_bytes(params.replace(train_mirrored=False), [(160, 120)])]
    assert map_bytes(params, [(160, 120)] * 5) == 10 * written[0]


@pytest.mark.slow
def test_a_disk_without_room_for_cached_maps_stops_step_1_and_training(tiny, room):
    params = nn_params(tiny)
    wanted = map_bytes(params, [(160, 120)] * 5)
    predictions = output_bytes(params, 300, 120)
    assert predictions < wanted
    room(wanted - 1)
    with pytest.raises(
        UserError, match=r"step 3 will write .* MB, the maps of 5 training images .* nn_cacheTrunk=False$"
    ):
        run_steps(params, 1)
    assert not params.proc_dir.exists()
    room(wanted)
    run_steps(params, 1, 2)
    room(wanted - 1)
    with pytest.raises(UserError, match="the maps of 5 training images"):
        run_steps(params, 3)
    assert not list(map_root(params).rglob("*.npz"))
    run_steps(params.replace(nn_cacheTrunk=False), 3)
    room(predictions)
    check_needs(params)  # it is trained


def test_an_unreadable_image_is_left_to_step_0(tiny):
    (tiny / "data" / "tiny" / "positive" / "1.jpg").write_bytes(b"none")
    check_needs(nn_params(tiny))


def test_a_layer_that_the_network_does_not_have_stops_step_1(tiny):
    params = nn_params(tiny, nn_trainFromLayer="features.99")
    with pytest.raises(
        UserError, match='nn_trainFromLayer = "features.99": squeezenet1_1 can learn from "head" or one'
    ):
        run_steps(params, 1)
    assert not params.proc_dir.exists()
