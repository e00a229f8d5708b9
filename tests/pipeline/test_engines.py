"""Protects the engines that run the trunk: that they agree with torch, that disagreement is found, and what is said
of a machine that lacks what one needs."""

import builtins

import numpy as np
import pytest
import torch
from tiny import tiny_params

from fastRCNN.network import RoiNetwork
from helpers.base.errors import UserError
from pipeline import engines
from pipeline.engines import CheckedEngine, computes_bfloat16, use_engine

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=["efficientnet_lite0", "squeezenet1_1", "resnet18"])
def network(request):
    torch.manual_seed(0)
    return RoiNetwork(request.param)


@torch.inference_mode()
@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_engines_agree_with_torch_on_images_of_any_size(network, runtime, tmp_path, capsys):
    pytest.importorskip("onnxruntime" if runtime == "onnx" else "openvino")
    use_engine(network, tiny_params(tmp_path, network_runtime=runtime))
    images = [IMAGE, IMAGE[:40], IMAGE.transpose(1, 0, 2)]
    found = [network.map(image) for image in images]
    assert network.engine.is_checked
    assert f"trunk in {runtime}, float32: within" in capsys.readouterr().err
    network.engine = None
    for one, image in zip(found, images, strict=True):
        expected = network.map(image)
        assert one.shape == expected.shape
        assert (one - expected).abs().max() < 1e-4 * expected.abs().max()
        assert one.is_contiguous(memory_format=torch.channels_last)


def test_features_are_those_of_the_engine(network, tmp_path):
    pytest.importorskip("onnxruntime")
    rois = np.array([[5, 5, 60, 50]], np.float32)
    expected = network.features(IMAGE, rois, 500)
    use_engine(network, tiny_params(tmp_path, network_runtime="onnx"))
    found = network.features(IMAGE, rois, 500)
    engine, network.engine = network.engine, None
    assert engine.is_checked
    assert np.allclose(found.astype(float), expected.astype(float), rtol=2e-3, atol=1e-3)


def test_an_engine_that_disagrees_is_refused(network):
    def wrong(image):
        return network.trunk(image) * 1.01

    image = network.prepare(IMAGE)
    checked = CheckedEngine(network.trunk, wrong, "dishonest, float32", 1e-3)
    with torch.inference_mode(), pytest.raises(UserError, match=r"dishonest, float32 differs from torch's by 1e-02 of"):
        checked(image)
    for bad in (lambda image: network.trunk(image)[:, :1], lambda image: network.trunk(image) * torch.nan):
        with torch.inference_mode(), pytest.raises(UserError, match="differs from torch's by nan"):
            CheckedEngine(network.trunk, bad, "x", 1e-3)(image)


@torch.inference_mode()
def test_bfloat16_is_near_float32(network, tmp_path, monkeypatch, capsys):
    params = tiny_params(tmp_path, network_precision="bfloat16")
    monkeypatch.setattr(engines, "computes_bfloat16", lambda device: True)  # it can be had anywhere, only slowly
    expected = network.map(IMAGE)
    use_engine(network, params)
    found, network.engine = network.map(IMAGE), None
    assert found.dtype == torch.float32
    assert 1e-5 < (found - expected).abs().max() / expected.abs().max() < 0.1
    assert "trunk in torch, bfloat16: within" in capsys.readouterr().err


def test_what_a_machine_lacks_is_said(network, tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "computes_bfloat16", lambda device: False)
    with pytest.raises(UserError, match='network_precision = "bfloat16": this processor has no bfloat16'):
        use_engine(network, tiny_params(tmp_path, network_precision="bfloat16"))
    monkeypatch.setattr(engines, "computes_bfloat16", lambda device: True)
    with pytest.raises(UserError, match='network_runtime = "onnx" computes in float32'):
        use_engine(network, tiny_params(tmp_path, network_runtime="onnx", network_precision="bfloat16"))
    imported = builtins.__import__

    def without_openvino(name, *arguments, **options):
        if name == "openvino":
            raise ImportError("No module named 'openvino'")
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_openvino)
    with pytest.raises(UserError, match="No module named 'openvino'.*requirements-openvino.txt"):
        use_engine(network, tiny_params(tmp_path, network_runtime="openvino"))
    assert network.engine is None


def test_a_gpu_is_torchs_alone(tmp_path):
    class Elsewhere:
        device = torch.device("cuda")

    with pytest.raises(UserError, match='network_runtime = "onnx" computes on the CPU: set network_device = "cpu"'):
        use_engine(Elsewhere(), tiny_params(tmp_path, network_runtime="onnx"))


def test_whether_this_processor_computes_bfloat16_is_known():
    assert computes_bfloat16(torch.device("cpu")) in (True, False)
    assert not computes_bfloat16(torch.device("mps"))
