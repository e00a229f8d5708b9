"""Protects the benchmarks: a ratio is worth something only if both sides do the same work and the counting is right.
Contenders must agree, counts are checked by hand, every script must run to its table. No test looks at seconds.
"""

import os
import re
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch
from settings import settings as settings_of
from svm_image_sets import image_set
from tiny import run_steps, tiny_params
from torch import nn

from benchmarks import (
    cross_validation,
    fingerprints,
    network_speed,
    roi_engines,
    shared_convolutions,
    svm_training,
    timing,
)
from benchmarks.cross_validation import Described
from fastRCNN.backbones import BACKBONES
from fastRCNN.structures import GroundTruth, Rois
from fastRCNN.svm import SvmSettings, train_svms
from helpers.base.images import read_image
from pipeline.regions import propose_rois
from pipeline.stages import build_network, describe_rois, prepare_image

ROIS = np.array([[2, 3, 40, 50], [60, 10, 120, 100], [0, 0, 160, 120]])


@pytest.fixture(autouse=True)
def threads_restored():
    threads = torch.get_num_threads()  # benchmarks set it for their whole process
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def params(tiny_data):
    return tiny_params(tiny_data)


@pytest.fixture(scope="module")
def network(params):
    return build_network(params)


@pytest.fixture(scope="module")
def photo(params):
    return read_image(params.image_dir / "positive/1.jpg")


RUNS = [  # script, arguments, beginnings of lines that it must print
    (roi_engines, dict(images=1, engines=["opencv-fast", "grid"], sizes=[100], counts=[20], rankCounts=[10]),
     [r"opencv-fast, 100 .*\d\.\d\d$", r"grid ", r"by votes  .*\d\.\d\d$"]),
    (shared_convolutions, dict(rois=[3, 6], crops=2, batchSize=2, images=2, repeats=1),
     [r"2 ROIs per image were cropped", r"3, 3 .*\d\.\d$", r"6, 6 .*\d\.\d$"]),
    (network_speed, dict(matrix=32, images=1, repeats=1, threads=1),
     [r"matrix product .* 100% ", r"plain eager .* 1\.00x$", r"torchvision .* 1\.00x +-$", r"ours .*x +\de[-+]\d\d$",
      r"pooling ", r"sum .* 100%$"]),
    (svm_training, dict(rois=[20, 40], plainRois=30, tolerance=0.01, repeats=1),
     [r"20 ROIs: LinearSVC on all ROIs  .* [01]\.\d{3}$", r"40 ROIs: LinearSVC on all ROIs, 30 of them .* [01]\.\d{3}$",
      r"20 ROIs: LinearSVC takes .* differ by at most 0\.0\d\d"]),  # on equal ROIs
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("module, arguments, patterns", RUNS, ids=lambda value: getattr(value, "__name__", None))
def test_script_runs_to_its_table(module, arguments, patterns, params, monkeypatch, capsys):
    monkeypatch.setattr(module, "load_parameters", lambda settings: params)
    monkeypatch.setattr(svm_training, "in_fresh_process", lambda function, *arguments: function(*arguments))
    module.main(Namespace(settings=[], **arguments))
    lines = capsys.readouterr().out.splitlines()
    assert f"torch {torch.__version__}" in lines[0]
    for pattern in patterns:
        assert any(re.match(pattern, line) for line in lines), (pattern, lines)


def test_what_fingerprints_cost_is_printed(capsys):
    fingerprints.main(Namespace(files=2, mb=1))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-9] == "2 files of 1 MB" and all(re.search(r" \d+\.\d\d$", line) for line in lines[-6:]), lines


def test_contenders_take_turns_in_changing_order():
    calls = []
    contenders = {name: lambda x, name=name: calls.append((name, x)) or x * 10 for name in "ab"}
    measured = timing.interleaved(contenders, [1, 2])
    assert calls == [("a", 1), ("b", 1), ("a", 1), ("b", 1), ("b", 2), ("a", 2)]  # the first two warm up
    assert measured["a"].results == [10, 20] and len(measured["b"].seconds) == 2
    assert timing.spread(range(5), 2) == [0, 2] and timing.spread(range(2), 9) == [0, 1]
    assert timing.Measured([0.3, 0.1, 0.2]).text(1000, 0) == "200 (100-300)"


