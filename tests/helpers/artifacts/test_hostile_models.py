"""Protects against models and weights that ask for what no file may: folders of this machine, memory, code.

Each is refused in one line that names the file, before anything is allocated; the sizes that are claimed here are far
beyond the memory of any machine that runs the tests.
"""

import importlib
import io
import json
import struct
import sys
import zipfile

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from random_models import write_random_model
from safetensors.torch import save_file
from tiny import tiny_params

from fastRCNN.structures import Rois
from helpers.artifacts.model_files import read_description, stored_settings
from helpers.artifacts.onnx_files import read_onnx
from helpers.base.errors import UserError, printable
from helpers.config.modest import require_modest
from helpers.config.schema import declared
from helpers.fetching.state_dicts import read_state_dict
from pipeline.onnx_detector import OnnxDetector
from pipeline.parameters import load_parameters
from pipeline.regions import propose_rois
from pipeline.scoring import model_settings
from pipeline.stages import NetworkInput, load_model

MODEST = {item.name: item.modest for item in declared().values() if item.modest}
NOT_STORED = [item.name for item in declared().values() if not item.group.stored]
step7 = importlib.import_module("7_exportModel")


@pytest.fixture(scope="module")
def exported(tiny_data, tmp_path_factory):
    """Parameters, the file of a model and the ONNX file that step 7 made of it. Read only."""
    params = tiny_params(tiny_data, classifier="nn")
    model = write_random_model(tmp_path_factory.mktemp("hostile"), params)
    return params, model, step7.main(params, model)


def refusal(function, *args, **options):
    with pytest.raises(UserError) as caught:
        function(*args, **options)
    assert printable(caught.value) == str(caught.value) and len(str(caught.value)) < 700
    return str(caught.value)


# --- what a header may set ---


def stored(**values):
    return stored_settings({"parameters": values}, "m.safetensors")


@pytest.mark.parametrize("name", NOT_STORED)
def test_a_model_chooses_no_folder_and_no_device(name):
    assert f"m.safetensors: sets {name} = " in refusal(stored, **{name: "/tmp/elsewhere"})


@pytest.mark.parametrize("value", [1, [], {}, None, 1e300, "x" * 10_000, [[[]]], float("nan"), "\x00", "\ud800"])
@pytest.mark.parametrize("name", ["preset", "datasetName", "classes", "ss_base_k", "svd_rank", "experimentName"])
def test_values_of_wrong_types_and_sizes(name, value):
    try:
        values = stored(**{name: value})
    except UserError as error:
        assert str(error).startswith(f"m.safetensors: its {name} = ")
    else:
        assert declared()[name].check(values[name]) == values[name]


@pytest.mark.parametrize("name", MODEST)
def test_a_model_asks_for_no_more_than_models_need(name):
    values = stored(**{name: MODEST[name] + 1})
    assert f"m.safetensors: its {name} = " in refusal(require_modest, values, "m.safetensors")
    require_modest(values, "m.safetensors", [f"{name}=100"])  # the user said so


def test_a_model_asks_for_no_more_pixels_than_models_need():
    values = stored(cntk_padWidth=4000, cntk_padHeight=4000)
    assert "16000000, at most 6000000" in refusal(require_modest, values, "m.safetensors")
    require_modest(values, "m.safetensors", ["cntk_padWidth=1000"])
    require_modest(stored(**load_parameters().subset(set(declared()) - set(NOT_STORED))), "m.safetensors")


def test_step_6_writes_nothing_where_a_model_wants_it(exported, tmp_path):
    _, _, good = exported
    model = onnx.load(good)
    description = json.loads(model.metadata_props[0].value)
    description["parameters"]["resultsRootDir"] = str(tmp_path / "elsewhere")
    helper.set_model_props(model, {"description": json.dumps(description)})
    path = tmp_path / "bad.onnx"
    onnx.save(model, path)
    assert "sets resultsRootDir" in refusal(model_settings, path)


# --- tensors of a model ---


def written(path, header, size=8):
    """A safetensors file with this header and so many bytes of tensors, none of which lie on the disk."""
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)
    return path


def test_tensors_are_compared_with_the_network_before_they_are_read(exported, tmp_path, monkeypatch):
    params, model, _ = exported
    from safetensors import safe_open

    with safe_open(model, "pt") as file:
        description = file.metadata()
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    name = "class_scores.weight"
    shapes[name] = [shapes[name][0], 200_000_000]  # 2.4 GB, a file with a hole
    header, end = {"__metadata__": description}, 0
    for other, shape in shapes.items():
        start, end = end, end + 4 * int(np.prod(shape))
        header[other] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    path = written(tmp_path / "m.safetensors", header, end)
    assert f"tensor {name} is ('F32', (3, 200000000)), ('F32'," in refusal(load_model, path, params)
    monkeypatch.setattr(sys.modules["helpers.base.tensor_files"], "MOST_BYTES", 10**9)
    assert "2.4 GB, at most 1.0 GB are read" in refusal(load_model, path, params)


