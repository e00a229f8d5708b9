"""Protects the scripts that look into intermediate files: B1 (are the objects among the ROIs?), B2 (do ROIs and labels
lie where they should?) and B3 (has every class examples to learn from?). Every number can be checked by hand.
"""

import importlib

import numpy as np
import pytest
from fruit import APPLE, GROUND, SIZE, Panels, complete, make_fruit
from PIL import Image

from fastRCNN.structures import Rois
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.steps import ROIS
from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.dataset.annotations import write_annotation
from helpers.drawing.boxes import class_color
from pipeline.regions import propose_rois

step2 = importlib.import_module("2_computeCntkInputs")
evaluate_rois = importlib.import_module("B1_evaluateRois")
visualize_inputs = importlib.import_module("B2_visualizeInputs")
analyze_inputs = importlib.import_module("B3_analyzeInputs")


@pytest.fixture
def params(tmp_path):
    return make_fruit(tmp_path)


def test_b1_recall_by_hand(params, capsys):
    by_count, broken = evaluate_rois.main(params)
    # first image: the apple exactly, the pear with IoU 0.5; second image: the apple exactly, as ROI 61
    assert list(by_count) == [30, 50, None]
    assert by_count[30] == by_count[50] == pytest.approx([2 / 3] + [1 / 3] * 9)
    assert by_count[None] == pytest.approx([1] + [2 / 3] * 9)
    table = (params.results_dir / "roiRecall_test.tsv").read_text().splitlines()
    assert table[0].startswith("ROIs per image\tIoU 0.50\tIoU 0.55")
    assert table[-1].split("\t") == ["all", "1.000", *["0.667"] * 9, "0.700"]
    assert Image.open(params.results_dir / "roiRecall_test.png").size[0] > 500
    assert not any(broken.values())
    assert "32 (2 to 61) proposals of grid, then 0 (0 to 0) of the grid" in capsys.readouterr().out


def test_b1_names_boxes_that_break_a_limit(params, capsys):
    # sides in units of 200 pixels: 0.2 x 0.2, 0.25 x 0.3; 0.25 x 0.25; the ignored box, 0.15 x 0.2, does not count
    params = params.replace(roi_maxDimRel=0.24, roi_minDimRel=0.16, roi_maxNrPixelsRel=0.07)
    complete(params, ROIS)
    _, broken = evaluate_rois.main(params)
    assert broken == {
        "roi_minDimRel": [],
        "roi_maxDimRel": [(0, 1), (1, 0)],
        "roi_minNrPixelsRel": [],
        "roi_maxNrPixelsRel": [(0, 1)],
        "roi_maxAspectRatio": [],
    }
    output = capsys.readouterr().out
    assert "roi_maxDimRel = 0.24: broken by 2 of 3 boxes - testImages/1.png box 2 (pear); testImages/2.png" in output
    assert "roi_minDimRel = 0.16: broken by 0 of 3 boxes\n" in output


def test_b1_tells_proposals_and_grid_apart(params):
    params = params.replace(grid_nrScales=2, roi_maxDimRel=0.3)
    grid = propose_rois(np.zeros((SIZE[1], SIZE[0], 3), np.uint8), params)
    proposals = Rois.of([[3, 3, 43, 43], [5, 5, 45, 45]])
    assert len(grid) > 10
    assert evaluate_rois.count_grid_rois(proposals.then(grid), SIZE, params) == len(grid)
    assert evaluate_rois.count_grid_rois(proposals, SIZE, params) == 0
    assert evaluate_rois.count_grid_rois(Rois.of([]), SIZE, params) == 0


def test_b1_without_ground_truth_says_so(params):
    for number in (1, 2):
        write_annotation(params.image_dir / f"testImages/{number}.png", [[0, 0, 9, 9]], ["EXCLUDE"])
    with pytest.raises(UserError, match="no test image has a ground-truth box"):
        evaluate_rois.main(params)


def test_b2_draws_what_the_input_files_hold(params):
    params = params.replace(imageSet="train")
    step2.main(params)
    paths = visualize_inputs.main(params)
    folder = params.results_dir / "inputs" / "train"
    assert paths == [folder / "1.jpg", folder / "2.jpg", folder / "negative" / "1.jpg"]
    entry = read_inputs(params, params.imageSet)[0]
    panels = Panels(visualize_inputs.draw_one(entry, read_image(params.image_dir / entry.key), params))
    # positive ROIs from x = 22 and from y = 22 in the colour of their class, ground truth dashed around them
    assert panels.left(22, 40) == APPLE and panels.left(40, 22) == APPLE
    assert (255, 255, 255) in {panels.left(100, y) for y in range(41, 99)}
    assert panels.right(22, 40) == panels.right(40, 22) == GROUND
    # backgrounds: the first 20 of the junk, whose left edges lie at x = 0 to 19 and right edges at 20 to 39
    assert panels.right(39, 130) == class_color(0)
    assert panels.right(40, 130) == panels.left(39, 130) == GROUND


def test_b2_test_images_have_no_ground_truth(params):
    step2.main(params)
    assert len(visualize_inputs.main(params)) == 2
    assert all(entry.rois.nr_ground_truth == 0 for entry in read_inputs(params, params.imageSet))


def test_b3_counts_by_hand(params, capsys):
    step2.main(params)
    capsys.readouterr()
    counts = analyze_inputs.main(params)
    train = counts["train"]
    assert train.ground_truth.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert train.framed.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert train.positives.tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, 0]]  # without the ground truth
    assert train.rois.tolist() == [30, 30, 30]  # all of cntk_nrRois
    assert train.backgrounds.tolist() == [30 - 2 - 2, 30 - 1, 30]
    test = counts["test"]
    assert test.ground_truth.tolist() == [[1, 1, 0], [1, 0, 0]]
    assert test.positives.tolist() == [[1, 1, 0], [0, 0, 0]]
    assert test.rois.tolist() == [2, 30]
    table = [line.split("\t") for line in (params.results_dir / "inputs_train.tsv").read_text().splitlines()]
    assert table[0][0] == "class"
    assert table[1:] == [
        ["apple", "2", "2", "1", "2", "1.0", "0", "2"],
        ["pear", "1", "1", "0", "0", "0.0", "0", "0"],
        ["plum", "0", "0", "0", "0", "-", "-", "-"],
        ["all classes", "2", "3", "1", "2", "1.0", "0", "2"],
        ["background", "3", "-", "-", "-", "28.3", "26", "30"],
        ["ROIs used of 30", "3", "-", "-", "-", "30.0", "30", "30"],
    ]
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == 3
    assert "pear: no ROI of the train images has IoU >= 0.5 with one of its 1 ground-truth boxes" in warnings[0]
    assert "plum: no ground-truth box in the train images, it cannot be learned" in warnings[1]
    assert "plum: no ground-truth box in the test images" in warnings[2]


@pytest.mark.parametrize("script, step", [(evaluate_rois, "1_"), (visualize_inputs, "2_"), (analyze_inputs, "2_")])
def test_steps_that_did_not_run_are_named(params, script, step):
    if step == "1_":
        (params.roi_dir / "record.json").unlink()
    with pytest.raises(UserError, match=f"run {step}"):
        script.main(params)
