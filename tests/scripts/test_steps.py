"""Protects the sequence of steps 1 to 5 as a user runs it, through the scripts' `main`: which files appear with which
content, that two runs give the same bytes, that nothing scores better than it is (ground truth among the ROIs, boxes
marked EXCLUDE), and that nothing crashes where there is nothing to find.
"""

import importlib
import json

import numpy as np
import pytest
from tiny import TINY_IMAGES, run_steps, tiny_params

from fastRCNN.boxes import intersections, iou
from fastRCNN.structures import Rois
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.detection_files import read_detections
from helpers.artifacts.feature_files import feature_path, read_features
from helpers.artifacts.roi_files import read_rois, roi_path
from helpers.base.files import read_arrays
from helpers.base.images import read_image
from helpers.dataset.annotations import read_annotation, write_annotation
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_ground_truth
from pipeline.stages import build_network, describe_mirrored, describe_rois, prepare_image

SIZE = (160, 120)
TRAIN = ["positive/1.jpg", "positive/2.JPG", "positive/3.png", "positive/10.jpeg", "negative/1.jpg"]
TEST = ["testImages/1.jpg", "testImages/2.png"]


def inputs(params, image_set):
    """Key -> (entry, its boxes, the boxes of step 1, ground truth)."""
    found = {}
    for entry in read_inputs(params, image_set):
        image = ImageFile(params.image_dir, entry.key)
        proposed = read_rois(roi_path(params.roi_dir, image)).boxes
        found[entry.key] = entry, entry.rois.boxes, proposed, load_ground_truth(image, SIZE, params)
    return found


