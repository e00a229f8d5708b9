"""Protects against model files that are none: cut, foreign, hostile or made for something else.

Each is refused with one line that names the file and the reason; nothing in a file is ever executed."""

import json
import pickle

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import nn_params

from helpers.artifacts.model_files import model_path, read_description, stored_settings
from helpers.base.errors import UserError
from pipeline.parameters import load_parameters
from pipeline.stages import load_model


def description_of(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["description"])


def changed(path, target, tensors=lambda state: state, description=lambda content: content):
    """A copy of a model with changes in its tensors or its description."""
    content = description(description_of(path))
    save_file(tensors(load_file(path)), target, {"description": json.dumps(content)})
    return target


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


def of_unknown_type(data):
    """A model one tensor of which has a type with a name of 9,000 letters, which the library's message repeats."""
    length = int.from_bytes(data[:8], "little")
    head = data[8 : 8 + length].replace(b'"F32"', b'"' + b"X" * 9000 + b'"', 1)
    return len(head).to_bytes(8, "little") + head + data[8 + length :]


BROKEN = {
    "cut": (lambda old, new: new.write_bytes(old.read_bytes()[:5000]), "not a model that step 3 wrote, or damaged"),
    "empty": (lambda old, new: new.write_bytes(b""), "not a model that step 3 wrote, or damaged"),
    "type": (lambda old, new: new.write_bytes(of_unknown_type(old.read_bytes())), "not a model that step 3 wrote, or"),
    "pickle": (lambda old, new: new.write_bytes(pickle.dumps({"a": 1}) * 9), "not a readable model"),
    "weights": (lambda old, new: save_file({"a": torch.zeros(1)}, new), "holds no description"),
    "format": (lambda old, new: changed(old, new, description=lambda c: {**c, "format": "x 2"}), "format 'x 2'"),
    "list": (lambda old, new: changed(old, new, description=lambda c: [1]), r"format \[1\]"),
    "no parameters": (lambda old, new: changed(old, new, description=lambda c: without(c, "parameters")), "no param"),
    "unknown parameter": (
        lambda old, new: changed(old, new, description=lambda c: {**c, "parameters": {"what": 1}}),
        "parameter what is unknown here",
    ),
    "value": (
        lambda old, new: changed(
            old, new, description=lambda c: {**c, "parameters": {**c["parameters"], "cntk_nrRois": -5}}
        ),
        "cntk_nrRois = -5: must be",
    ),
    "missing tensor": (lambda old, new: changed(old, new, lambda s: without(s, "class_scores.bias")), "class_scores.b"),
    "shape": (
        lambda old, new: changed(old, new, lambda s: {**s, "offset_std": torch.ones(5)}),
        "tensor offset_std is",
    ),
    "nan": (lambda old, new: changed(old, new, lambda s: {**s, "offset_std": s["offset_std"] * np.nan}), "not finite"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", BROKEN)
def test_broken_models_are_refused(trained, tmp_path, kind):
    damage, message = BROKEN[kind]
    path = tmp_path / "model.safetensors"
    damage(model_path(nn_params(trained)), path)
    with pytest.raises(UserError, match=message) as caught:
        stored = stored_settings(read_description(path), path)
        load_model(path, load_parameters(stored=stored))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.safetensors: cannot be read"):
        read_description(tmp_path / "none.safetensors")
