"""Protects benchmarks/own_images.py, whose tables tell users what good results take: the subsets are what they claim to
be, each row is measured with its own number of ROIs and its own limits, and the timed scoring is that of step 6.
"""

from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
from tiny import tiny_params

from benchmarks import cross_validation, own_images
from fastRCNN.structures import GroundTruth, Origin, Rois
from helpers.base.errors import UserError
from pipeline.stages import build_network

ARGUMENTS = dict(
    only=own_images.TABLES, images=[2, 9], draws=3, rois=[10, 40], folds=2, shuffles=2, repeats=1, settings=[]
)


@pytest.fixture(scope="module")
def params(tiny_data):
    return tiny_params(tiny_data, train_mirrored=False, svm_C=0.0001)


@pytest.fixture(scope="module")
def described(params):
    return cross_validation.describe(params)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.slow
def test_script_prints_its_tables(params, monkeypatch, capsys):
    monkeypatch.setattr(own_images, "load_parameters", lambda settings: params)
    own_images.main(Namespace(**ARGUMENTS))
    lines = capsys.readouterr().out.splitlines()
    assert "tiny: 4 training, 2 test, 1 negative images; squeezenet1_1, weights random, 60 ROIs unless said" in lines
    rows = [cells(line) for line in lines if line.startswith("|") and "---" not in line]
    images, rois, limits = rows[:3], rows[3:6], rows[6:]
    assert [row[0] for row in images[1:]] == ["2", "4"] and [row[2] for row in images[1:]] == ["3", "1"]  # 9 are not
    assert [row[0] for row in rois[1:]] == ["10", "40"] and "seconds" in rois[0][3]
    assert all(" to " in row[1] and 0 <= float(row[2]) <= 1 and "(" in row[3] for row in rois[1:])
    names = ["general defaults", "derived from the training boxes", "as set", "too tight on purpose"]
    assert [row[0] for row in limits[1:]] == names
    assert limits[1][1:5] == ["0.01 to 1", "0 to 1", "4", "0%"] and limits[3][1] == "0.1 to 0.5"
    assert int(limits[4][4].rstrip("%")) > 25 and all(0 < float(row[5]) <= 1 for row in limits[1:])


@pytest.mark.slow
def test_draws_are_random_beginnings_with_all_negative_images(described, params):
    training, _ = cross_validation.train_and_test(described, params)
    few, more = (list(own_images.draw(training, count, 4, seed=3)) for count in (2, 3))
    assert len(few) == len(more) == 4 and few == list(own_images.draw(training, 2, 4, seed=3))
    for small, large in zip(few, more, strict=True):
        keys = [{image.key for image in images} for images in (small, large)]
        assert len(keys[0]) == 3 and len(keys[1]) == 4 and keys[0] < keys[1] and "negative/1.jpg" in keys[0]
    assert len({tuple(image.key for image in images) for images in few}) > 1
    assert len(list(own_images.draw(training, 4, 4, seed=3))) == 1


def test_a_draw_without_a_class_is_noticed_and_the_class_counts_as_zero(described, params):
    training, tested = cross_validation.train_and_test(described, params)
    assert not own_images.lacks_a_class(training, params)
    only_circles = []
    for image in training:
        truth = image.truth
        only_circles.append(replace(image, truth=replace(truth, ignored=truth.ignored | (truth.class_ids == 2))))
    assert own_images.lacks_a_class(only_circles, params)
    classifier = cross_validation.train(only_circles, params)
    assert 0 < cross_validation.measure_on(tested, classifier, params)[0] <= 0.5  # the mean of circles and 0


@pytest.mark.slow
def test_fewer_rois_of_one_description_are_the_first_ones(described, params):
    fewer = params.replace(cntk_nrRois=15)
    assert cross_validation.own_split(described, fewer) == cross_validation.own_split(
        cross_validation.describe(fewer), fewer
    )


def test_timed_scoring_finds_what_the_benchmark_measures(described, params):
    training, tested = cross_validation.train_and_test(described, params)
    classifier = cross_validation.train(training, params)
    detector = own_images.Detector(build_network(params), classifier, params)
    (times,) = own_images.time_scoring({60: detector}, params, repeats=1)
    assert len(times.seconds) == len(tested) == 2
    for image, scored in zip(tested, times.results, strict=True):
        measured = cross_validation.score(classifier, image, params)
        assert np.allclose(scored.candidates.kept.scores, measured.scores, atol=1e-3) and "network" in scored.seconds


def test_equal_limits_are_measured_once(described, params):
    variants = own_images.limit_variants(described, params)
    again = own_images.limit_variants(described, params.replace(**variants["derived from the training boxes"]))
    assert "as set" in variants and list(again) == [name for name in variants if name != "as set"]


def test_recall_and_boxes_outside_the_limits_by_hand(described, params):
    boxes = np.array([[0, 0, 16, 16], [0, 0, 80, 80]], np.float32)  # sides 0.1 and 0.5 of 160 pixels
    rois = Rois.of([[0, 0, 16, 16]], Origin.GROUND_TRUTH).then(Rois.of([[0, 0, 80, 79], [0, 0, 80, 80]]))
    truth = GroundTruth(boxes, np.array([1, 2]), np.array([False, False]))
    image = replace(described[0], rois=rois, features=described[0].features[:3], truth=truth)
    # the first ROI is the ground truth that training adds, and does not count
    assert own_images.found_and_outside([image], params.replace(roi_minDimRel=0.2)) == (0.5, 0.5)


def test_without_test_images_it_says_what_is_missing(described, params):
    with pytest.raises(UserError, match="needs annotated training images and annotated test images"):
        cross_validation.train_and_test([image for image in described if not image.is_test], params)
