"""Protects 7_exportModel.py: that ONNX Runtime computes what torch does, for any image size and number of ROIs, and
that 6_scoreImage.py finds the same with both. test_onnx_files.py has the files that are not what they should be.
"""

import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from random_models import NR_CLASSES, printed_detections, random_image, random_model, step7, write_random_model
from tiny import run_steps, tiny_params

from fastRCNN import export
from fastRCNN.backbones import BACKBONES
from fastRCNN.boxes import decode
from fastRCNN.network import to_input
from fastRCNN.structures import Rois
from helpers.artifacts.model_files import model_path, read_description, write_model
from helpers.artifacts.onnx_files import read_onnx
from helpers.base.errors import UserError
from pipeline.detection import detect
from pipeline.onnx_detector import OnnxDetector
from pipeline.stages import NnDetector, predict

pytestmark = pytest.mark.slow

CASES = {
    "efficientnet_lite0": dict(network="efficientnet_lite0"),
    "squeezenet1_1": dict(network="squeezenet1_1"),
    "squeezenet1_1-max": dict(network="squeezenet1_1", network_roiPooling="max"),
    "alexnet": dict(network="alexnet"),
    "alexnet-svd": dict(network="alexnet", svd_rank="(24, 16)"),
    "resnet18": dict(network="resnet18"),
}


@pytest.fixture(scope="module", params=CASES)
def both(request, tiny_data, tmp_path_factory):
    """A model's parameters, the model in torch and in ONNX Runtime."""
    params = tiny_params(tiny_data, classifier="nn", **CASES[request.param])
    folder = tmp_path_factory.mktemp(request.param)
    path = write_random_model(folder, params)
    exported = step7.main(params, path)
    yield params, NnDetector(path, params), OnnxDetector(exported, params)
    exported.unlink()  # AlexNet has 230 MB
    path.unlink()


@pytest.mark.parametrize("width, height", [(128, 96), (200, 250), (33, 64), (20, 40), (31, 9)])
@pytest.mark.parametrize("nr_rois", [1, 2, 12])
def test_both_compute_the_same(both, width, height, nr_rois):
    params, model, exported = both
    prepared, rois = random_image(width, height, nr_rois)
    probabilities, offsets = predict(model.model, prepared, rois, params)
    found = exported.predict(prepared, rois)
    assert [array.dtype for array in found] == [np.float32, np.float32]
    assert np.abs(found[0] - probabilities).max() < 1e-4 and np.abs(found[1] - offsets).max() < 1e-4
    if width == 200 and nr_rois > 2:
        assert probabilities.std(axis=0).min() > 0.05  # the ROIs are told apart
    scored = exported.score(prepared, rois)
    assert np.array_equal(scored.scores, found[0][:, 1:]) and np.array_equal(scored.offsets, found[1])


def test_no_rois(both):
    _, _, exported = both
    probabilities, offsets = exported.predict(random_image(128, 96, 1)[0], Rois.of([]))
    assert probabilities.shape == (0, NR_CLASSES + 1) and offsets.shape == (0, NR_CLASSES, 4)


def test_boxes_are_those_that_torch_decodes(both):
    params, model, exported = both
    prepared, rois = random_image(128, 96, 12)
    pixels = model.model.network.prepare(prepared.pixels).contiguous().numpy()
    inputs = {"image": pixels, "rois": prepared.place(rois.boxes).astype(np.float32)}
    (boxes,) = exported.session.run(["boxes"], inputs)
    _, offsets = predict(model.model, prepared, rois, params)
    for column in range(NR_CLASSES):
        assert np.abs(boxes[:, column] - decode(rois.boxes * 2, offsets[:, column])).max() < 0.01  # of a pixel
    # and, in pixels of the original, where `detect` puts them
    found = detect(rois, exported.score(prepared, rois), (64, 48), params.replace(nms_boxVoting=False)).all
    limited = np.clip(boxes.reshape(-1, 4) / 2, 0, [64, 48, 64, 48])
    distances = np.abs(found.boxes[:, None] - limited).max(axis=2).min(axis=1)
    assert len(found) and distances.max() < 0.01


def test_decoding_in_torch_is_that_of_numpy():
    random = np.random.default_rng(0)
    rois = np.array([[0, 0, 10, 20], [5, 7, 5, 9], [100, 50, 900, 600]], np.float32)
    for spread in (0.5, 50):  # exp(50) = 5e21: sizes are limited
        offsets = random.normal(0, spread, (3, NR_CLASSES, 4)).astype(np.float32)
        found = export.decode(torch.from_numpy(rois), torch.from_numpy(offsets)).numpy()
        for column in range(NR_CLASSES):
            assert np.allclose(found[:, column], decode(rois, offsets[:, column]), rtol=1e-5, atol=0.01)
    assert export.decode(torch.zeros(0, 4), torch.zeros(0, 5, 4)).shape == (0, 5, 4)