def test_busy_machine_is_noted(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (3.0, 0.0, 0.0), raising=False)  # Windows has none
    assert "3.0 programs were running on 4 cores" in timing.load_warning()
    monkeypatch.setattr(os, "getloadavg", lambda: (0.5, 9.0, 9.0))
    assert timing.load_warning() == ""


def test_process_of_its_own():
    assert timing.in_fresh_process(os.getpid) != os.getpid() and not timing.peak_memory() <= 0


def test_recalls_by_hand():
    # objects 10 x 10; the first is framed exactly by ROI 2, the second by half of ROI 1 (IoU 0.5)
    truth = GroundTruth(np.array([[0, 0, 10, 10], [50, 50, 60, 60]]), np.array([1, 1]), np.array([False, False]))
    rois = [Rois.of([[50, 50, 60, 70], [0, 0, 10, 10]])]
    # one ROI: half of the objects at IoU 0.5 only, so AR is 0.5 / 10; two ROIs: the other one at every IoU
    assert np.allclose(roi_engines.recalls(rois, [truth], 1), [0.5, 0.0, 0.05])
    assert np.allclose(roi_engines.recalls(rois, [truth], 2), [1.0, 0.5, 0.55])


def test_engines_are_compared_on_what_step_1_writes(params):
    images = roi_engines.load_images(params, 2)
    first, grid = images[0].pixels, propose_rois(images[0].pixels, params.replace(roi_engine="grid"))
    varied = roi_engines.variants(params, ["fast"], [160])["fast", 160]
    both = roi_engines.joined(propose_rois(first, varied), grid)
    assert np.array_equal(both.boxes, propose_rois(first, params).boxes)
    table = roi_engines.compare_engines(images, params, ["opencv-fast", "dlib", "grid"], [80, 160], [5, 50])
    assert table[0] == ["engine, pixels", "seconds (fastest-slowest)", "found", "5 ROIs", "50 ROIs", "AR per second"]
    names = [row[0] for row in table[1:] if not row[0].startswith("dlib")]  # where it is installed
    assert names == ["opencv-fast, 80", "opencv-fast, 160", "grid"]
    for row in table[1:]:
        few, many = (np.array(cell.split(), float) for cell in row[3:5])
        assert (few <= many).all() and many[0] >= many[1] and many[0] <= 1
    assert float(table[2][4].split()[0]) > 0.5  # most of the drawn objects are found


def test_rankings_order_the_same_proposals(params):
    images = roi_engines.load_images(params, 2)
    kept = propose_rois(images[0].pixels, params.replace(grid_nrScales=0))
    assert len(roi_engines.raw_proposals(images[0].pixels, params)) > len(kept) > 0
    table = roi_engines.compare_rankings(images, params, [10_000])
    assert [row[0] for row in table[1:]] == ["by votes", "the engine's own", "greatest first", "random, mean of 5"]
    assert all(float(row[1].split()[0]) > 0.5 for row in table[1:])


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18"])
def test_both_ways_give_the_same_kind_of_features(params, name, photo):
    network = build_network(params.replace(network=name, network_contextFactor=1.0))  # a crop has no context
    shared = describe_rois(network, prepare_image(photo, params), Rois.of(ROIS), params)
    cropped = shared_convolutions.describe_crops(network, photo, ROIS, batch_size=2)
    assert shared.shape == cropped.shape and shared.dtype == cropped.dtype and np.isfinite(cropped).all()


def test_a_crop_of_the_whole_image_is_nearly_the_shared_pass(params, photo):
    network = build_network(params.replace(network_contextFactor=1.0))
    # an image of 224 x 224 pixels is not warped, so both ways convolve the same pixels and differ in pooling only
    image = photo[np.linspace(0, 119, 224).astype(int)][:, np.linspace(0, 159, 224).astype(int)]
    whole = np.array([[0, 0, 224, 224]])
    same_size = params.replace(cntk_padWidth=224, cntk_padHeight=224)
    shared = describe_rois(network, prepare_image(image, same_size), Rois.of(whole), same_size)[0].astype(float)
    cropped = shared_convolutions.describe_crops(network, image, whole, batch_size=1)[0].astype(float)
    assert shared @ cropped / np.linalg.norm(shared) / np.linalg.norm(cropped) > 0.95


