"""Models, ONNX files and weights that may come from anywhere: they are refused in one line, or what they find are
numbers, in the image, and nothing is written but what was asked for.
"""

import io
import json

import numpy as np

from fuzzing.arrays import Hostile, mutate_safetensors
from fuzzing.base import settings
from fuzzing.mutation import Mutation, mutate_bytes
from fuzzing.structures import mutate_json
from fuzzing.trials import CLEAN, RIGHT, Kind, Wrong


def mutate_onnx(data, random):
    """One change to the graph, a tensor or the description."""
    import onnx

    model = onnx.load_model_from_string(data)
    what = random.choice(("description", "description", "description", "tensor", "node", "shape", "outside", "renamed"))
    if what == "description":
        (entry,) = (entry for entry in model.metadata_props if entry.key == "description")
        mutation = mutate_json(entry.value.encode(), random)
        entry.value = mutation.data.decode("utf-8", "replace")
        what = f"description, {mutation.text}"
    elif what in ("tensor", "shape", "outside"):
        _change_tensor(onnx, random.choice(list(model.graph.initializer)), what, random)
    elif what == "node":
        nodes = model.graph.node
        if random.random() < 0.5:
            del nodes[random.randrange(len(nodes))]
        else:
            random.choice(list(nodes)).op_type = random.choice(("Relu", "Identity", "Loop", "NoSuch", ""))
    else:
        value = random.choice([*model.graph.input, *model.graph.output])
        value.name += random.choice(("x", " ", "\n"))
    return Mutation(model.SerializeToString(), what)


def _change_tensor(onnx, tensor, what, random):
    if what == "shape" and len(tensor.dims):
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice((0, -1, 2**40, 1))
    elif what == "outside":
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=random.choice(("/etc/passwd", "../photo.jpg", "photo.jpg")))
    elif tensor.data_type == onnx.TensorProto.FLOAT and tensor.raw_data:
        array = np.frombuffer(tensor.raw_data, "<f4").copy()
        array[: random.choice((1, len(array)))] = random.choice((np.nan, np.inf, 1e38, -1e38, 0))
        tensor.raw_data = array.tobytes()


def mutate_pth(data, random):
    """One change to the state dict that torch.save wrote."""
    import torch

    state = torch.load(io.BytesIO(data), weights_only=True)
    name = random.choice(list(state))
    changes = {
        "NaN": lambda: {**state, name: torch.full_like(state[name], float("nan"))},
        "infinite": lambda: {**state, name: state[name] / 0},
        "huge": lambda: {**state, name: state[name] * 1e36},
        "dropped": lambda: {key: value for key, value in state.items() if key != name},
        "renamed": lambda: {f"module.{key}": value for key, value in state.items()},
        "more": lambda: {**state, "more": torch.zeros(3)},
        "another shape": lambda: {**state, name: state[name].reshape(-1)},
        "half": lambda: {**state, name: state[name].half()},
        "integers": lambda: {**state, name: state[name].to(torch.int32)},
        "complex": lambda: {**state, name: state[name].to(torch.complex64)},
        "sparse": lambda: {**state, name: state[name].to_sparse()},
        "expanded": lambda: {**state, name: torch.zeros(1).expand(10**9)},
        "nested": lambda: {"state_dict": state, "epoch": 3},
        "a list": lambda: list(state.values()),
        "no tensor": lambda: {**state, name: random.choice((None, "x", 3, [1]))},
        "no name": lambda: {**state, 7: state[name]},
        "an object": lambda: {**state, name: Hostile()},
        "nothing": dict,
        "the old format": lambda: state,
    }
    what = random.choice(list(changes))
    buffer = io.BytesIO()
    torch.save(changes[what](), buffer, _use_new_zipfile_serialization=what != "the old format")
    return Mutation(buffer.getvalue(), f"{name}: {what}")


def _score(trial, folder, *more):
    """Step 6 on the photo; returns what ended, after a look at what it found and what it wrote."""
    before = set(trial.folder.rglob("*"))
    allowed = [folder / "results", folder / "out", folder / "proc"]
    arguments = settings(folder)[-3:] if "--model" in more else settings(folder)
    ended = trial.run("6_scoreImage.py", folder / "photo.jpg", *more, "--set", *arguments)
    written = {path for path in trial.folder.rglob("*") if path.is_file()} - before
    streams = {trial.folder / "stdout.txt", trial.folder / "stderr.txt"}
    foreign = [
        path for path in written - streams if not any(path.is_relative_to(place) for place in allowed)
        and path.name != "found.tsv"
    ]  # fmt: skip
    if foreign:
        raise Wrong(f"wrote {foreign[0]}, which nobody asked for")
    if ended.code == 0:
        for line in ended.out.splitlines():
            _require_sensible(json.loads(line, parse_constant=_no_number))
    return ended


def _no_number(name):
    raise Wrong(f"{name} came out as a number")


def _require_sensible(found):
    for detection in found["detections"]:
        x1, y1, x2, y2 = detection["box"]
        if not (0 <= x1 <= x2 <= found["width"] and 0 <= y1 <= y2 <= found["height"]):
            raise Wrong(f"a box that is not in the image: {detection}")
        if not 0 <= detection["score"] <= 1:
            raise Wrong(f"a probability that is none: {detection}")


def _model_case(name, mutators):
    def case(trial):
        folder = trial.copy("models")
        path = folder / name
        mutation = trial.random.choice(mutators)(path.read_bytes(), trial.random)
        path.write_bytes(mutation.data)
        trial.done.append(f"{name}: {mutation.text}")
        if name == "model.safetensors" and trial.random.random() < 0.03:
            exported = trial.run("7_exportModel.py", "--model", path, "--out", folder / "out" / "x.onnx")
            if exported.code:
                return CLEAN
        out = ("--out", folder / "out") if trial.random.random() < 0.6 else ()
        tsv = ("--detectionsTsv", folder / "found.tsv") if trial.random.random() < 0.5 else ()
        ended = _score(trial, folder, "--model", path, "--threshold", "0.01", *out, *tsv)
        return CLEAN if ended.code else RIGHT

    return case


def _weights(trial):
    folder, random = trial.copy("svm"), trial.random
    name = random.choice(("weights.safetensors", "weights.pth"))
    data = (trial.base / "weights" / name).read_bytes()
    aware = mutate_pth if name.endswith("pth") else mutate_safetensors
    mutation = random.choice((aware, aware, aware, mutate_bytes))(data, random)
    path = folder / random.choice((name, name, "weights.pth", "weights.safetensors"))
    path.write_bytes(mutation.data)
    trial.done.append(f"{path.name}: {mutation.text}")
    arguments = "--set", *settings(folder, networkWeights=path)
    if trial.run("3_runNetwork.py", *arguments).code:
        return CLEAN
    for features in (folder / "proc/tiny/cntkFiles").glob("*_parsed/*.npz"):
        with np.load(features) as arrays:
            for array in arrays.values():
                if not np.isfinite(array).all():
                    raise Wrong(f"{features.name} has features that are not finite, of these weights")
    return RIGHT


MODEL_KINDS = [
    Kind("model", _model_case("model.safetensors", (mutate_safetensors, mutate_safetensors, mutate_bytes))),
    Kind("onnx", _model_case("model.onnx", (mutate_onnx, mutate_onnx, mutate_bytes))),
    Kind("weights", _weights),
]