def test_boxes_of_a_model_that_never_learned_to_move_them_are_the_rois(tiny_data, tmp_path):
    params = tiny_params(tiny_data, classifier="nn", boxRegression=False)
    exported = OnnxDetector(step7.main(params, write_random_model(tmp_path, params)), params)
    prepared, rois = random_image(128, 96, 5)
    inputs = {"image": to_input(prepared.pixels, BACKBONES[params.network]).numpy(), "rois": rois.boxes}
    (boxes,) = exported.session.run(["boxes"], inputs)
    assert np.array_equal(boxes, np.repeat(inputs["rois"][:, None], NR_CLASSES, axis=1))
    assert exported.score(prepared, rois).offsets is None


# --- the scripts ---


@pytest.fixture(scope="module")
def trained(tiny_data, tmp_path_factory):
    """Parameters of a short training on tiny data, the model of step 3, and what step 7 made of it. Read only."""
    folder = tmp_path_factory.mktemp("trained")
    settings = dict(
        classifier="nn", network="efficientnet_lite0", networkWeights="auto", nn_learningRates="(16, 0.003),"
    )
    params = tiny_params(folder, dataRootDir=tiny_data / "data", **settings)
    run_steps(params, 1, 2, 3)
    return params, model_path(params), step7.main(params)


def test_both_files_find_the_same(trained, tmp_path, capsys, monkeypatch):
    params, model, exported = trained
    images, found = [params.image_dir / "testImages" / name for name in ("1.jpg", "2.png")], []
    for path in (model, exported):
        shutil.copy(path, tmp_path)  # the file alone
        arguments = [*images, "--model", tmp_path / path.name, "--threshold", "0.05", "--out", tmp_path / "pictures"]
        code, detections, _ = printed_detections(arguments, capsys, monkeypatch)
        assert code == 0
        found.append(detections)
    assert sum(map(len, found[0])) >= 3
    for one, other in zip(*found, strict=True):
        assert [row["label"] for row in one] == [row["label"] for row in other]
        assert np.allclose([row["score"] for row in one], [row["score"] for row in other], atol=2e-4)
        assert np.allclose([row["box"] for row in one], [row["box"] for row in other], atol=0.11)
    assert exported == model.with_suffix(".onnx")
    assert [path.name for path in exported.parent.glob(".*")] == []  # no half file was left


def test_the_file_carries_the_description_of_its_model(trained):
    _, model, exported = trained
    assert read_onnx(exported)[0] == read_description(model)
    onnx.checker.check_model(onnx.load(exported), full_check=True)


def test_what_is_exported_is_the_model_as_it_was_trained(trained, tmp_path):
    params, model, exported = trained
    others = params.replace(classes=("a", "b", "c"), network="alexnet", boxRegression=False)
    again = step7.main(others, model, tmp_path / "again.onnx")
    assert again.read_bytes() == exported.read_bytes()


def test_a_user_sees_no_warnings_from_inside_torch(trained, tmp_path):
    _, model, exported = trained
    again = tmp_path / "again.onnx"
    command = [sys.executable, step7.__file__, "--model", str(model), "--out", str(again)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and str(again) in done.stdout
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["network"], "what is said of it, and no more"
    assert again.read_bytes() == exported.read_bytes()


def test_the_default_model_is_the_one_that_step_3_wrote(trained, tmp_path):
    params, model, _ = trained
    others = params.replace(procRootDir=str(tmp_path))
    shutil.copytree(params.proc_dir / "models", others.proc_dir / "models")
    copy = model_path(others)
    step7.main(others.replace(cntk_nrRois=70, classes=("a",)), out=tmp_path / "other.onnx")  # its own parameters hold
    write_model(copy, random_model(params).state_dict(), params, {})
    with pytest.raises(UserError, match="exp1.safetensors: has changed since 3_runNetwork.py .training. wrote it: run"):
        step7.main(others)
    step7.main(others, copy, tmp_path / "named.onnx")  # a model that is named may be anybody's
    (copy.parent / "record_exp1.json").unlink()
    with pytest.raises(UserError, match="models has no files of 3_runNetwork.py .training.: run"):
        step7.main(others)


def test_no_model_or_a_wrong_name_to_write_to(trained, tmp_path):
    params, model, exported = trained
    with pytest.raises(UserError, match="exp2.safetensors: no model there; run 3_runNetwork.py"):
        step7.main(params.replace(experimentName="exp2"))
    with pytest.raises(UserError, match="x.bin: call it x.bin.onnx"):
        step7.main(params, model, tmp_path / "x.bin")
    with pytest.raises(UserError, match="not a readable model.*give a model that step 3 wrote"):
        step7.main(params, exported, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