def test_crops_are_extrapolated_to_all_rois(params, network, photo):
    ten_rois = shared_convolutions.Photo(photo, Rois.of(np.repeat(ROIS[:2], 5, axis=0)))
    table, _ = shared_convolutions.compare(network, [ten_rois], params, [4, 99], nr_crops=2, batch_size=2)
    assert [row[0] for row in table[1:]] == ["4, 4", "99, 10"]
    few, many = (float(row[3]) for row in table[1:])
    assert many == pytest.approx(2.5 * few, abs=0.02)  # rounded to hundredths


def test_operations_are_counted_as_by_hand():
    # 3 x 3 kernel, 2 -> 5 channels, stride 2 on 8 x 6 pixels: 4 x 3 outputs, each of 2 * 9 products, * 2 for the sums
    convolution = nn.Conv2d(2, 5, 3, stride=2, padding=1)
    assert network_speed.count_operations(convolution, torch.zeros(1, 2, 8, 6)) == 4 * 3 * 5 * 2 * 9 * 2


def test_trunk_contenders_compute_the_same(network, photo):
    with torch.inference_mode():
        image = network_speed.to_input(photo, BACKBONES["squeezenet1_1"])
        plain, reference, bfloat16 = (run(image).float() for run in network_speed.trunk_contenders(network).values())
    assert torch.allclose(plain, reference, atol=1e-4 * float(reference.abs().max()))
    assert torch.allclose(bfloat16, reference, atol=0.05 * float(reference.abs().max()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squeezenet1_1", "alexnet"])
def test_both_ways_to_pool_agree(params, name, photo):
    image = network_speed.to_input(photo, BACKBONES["squeezenet1_1"])
    table = network_speed.compare_pooling(build_network(params.replace(network=name)), image, ROIS, repeats=1)
    assert [row[0] for row in table] == ["RoIAlign", "torchvision", "ours"]
    assert 0 <= float(table[2][3]) < 1e-5


def test_parts_of_step_3_are_step_3(params, network, tmp_path, photo):
    path, batches = params.image_dir / "positive/1.jpg", params.replace(network_roiBatchSize=2)
    seconds, features = network_speed.describe_in_parts(
        network, path, Rois.of(ROIS), batches, tmp_path / "features.npz"
    )
    assert np.array_equal(features, describe_rois(network, prepare_image(photo, params), Rois.of(ROIS), batches))
    with np.load(tmp_path / "features.npz") as written:
        assert np.array_equal(written["arr_0"], features)
    assert list(seconds)[:4] == ["decode", "scale", "normalise", "trunk"] and list(seconds)[-1] == "file write"


# --- cross-validation ---


def test_images_and_mirror_images_are_trained_on(params):
    boxes = np.array([[0, 0, 20, 20], [100, 5, 160, 25]], np.float32)
    truth = GroundTruth(boxes, np.array([1, 2]), np.array([False, True]))
    rois = Rois.of([[0, 0, 20, 20], [0, 0, 18, 20], [50, 50, 70, 70]])
    features = np.arange(6, dtype=np.float16).reshape(3, 2)
    image = Described("positive/1.jpg", (160, 120), rois, features, features + 10, truth)
    plain, mirrored = image.for_training(params.replace(cntk_nrRois=2, train_mirrored=True))
    assert plain.features.tolist() == [[0, 1], [2, 3]] and mirrored.features.tolist() == [[10, 11], [12, 13]]
    # 160 - 20 = 140, 160 - 18 = 142; of the truth 160 - 160 = 0 and 160 - 100 = 60
    assert plain.rois.boxes.tolist() == rois.boxes[:2].tolist() and plain.truth is truth
    assert mirrored.rois.boxes.tolist() == [[140, 0, 160, 20], [142, 0, 160, 20]]
    assert mirrored.truth.boxes.tolist() == [[140, 0, 160, 20], [0, 5, 60, 25]]
    assert mirrored.truth.class_ids.tolist() == [1, 2] and mirrored.truth.ignored.tolist() == [False, True]
    assert len(image.rois) == 3
    assert len(replace(image, mirrored=None).for_training(params.replace(train_mirrored=False))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("mirrored", [True, False])
def test_cross_validation_trains_what_step_4_trains(tiny, mirrored):
    params = tiny_params(tiny, train_mirrored=mirrored)
    step_4 = run_steps(params, 1, 2, 3, 4)
    described = cross_validation.describe(params)
    assert all((image.mirrored is not None) == mirrored for image in described)
    training = [image for image in described if not image.key.startswith("testImages/")]
    found = cross_validation.train(training, params)
    for one, other in ((found.svms, step_4.svms), (found.regressor, step_4.regressor)):
        assert np.allclose(one.weights, other.weights, atol=0.01 * np.abs(other.weights).max())
        assert np.allclose(one.biases, other.biases, atol=0.01)


@pytest.mark.slow
def test_every_annotated_image_is_scored_by_a_detector_that_never_saw_it(params, monkeypatch):
    described, train, score = cross_validation.describe(params), cross_validation.train, cross_validation.score
    trained, seen = {}, []

    def watched_train(images, params):
        classifier = train(images, params)
        trained[id(classifier)] = classifier, {image.key for image in images}
        return classifier

    def watched_score(classifier, image, params):
        assert image.key not in trained[id(classifier)][1] and "negative/1.jpg" in trained[id(classifier)][1]
        seen.append(image.key)
        return score(classifier, image, params)

    monkeypatch.setattr(cross_validation, "train", watched_train)
    monkeypatch.setattr(cross_validation, "score", watched_score)
    values = cross_validation.cross_validate(described, params, folds=2, seed=0)
    assert len(values) == 4 and all(0 <= value <= 1 for value in values) and values[0] > 0
    assert sorted(seen) == sorted(image.key for image in described if image.key != "negative/1.jpg")


# --- SVMs ---


def test_both_trainings_agree(monkeypatch):
    images, settings = image_set(), settings_of(SvmSettings)
    for image in images:
        image.targets[:, 2] = -1  # a class without examples
    plain, converged = svm_training.train_plain(images, settings, tolerance=1e-4)
    mined = train_svms(images, settings)
    described = [Described("", (1, 1), None, image.features, None, 0, None) for image in images]
    assert converged and plain.scale == mined.scale
    assert 0 < svm_training.greatest_difference(plain, mined, described, 99) < 0.05
    assert plain.biases[2] == mined.biases[2] == -np.inf
    monkeypatch.setattr(svm_training, "MAX_ITERATIONS", 1)
    assert not svm_training.train_plain(images, replace(settings, C=10.0), tolerance=1e-8)[1]  # and says so


def test_stored_images_are_cut_like_those_of_step_2(params, tmp_path):
    truth = GroundTruth(np.array([[0, 0, 20, 20]], np.float32), np.array([1]), np.array([False]))
    rois = Rois.of([[0, 0, 20, 20], [0, 0, 18, 20], [50, 50, 70, 70], [60, 60, 80, 80]])
    features = np.arange(8, dtype=np.float16).reshape(4, 2)
    image = Described("positive/1.jpg", (160, 120), rois, features, None, truth)
    svm_training.store([image, replace(image, features=features + 1)], tmp_path, params.replace(cntk_nrRois=3))
    stored = svm_training.StoredImages(tmp_path)
    assert len(stored) == 2 and stored[0].features.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert stored[0].targets.tolist() == [[1, -1], [1, -1], [-1, -1]]  # two classes; IoU 1, 0.9 and 0 with the object
    assert [len(image.targets) for image in svm_training.StoredImages(tmp_path, nr_rois=2)] == [2, 2]


# --- ONNX ---


@pytest.mark.slow
def test_torch_and_onnx_runtime_are_compared_on_the_same_images(params, tmp_path, capsys):
    from benchmarks import onnx_speed
    from fastRCNN.fast_rcnn import FastRcnn
    from helpers.artifacts.model_files import write_model

    model = FastRcnn(build_network(params), len(params.classes))
    write_model(tmp_path / "model.safetensors", model.state_dict(), params, {})
    settings = [f"dataRootDir={params.dataRootDir}"]
    arguments = dict(model=tmp_path / "model.safetensors", rois=[3, 9], images=2, repeats=2, threads=1)
    onnx_speed.main(Namespace(settings=settings, **arguments))
    lines = capsys.readouterr().out.splitlines()
    for count in (3, 9):
        assert any(re.match(rf"{count}, torch .* 1\.00x +- +-$", line) for line in lines), lines
        (row,) = (line for line in lines if line.startswith(f"{count}, ONNX Runtime "))
        assert all(0 <= float(value) < 1e-4 for value in row.split()[-2:])
