"""Protects what steps 2 and 5 say where a detector finds little: the share of ground-truth boxes that ROIs frame, and
the likeliest causes of a low mAP with their numbers."""

import importlib

import numpy as np
import pytest
from fruit import make_fruit
from settings import settings as settings_of
from tiny import run_steps, tiny_params

from fastRCNN.framing import NEVER, frame, join
from fastRCNN.proposals import RoiLimits
from fastRCNN.structures import Detections, GroundTruth
from pipeline.diagnosis import describe_framing, frame_images, likely_causes

B1 = importlib.import_module("B1_evaluateRois")
ROIS = [[0, 0, 10, 10], [0, 0, 20, 10], [50, 50, 90, 90]]


def framing(used=2, boxes=((0, 0, 20, 10), (50, 50, 90, 88), (0, 90, 2, 92)), class_ids=(1, 2, 2)):
    truth = GroundTruth(np.array(boxes, np.float32), np.array(class_ids), np.zeros(len(boxes), bool))
    return frame(ROIS, truth, used, (100, 100), settings_of(RoiLimits, min_side=0.05))


def test_a_box_is_framed_by_the_first_roi_that_overlaps_it_by_half():
    # IoU of the first box: 100 / 200 with the first ROI, which is enough; the second: the third ROI, which is not used
    found = framing()
    assert found.ranks.tolist() == [0, 2, NEVER]
    assert found.framed.tolist() == [True, False, False] and found.within.tolist() == [True, True, False]
    assert found.share() == pytest.approx(1 / 3) and found.share(3) == pytest.approx(2 / 3)
    assert found.of_class(2).share() == 0 and found.of_class(2).share(3) == 0.5


def test_no_rois_no_boxes_and_several_images():
    one = GroundTruth(np.array([[0, 0, 9, 9]], np.float32), np.array([1]), np.array([False]))
    assert frame([], one, 5, (10, 10), settings_of(RoiLimits)).framed.tolist() == [False]
    nothing = frame(ROIS, GroundTruth(), 5, (10, 10), settings_of(RoiLimits))
    assert nothing.share() == 1 and join([]).share() == 1
    assert join([framing(), nothing, framing(used=3)]).framed.tolist() == [True, False, False, True, True, False]


def test_step_2_says_how_many_boxes_are_framed_and_what_to_do(tmp_path, capsys):
    params = make_fruit(tmp_path)
    run_steps(params, 2)
    told = capsys.readouterr().out
    # positive/1.png: the apple is framed, the pear is not; positive/2.png: the apple is not
    assert "ROIs frame 1 of 3 training boxes (0.33) at IoU 0.5" in told
    assert "WARNING: what no ROI frames is hardly learned or found: the proposals miss them" in told
    assert "much worse than the others: pear 0 of 1 (0.00)" in told


def test_nothing_is_warned_of_where_enough_boxes_are_framed(tiny_data):
    params = tiny_params(tiny_data)
    lines = describe_framing(framing(used=9, boxes=[[0, 0, 20, 10]], class_ids=[1]), "test", params)
    assert lines == ["ROIs frame 1 of 1 test boxes (1.00) at IoU 0.5"]


def test_the_ground_truth_that_step_2_adds_takes_places_and_frames_nothing(tmp_path):
    params = make_fruit(tmp_path)
    assert frame_images("train", params).used.tolist() == [28, 28, 29]
    few = frame_images("train", params.replace(cntk_nrRois=2))  # of both places the ground truth takes one at most
    assert few.used.tolist() == [1, 1, 1] and few.framed.tolist() == [True, False, False]
    test = frame_images("test", params)  # the upper half of the pear is half of it; the second apple is ROI 61 of 30
    assert test.framed.tolist() == [True, True, False] and test.ranks.tolist() == [0, 1, 60]


def test_the_remedy_is_that_which_the_files_speak_for(tmp_path):
    params = make_fruit(tmp_path)
    more = describe_framing(frame_images("test", params), "test", params)
    assert "--set cntk_nrRois=200 would frame 1.00 of all (now 30)" in more[1]
    limits = describe_framing(frame_images("train", params.replace(roi_minDimRel=0.5)), "train", params)
    assert "2 of the 2 that are not framed break the limits of ROI sizes" in limits[1]
    closer = describe_framing(frame_images("train", params), "train", params)
    assert "--set roi_maxImgDim=500 cntk_nrRois=2000" in closer[1]


def test_b1_looks_at_training_and_test_images(tmp_path, capsys):
    B1.main(make_fruit(tmp_path))
    told = capsys.readouterr().out
    assert "ROIs frame 1 of 3 training boxes" in told and "ROIs frame 2 of 3 test boxes" in told


# --- the causes of a low mAP ------------------------------------------------------------------------------------------


def causes(params, found=(), mean=0.0):
    """The lines for the fruit's two test images, where `found` lists (class id, box) of the first."""
    boxes, class_ids = [box for _, box in found], [class_id for class_id, _ in found]
    first = Detections(
        np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.float32), np.array(class_ids, int)
    )
    second = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))
    truths = [
        GroundTruth(np.array([[20, 20, 60, 60], [100, 40, 150, 100]], np.float32), np.array([1, 2]), np.zeros(2, bool)),
        GroundTruth(np.array([[30, 30, 80, 80]], np.float32), np.array([1]), np.zeros(1, bool)),
    ]
    return likely_causes({"mAP": mean}, [first, second], truths, params)


def test_the_two_likeliest_causes_come_with_their_numbers(tmp_path):
    params = make_fruit(tmp_path).replace(networkWeights="auto")
    head, first, second, _ = causes(params)
    assert head == "mAP is below 0.3. The likeliest causes:"
    assert first.startswith("  1. classes with fewer than 10 training boxes: 3 of 3 (plum 0, pear 1, apple 2)")
    assert second.startswith("  2. the ROIs frame 1 of 3 training boxes (0.33) and 2 of 3 test boxes (0.67)")


def test_random_weights_small_objects_and_loose_boxes_are_seen(tmp_path):
    params = make_fruit(tmp_path).replace(networkWeights="random")
    assert "networkWeights=random" in causes(params)[1]
    small = causes(params.replace(networkWeights="auto", cntk_padWidth=60, cntk_padHeight=60))
    # the image of 200 x 150 is scaled by 0.3: sides of 12, 15 and 15 pixels
    assert any("of the network's input: 3 of 3 " in line and "the smallest 12" in line for line in small[1:3])
    # 16 of the apple's 40 columns and 24 of the pear's 60 rows: IoU 0.4; one of two apples and the pear: (0.5 + 1) / 2
    loose = causes(params.replace(networkWeights="auto"), [(1, [44, 20, 60, 60]), (2, [100, 40, 150, 64])])
    assert "boxes sit loosely: at IoU 0.3 mAP is 0.750" in loose[2]


def test_step_5_names_causes_below_a_map_of_03_alone(tiny_finished, capsys):
    step5 = importlib.import_module("5_evaluate")
    params = tiny_params(tiny_finished)
    result = step5.main(params)
    assert ("The likeliest causes" in capsys.readouterr().out) == (result["mAP"] < 0.3)