def test_ranks_that_the_file_does_not_hold(exported):
    params, model, _ = exported
    wide = params.replace(network="alexnet", svd_rank=(100_000, 100_000), network_contextFactor=1)
    assert "rank 100000: must be less than" in refusal(load_model, model, wide)


@pytest.mark.parametrize("read", [read_state_dict, read_description])
def test_headers_of_absurd_length(read, tmp_path):
    path = tmp_path / "m.safetensors"
    for length in (10**7, 2**40, 2**64 - 1):
        path.write_bytes(struct.pack("<Q", length) + b"{}" * 100)
        assert "its header is too long" in refusal(read, path)
    assert "no file" in refusal(read, tmp_path)


# --- weights ---


def torch_file(path, state, change=lambda name, data: (name, data)):
    """A file of torch.save, each entry of its archive changed."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(*change(name, old.read(name)))
    return path


def test_an_archive_that_claims_100_gigabytes(tmp_path):
    path = torch_file(tmp_path / "w.pth", {"a": torch.zeros(10)})
    data = path.read_bytes()
    real, claimed = struct.pack("<II", 40, 40), struct.pack("<II", 40, 4_000_000_000)
    assert data.count(real) >= 2  # the local and the central entry of the tensor
    path.write_bytes(data.replace(real, claimed))
    assert "claims to hold more than it does" in refusal(read_state_dict, path)


def test_tensors_larger_than_their_file(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(1).expand(10**12)}, path)
    assert "tensor a is larger than the file" in refusal(read_state_dict, path)
    torch.save({"a": torch.empty(10**12, device="meta")}, path)
    assert "w.pth" in refusal(read_state_dict, path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_named(value, tmp_path):
    state = {"good": torch.zeros(3), "bad.bias": torch.tensor([1.0, value])}
    torch.save(state, tmp_path / "w.pth")
    save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        assert f"{name}: tensor bad.bias holds values that are not finite" in refusal(read_state_dict, tmp_path / name)


# --- ONNX ---


def changed(exported, tmp_path, change):
    model = onnx.load(exported[2])
    change(model)
    path = tmp_path / "bad.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_operators_and_functions_of_others(exported, tmp_path):
    path = changed(exported, tmp_path, lambda model: setattr(model.graph.node[3], "domain", "com.evil"))
    assert "computes with 'com.evil." in refusal(read_onnx, path)
    path = changed(exported, tmp_path, lambda model: model.functions.add(name="f", domain="x"))
    assert "FunctionProto" in refusal(read_onnx, path)
    path = changed(exported, tmp_path, lambda model: model.graph.sparse_initializer.add(dims=[10**6, 10**6]))
    assert "SparseTensorProto" in refusal(read_onnx, path)
    assert "no file" in refusal(read_onnx, "/dev/null")


@pytest.mark.slow
def test_a_graph_gets_no_more_memory_than_networks_need(exported, tmp_path):
    def grow(model):  # what comes out, doubled 40 times on the way
        last = next(node for node in model.graph.node if "offsets" in node.output)
        last.output[0] = "small"
        names = ["small", *(f"grown{i}" for i in range(40))]
        for old, new in zip(names, names[1:], strict=False):
            model.graph.node.append(helper.make_node("Concat", [old, old], [new], axis=0))
        model.graph.initializer.append(helper.make_tensor("one", TensorProto.INT64, [1], [1]))
        model.graph.initializer.append(helper.make_tensor("zero", TensorProto.INT64, [1], [0]))
        model.graph.node.append(helper.make_node("Slice", [names[-1], "zero", "one"], ["offsets"]))

    detector = OnnxDetector(changed(exported, tmp_path, grow), exported[0].replace(cntk_nrRois=1))
    prepared = NetworkInput(np.zeros((64, 64, 3), np.uint8), (1.0, 1.0))
    assert "its graph cannot be run" in refusal(detector.score, prepared, Rois.of([[0, 0, 40, 40]]))


def test_a_grid_that_would_fill_the_memory(exported):
    fine = exported[0].replace(
        grid_nrScales=30, grid_downscaleRatioPerIteration=1.5, grid_stepRel=0.05, roi_minDimRel=0.001
    )
    image = np.zeros((700, 1000, 3), np.uint8)
    assert "the grid has more than 2000000 boxes" in refusal(propose_rois, image, fine.replace(roi_engine="grid"))
