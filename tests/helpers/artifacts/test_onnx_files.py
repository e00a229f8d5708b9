"""Protects the reading of ONNX files, which may come from anywhere: one that is damaged, of another kind, made for
other classes or that reaches for other files ends in one line that names it.
"""

import importlib
import json
import re
import shutil
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from random_models import NR_CLASSES, printed_detections, random_image, write_random_model
from tiny import tiny_params

from helpers.artifacts.onnx_files import read_onnx
from helpers.base.errors import UserError
from pipeline.onnx_detector import OnnxDetector
from pipeline.stages import NnDetector

step7 = importlib.import_module("7_exportModel")


@pytest.fixture(scope="module")
def exported(tiny_data, tmp_path_factory):
    """Parameters, the file of a model and the ONNX file that step 7 made of it. Read only."""
    params = tiny_params(tiny_data, classifier="nn")
    model = write_random_model(tmp_path_factory.mktemp("exported"), params)
    return params, model, step7.main(params, model)


def changed(source, target, change):
    """A copy of an ONNX file after `change(model)`."""
    model = onnx.load(source)
    change(model)
    target.write_bytes(model.SerializeToString())
    return target


def set_description(model, text):
    helper.set_model_props(model, {"description": text})


def rename(model, name):
    """Rename an output, or an input and those who read it."""
    for value in (*model.graph.input, *model.graph.output):
        if value.name == name:
            value.name = "renamed"
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["renamed" if other == name else other for other in names]


def keep_outside(tensor, location):
    """Make a tensor one that lies in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def keep_constant_outside(model):
    tensor = next(node for node in model.graph.node if node.op_type == "Constant").attribute[0].t
    keep_outside(tensor, "../secret")


BAD_MODELS = {
    "no description": (lambda model: model.ClearField("metadata_props"), "holds no description"),
    "no JSON": (lambda model: set_description(model, "{" * 100_000), "holds no description"),
    "another format": (lambda model: set_description(model, '{"format": "Fast R-CNN model 9"}'), "Fast R-CNN model 9"),
    "a list": (lambda model: set_description(model, "[1]"), "format \\[1\\]"),
    "no parameters": (lambda model: set_description(model, '{"format": "Fast R-CNN model 1"}'), "no parameters"),
    "tensor outside": (lambda model: keep_outside(model.graph.initializer[0], "/etc/passwd"), "in another file"),
    "constant outside": (keep_constant_outside, "in another file"),
    "no image": (lambda model: rename(model, "image"), "image, rois expected.*it has renamed, rois"),
    "no scores": (lambda model: rename(model, "scores"), "scores, offsets expected.*it has renamed, boxes, offsets"),
    "unknown operator": (lambda model: setattr(model.graph.node[-1], "op_type", "Frob"), "its graph cannot be run"),
    "no weights": (lambda model: model.graph.ClearField("initializer"), "its graph cannot be run"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_bad_file_is_named_in_one_line(name, exported, tmp_path, capfd, monkeypatch):
    change, message = BAD_MODELS[name]
    params, _, good = exported
    path = changed(good, tmp_path / "bad.onnx", change)
    image = params.image_dir / "testImages" / "1.jpg"
    code, found, err = printed_detections([image, "--model", path], capfd, monkeypatch)
    assert code == 1 and found == []
    assert re.fullmatch(rf"ERROR: .*bad\.onnx: .*{message}.*\n", err) and len(err) < 600


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07" * 1000, None])
def test_other_files_are_no_models(content, exported, tmp_path):
    params, model, good = exported
    path = tmp_path / "bad.onnx"
    path.write_bytes(good.read_bytes()[:-1000] if content is None else content)
    with pytest.raises(UserError, match="bad.onnx: .*(7_exportModel.py|holds no description)"):
        OnnxDetector(path, params)
    shutil.copy(model, path)
    with pytest.raises(UserError, match="bad.onnx: not an ONNX file"):
        OnnxDetector(path, params)
    for other in (tmp_path, tmp_path / "none.onnx"):
        with pytest.raises(UserError, match="cannot be read"):
            read_onnx(other)


def test_other_classes_are_refused(exported, tmp_path):
    params, _, good = exported
    with pytest.raises(UserError, match="trained for circle, square; the classes here are square, circle"):
        OnnxDetector(good, params.replace(classes=("square", "circle")))

    def claim(model):  # of a network with two classes that it has three
        description = read_onnx(good)[0]
        description["parameters"]["classes"] = ["a", "b", "c"]
        set_description(model, json.dumps(description))

    detector = OnnxDetector(changed(good, tmp_path / "bad.onnx", claim), params.replace(classes=("a", "b", "c")))
    with pytest.raises(UserError, match="bad.onnx: its outputs do not fit to 3 classes"):
        detector.score(*random_image(64, 64, 2))


def test_outputs_that_are_not_finite_are_refused(exported, tmp_path):
    params, _, good = exported

    def spoil(model):
        weight = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("class_scores.weight"))
        weight.raw_data = np.full(len(weight.raw_data) // 4, np.nan, np.float32).tobytes()

    with pytest.raises(UserError, match="bad.onnx: its outputs are not finite"):
        OnnxDetector(changed(good, tmp_path / "bad.onnx", spoil), params).score(*random_image(64, 64, 2))


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_optional_packages_the_command_to_install_them_is_told(missing, exported, tmp_path, monkeypatch):
    params, model, good = exported
    monkeypatch.setitem(sys.modules, missing, None)  # as if it were not installed
    with pytest.raises(UserError, match=f"{missing}.*pip install -r requirements-export.txt"):
        OnnxDetector(good, params)
    if missing == "onnx":
        with pytest.raises(UserError, match="pip install -r requirements-export.txt"):
            step7.main(params, model, tmp_path / "x.onnx")
    assert NnDetector(model, params).score(*random_image(64, 64, 2)).scores.shape == (2, NR_CLASSES)
