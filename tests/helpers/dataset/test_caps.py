"""Protects crowded images from silent cuts: ground truth never takes all ROIs of a training image, the number of
detections follows from the data, and steps 0, 2 and 5 name each image that is cut, with the value that cuts nothing.
"""

import importlib
import json

import pytest
from tiny import run_steps, tiny_params

from helpers.artifacts.model_files import read_description
from helpers.base.errors import UserError
from helpers.base.files import write_text
from helpers.dataset.caps import as_lines, auto_max_detections, max_ground_truth, over_detections, over_rois
from pipeline.parameters import load_parameters


def test_some_rois_are_always_background():
    assert [max_ground_truth(n) for n in (1, 2, 3, 4, 5, 8, 500, 1000)] == [1, 1, 2, 3, 3, 6, 375, 750]


@pytest.mark.parametrize("count", [1, 2, 3, 150, 376, 520, 1000])
def test_the_value_to_set_is_the_least_that_cuts_nothing(count):
    params = load_parameters([f"cntk_nrRois={max(1, count // 2)}"])
    found = over_rois({"a.jpg": count}, True, params)
    if count == 1:
        assert found == []
        return
    value = int(found[0][2].removeprefix("set cntk_nrRois=").removesuffix(" or more"))
    assert max_ground_truth(value) >= count > max_ground_truth(value - 1)
    assert over_rois({"a.jpg": count}, True, params.replace(cntk_nrRois=value)) == []
    assert over_rois({"a.jpg": count}, False, params.replace(cntk_nrRois=count)) == []
    ((_, _, remedy),) = over_rois({"a.jpg": count + 1}, False, params.replace(cntk_nrRois=count))
    assert remedy == f"set cntk_nrRois={count + 1} or more"  # in testing, no ground-truth box is among them


def test_more_objects_than_there_may_be_rois():
    params = load_parameters([])
    assert over_rois({"a.jpg": 75_001}, True, params)[0][2] == "cut the image into several"
    load_parameters([over_rois({"a.jpg": 75_000}, True, params)[0][2].split()[1]])


def test_every_image_gets_the_value_that_suits_all():
    found = over_detections({"a.jpg": 150, "b.jpg": 90, "c.jpg": 300}, 100)
    message = "objects, but only nms_maxDetections = 100 detections are kept"
    remedy = "set nms_maxDetections=600 or more"
    assert found == [("a.jpg", f"150 {message}", remedy), ("c.jpg", f"300 {message}", remedy)]
    many = as_lines(over_detections({f"{number}.jpg": 101 for number in range(2000)}, 100))
    assert len(many) == 6 and many[5].startswith("WARNING: the same holds for 1995 more images; set nms_max")


def test_auto_follows_from_the_training_images(tmp_path):
    params = tiny_params(tmp_path)
    path = params.cntk_files_dir / "train.nrRois.txt"
    assert params.nms_maxDetections == "auto" and params.max_detections == 100, "before step 2"
    for most, wanted in ((3, 100), (50, 100), (51, 102), (150, 300)):
        assert auto_max_detections(most) == wanted
        write_text(path, f"0\t500\t1\n1\t500\t{most}\n2\t500\t0\n")
        assert params.max_detections == params.subset(["nms_maxDetections"])["nms_maxDetections"] == wanted
    assert tiny_params(tmp_path, nms_maxDetections=7).max_detections == 7
    write_text(path, "0\t500\n")
    with pytest.raises(UserError, match="train.nrRois.txt: not as .+ wrote it; delete it and run 2_comp"):
        assert params.max_detections


def test_records_and_models_hold_the_number(tiny_finished, trained):
    (record,) = (tiny_finished / "proc/tiny/detections").glob("record_*.json")
    assert json.loads(record.read_text())["parameters"]["nms_maxDetections"] == 100
    description = read_description(trained / "proc/tiny/models/exp1.safetensors")
    assert description["parameters"]["nms_maxDetections"] == 100


def test_steps_0_and_2_name_crowded_images(tiny, capsys):
    # two objects in each annotated image; of two ROIs one may be ground truth, of one ROI that one
    params = tiny_params(tiny, cntk_nrRois=2, nms_maxDetections=1, roi_engine="grid")
    report = importlib.import_module("0_checkDataset").main(params)
    assert report.exit_code == 0
    lines = [str(problem) for problem in report.problems]
    wanted = "2 objects, but only 1 of cntk_nrRois = 2 ROIs are for them, the rest is for background; set cntk_nrRois=3"
    assert f"positive/1.jpg: {wanted} or more" in lines and len(lines) == 4 + 6
    wanted = "2 objects, but only nms_maxDetections = 1 detections are kept; set nms_maxDetections=100 or more"
    assert f"testImages/2.png: {wanted}" in lines
    capsys.readouterr()
    run_steps(params, 1, 2)
    printed = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("WARNING: positive/") and "set cntk_nrRois=3 or more" in line for line in printed) == 4
    with open(params.cntk_files_dir / "train.nrRois.txt") as rows:
        assert [row.split()[1:3] for row in rows] == [["2", "1"]] * 4 + [["2", "0"]]  # a proposal in each
    run_steps(params.replace(cntk_nrRois=3), 2)
    assert "objects, but" not in capsys.readouterr().out


def test_step_5_names_crowded_images(finished, capsys):
    run_steps(tiny_params(finished, nms_maxDetections=1), 5)
    printed = capsys.readouterr().out
    assert (
        "WARNING: testImages/1.jpg: 2 objects, but only nms_maxDetections = 1 detections are kept; "
        "set nms_maxDetections=100 or more\n"
    ) in printed
    run_steps(tiny_params(finished), 5)
    assert "objects, but" not in capsys.readouterr().out