def files(folder):
    """Relative path -> bytes of all files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what each step writes -------------------------------------------------------------------------------------------


def test_step_1_writes_distinct_rois_within_the_limits(tiny_finished):
    params = tiny_params(tiny_finished)
    written = {path.relative_to(params.roi_dir).as_posix() for path in params.roi_dir.rglob("*.roi.txt")}
    assert written == {f"{key.rsplit('.', 1)[0]}.roi.txt" for key in TINY_IMAGES}
    for key in TINY_IMAGES:
        rois = read_rois(roi_path(params.roi_dir, ImageFile(params.image_dir, key))).boxes
        assert len(rois) > 60 and len(np.unique(rois, axis=0)) == len(rois)
        assert (rois >= 0).all() and (rois[:, 2:] <= SIZE).all()
        sides = (rois[:, 2:] - rois[:, :2]) / 160
        assert sides.min() >= 0.1 and sides.max() <= 0.5 and (sides.max(axis=1) <= 4 * sides.min(axis=1)).all()


def test_step_2_adds_ground_truth_in_front_for_training_only(tiny_finished):
    params = tiny_params(tiny_finished)
    least = params.train_posOverlapThres
    train, test = inputs(params, "train"), inputs(params, "test")
    assert list(train) == TRAIN and list(test) == TEST
    for key, (entry, pixels, proposed, truth) in {**train, **test}.items():
        boxes, class_ids = truth.boxes, truth.class_ids
        added = len(boxes) if key in train else 0
        assert entry.rois.nr_ground_truth == added and len(pixels) == 60
        assert np.abs(pixels[:added] - boxes[:added]).max(initial=0) < 1e-3
        assert np.array_equal(entry.class_ids[:added], class_ids[:added])
        assert np.array_equal(pixels[added:], proposed[: 60 - added]), "then step 1's, in its order"
        overlap = iou(pixels, boxes)
        best = class_ids[overlap.argmax(axis=1)] if len(boxes) else 0
        assert np.array_equal(entry.class_ids, np.where(overlap.max(axis=1, initial=0) >= least, best, 0))
    assert [len(truth) for *_, truth in train.values()] == [2, 2, 2, 2, 0]


def test_step_3_writes_a_row_of_features_a_roi(tiny_finished):
    params = tiny_params(tiny_finished)
    for image_set, count in (("train", 5), ("test", 2)):
        assert len(list((params.cntk_files_dir / f"{image_set}_svm_parsed").iterdir())) == count
        for index in range(count):
            features = read_features(feature_path(params.cntk_files_dir, image_set, "svm", index), 60)
            assert features.shape == (60, 13824) and features.dtype == np.float16
            assert np.isfinite(features).all() and len(np.unique(features, axis=0)) > 50


def test_steps_4_and_5_write_classifier_detections_and_tables(tiny_finished):
    params = tiny_params(tiny_finished)
    trained = {path.name for path in params.svm_dir.iterdir()}
    texts = {f"svm{part}_exp1.txt" for part in ("weights", "bias", "feature_scale")}
    assert trained == {*texts, "boxregression_exp1.npz", "record_exp1.json"}
    result = json.loads((params.results_dir / "evaluation_test_svm.json").read_text())
    assert set(result["AP"]) == {"circle", "square"} and result["nrObjects"] == {"circle": 2, "square": 2}
    assert result["mAP"] == pytest.approx(np.mean(list(result["AP"].values()))) and 0 < result["mAP"] <= 1
    assert 0 <= result["cocoAP50_95"] <= result["mAP"] and result["nrImages"] == 2
    table = (params.results_dir / "evaluation_test_svm.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in table] == ["class", "circle", "square", "mean"]
    for name in ("precisionRecall", "confusion"):
        assert (params.results_dir / f"evaluation_test_svm_{name}.png").read_bytes().startswith(b"\x89PNG")
    detections = dict(read_detections(params.detections_dir / "test_svm.tsv", params.all_classes))
    assert set(detections) <= set(TEST)
    for candidates in detections.values():
        assert (np.diff(candidates.all.scores) <= 0).all() and len(candidates.kept) <= 100
        assert (candidates.all.boxes[:, :2] >= 0).all() and (candidates.all.boxes[:, 2:] <= SIZE).all()


@pytest.mark.slow
def test_main_returns_what_it_computed(tiny, capsys):
    params = tiny_params(tiny)
    counts = run_steps(params, 1)
    assert list(counts) == list(TINY_IMAGES) and min(counts.values()) > 60
    assert run_steps(params, 1) == {}, "everything is done already"
    assert run_steps(params, 2) == {"train": 5, "test": 2}
    assert (run_steps(params, 3), run_steps(params, 3)) == (7, 0)
    classifier = run_steps(params, 4)
    assert classifier.svms.weights.shape == (2, 13824) and classifier.regressor.weights.shape == (2, 13824, 4)
    result = run_steps(params, 5)
    assert result == json.loads((params.results_dir / "evaluation_test_svm.json").read_text())
    assert "mean" in capsys.readouterr().out


# --- mirrored training images ----------------------------------------------------------------------------------------


def flipped(boxes):
    """Boxes of an image that is 160 pixels wide, in its mirror image."""
    return np.stack([160 - boxes[:, 2], boxes[:, 1], 160 - boxes[:, 0], boxes[:, 3]], axis=1)


def test_step_3_describes_the_mirror_image_of_training_images_as_well(tiny_finished):
    params = tiny_params(tiny_finished)
    network = build_network(params)
    for index, (key, (entry, *_)) in enumerate(inputs(params, "train").items()):
        arrays = read_arrays(feature_path(params.cntk_files_dir, "train", "svm", index))
        assert list(arrays) == ["arr_0", "mirrored"] and arrays["mirrored"].dtype == np.float16
        prepared = prepare_image(read_image(params.image_dir / key)[:, ::-1], params)
        assert np.array_equal(
            arrays["mirrored"], describe_rois(network, prepared, Rois.of(flipped(entry.rois.boxes)), params)
        )
        assert not np.allclose(arrays["mirrored"], arrays["arr_0"], atol=0.1), "the network can tell left from right"
    for index in range(2):
        assert list(read_arrays(feature_path(params.cntk_files_dir, "test", "svm", index))) == ["arr_0"]


def test_the_mirror_image_of_a_scaled_image(tiny_data):
    params = tiny_params(tiny_data, cntk_padWidth=130, cntk_padHeight=130)
    network, image = build_network(params), read_image(params.image_dir / "positive/1.jpg")
    rois = np.array([[0, 0, 160, 120], [20, 10, 61, 70], [100, 5, 159, 44]], np.float32)
    found = describe_mirrored(network, prepare_image(image, params), Rois.of(rois), 160, params).astype(float)
    turned = prepare_image(image[:, ::-1], params)
    expected = describe_rois(network, turned, Rois.of(flipped(rois)), params).astype(float)
    # scaling rounds a pixel here and there the other way
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


def test_step_4_trains_on_every_image_and_its_mirror_image(tiny_finished):
    params = tiny_params(tiny_finished)
    training_set = importlib.import_module("4_trainSvm").TrainingSet(params)
    assert len(training_set) == len(list(training_set)) == 10
    for index in range(5):
        arrays = read_arrays(feature_path(params.cntk_files_dir, "train", "svm", index))
        plain, mirrored = training_set[index], training_set[index + 5]
        assert np.array_equal(plain.features, arrays["arr_0"])
        assert np.array_equal(mirrored.features, arrays["mirrored"])
        assert np.array_equal(plain.targets, mirrored.targets), "what overlaps is not changed by a mirror"
        (rois, truth), (rois_2, truth_2) = (training_set.rois_and_truth(row) for row in (index, index + 5))
        assert np.array_equal(rois_2.boxes, flipped(rois.boxes))
        assert np.array_equal(truth_2.boxes, flipped(truth.boxes)) and len(truth) == len(truth_2)
        assert np.array_equal(truth_2.class_ids, truth.class_ids)
        assert np.array_equal(truth_2.ignored, truth.ignored)


def test_without_mirrored_images(finished):
    params = tiny_params(finished, train_mirrored="False")
    paths = [feature_path(params.cntk_files_dir, "train", "svm", index) for index in range(5)]
    plain, before = [read_features(path, 60) for path in paths], files(finished / "proc/tiny")
    assert run_steps(params, 3) == 7, "every image is described again"
    for path, features in zip(paths, plain, strict=True):
        arrays = read_arrays(path)
        assert list(arrays) == ["arr_0"] and np.array_equal(arrays["arr_0"], features)
    training_set = importlib.import_module("4_trainSvm").TrainingSet(params)
    assert len(training_set) == len(list(training_set)) == 5
    run_steps(params, 4)
    after = files(finished / "proc/tiny")
    name = "trainedSVMs/svmweights_exp1.txt"
    assert after[name] != before[name], "half the examples are another classifier"


# --- the same again --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(tiny_finished, tiny):
    run_steps(tiny_params(tiny), 1, 2, 3, 4, 5)
    for name in ("proc", "results"):
        first, second = files(tiny_finished / name), files(tiny / name)
        first = {path: data for path, data in first.items() if path in second or "visual" not in path}
        assert second.keys() <= first.keys()
        assert [path for path in second if first[path] != second[path]] == []


@pytest.mark.slow
def test_parallel_and_sequential_searches_give_the_same_rois(tiny_finished, tiny, monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    run_steps(tiny_params(tiny), 1)
    assert files(tiny / "proc/tiny/rois") == files(tiny_finished / "proc/tiny/rois")


# --- nothing scores better than it is --------------------------------------------------------------------------------


@pytest.mark.slow
def test_ground_truth_of_training_images_is_not_scored(finished):
    # without regression and voting a detection's box is a ROI's box
    params = tiny_params(finished, imageSet="train", boxRegression="False", nms_boxVoting="False")
    params = params.replace(vis_decisionThresholds={"svm": -1e9, "nn": 0})  # lists everything
    result = run_steps(params, 4, 5)
    assert result["nrObjects"] == {"circle": 4, "square": 4} and result["nrImages"] == 5
    detections = dict(read_detections(params.detections_dir / "train_svm.tsv", params.all_classes))
    assert list(detections) == TRAIN
    for key, (entry, _, proposed, truth) in inputs(params, "train").items():
        scored = {tuple(box) for box in detections[key].all.boxes.tolist()}
        assert scored == {tuple(box) for box in proposed[: 60 - entry.rois.nr_ground_truth].tolist()}
        assert not scored & ({tuple(box) for box in truth.boxes.tolist()} - {tuple(box) for box in proposed.tolist()})
    assert (params.results_dir / "evaluation_train_svm.json").exists()


@pytest.mark.slow
def test_ignored_boxes_are_neither_positive_nor_negative(tiny):
    params = tiny_params(tiny)
    image = params.image_dir / "positive" / "1.jpg"
    annotation, _ = read_annotation(image, SIZE, params.classes)
    ignored = annotation.boxes[0]
    write_annotation(image, annotation.boxes, ["EXCLUDE", annotation.labels[1]])
    run_steps(params, 1, 2, 3)
    entry, pixels, _, _ = inputs(params, "train")["positive/1.jpg"]
    assert entry.rois.nr_ground_truth == 1 and np.abs(pixels[0] - annotation.boxes[1]).max() < 1e-3
    assert set(entry.class_ids.tolist()) == {0, 2}, "ROIs on the ignored circle are no circles"
    targets = importlib.import_module("4_trainSvm").TrainingSet(params).targets(0)  # (60, 2)
    touches = intersections(pixels, ignored)[:, 0] > 0
    assert touches.any() and (~touches).any()
    assert not (targets[touches] == -1).any() and (targets[~touches, 0] == -1).all()


@pytest.mark.slow
def test_ignored_test_boxes_count_neither_as_found_nor_as_missed(tiny):
    params = tiny_params(tiny)
    image = params.image_dir / "testImages" / "1.jpg"
    annotation, _ = read_annotation(image, SIZE, params.classes)
    write_annotation(image, annotation.boxes, ["UNDECIDED", "EXCLUDE"])
    result = run_steps(params, 1, 2, 3, 4, 5)
    assert result["nrObjects"] == {"circle": 1, "square": 1}


# --- nothing to find -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_images_without_any_roi_run_through(tiny, capsys):
    # 0.9 of 160 pixels are more than the 120 pixels of height: nothing can meet this
    params = tiny_params(tiny, roi_minDimRel=0.9, roi_maxDimRel=0.95)
    counts = run_steps(params, 1)
    assert set(counts.values()) == {0}
    assert "WARNING: testImages/2.png has no ROI within the limits" in capsys.readouterr().out
    result = run_steps(params, 2, 3, 4, 5)
    assert result["AP"] == {"circle": 0, "square": 0} and result["nrObjects"] == {"circle": 2, "square": 2}
    output = capsys.readouterr().out
    assert "circle was never found" in output and "square was never found" in output
    assert [len(pixels) for _, pixels, _, _ in inputs(params, "train").values()] == [2, 2, 2, 2, 0]
    assert run_steps(params.replace(imageSet="train"), 5)["mAP"] == 0, "ground truth alone finds nothing"


@pytest.mark.slow
def test_a_single_roi_per_image_runs_through(tiny):
    params = tiny_params(tiny, cntk_nrRois=1)
    run_steps(params, 1, 2, 3, 4, 5)
    entries = inputs(params, "train")
    assert [entry.rois.nr_ground_truth for entry, *_ in entries.values()] == [1, 1, 1, 1, 0]
    assert [len(pixels) for _, pixels, _, _ in entries.values()] == [1] * 5


@pytest.mark.slow
def test_a_class_without_objects_is_left_out_and_named(tiny, capsys):
    params = tiny_params(tiny, classes="circle,square,star")
    result = run_steps(params, 1, 2, 3, 4, 5)
    assert result["AP"]["star"] is None and result["nrObjects"]["star"] == 0
    assert result["mAP"] == pytest.approx((result["AP"]["circle"] + result["AP"]["square"]) / 2)
    assert "NOTE: no test image shows star" in capsys.readouterr().out


@pytest.mark.slow
def test_test_images_without_objects_run_through(tiny):
    for name in ("1.jpg", "2.png"):
        write_annotation(tiny / "data/tiny/testImages" / name, [], [])
    result = run_steps(tiny_params(tiny), 1, 2, 3, 4, 5)
    assert result["mAP"] is None and result["AP"] == {"circle": None, "square": None}
