"""Protects against work on stale files: when a parameter, an image or an annotation has changed since a step ran, the
next step stops, names what changed and what to run again; and a rerun does what is left to do, no less and no more.
"""

import json
import re

import numpy as np
import pytest
from PIL import Image
from tiny import draw_image, run_steps, tiny_params

from helpers.artifacts.steps import DETECTIONS, FEATURES, INPUTS, ROIS, SVMS, require
from helpers.base.errors import UserError
from helpers.base.images import write_image
from helpers.dataset.annotations import read_annotation, write_annotation

NUMBERS = {ROIS: 1, INPUTS: 2, FEATURES: 3, SVMS: 4, DETECTIONS: 5}


def refused(params, step, *words):
    """The step and all after it stop with one line that has these words."""
    for number in range(step, 6):
        with pytest.raises(UserError) as error:
            run_steps(params, number)
        assert all(word in str(error.value) for word in words), str(error.value)
        assert "\n" not in str(error.value)


def state(folder):
    """Relative path -> (time of the last change, bytes) of all files but records and remembered fingerprints, which
    depend on the time: those of files that are younger than two seconds are not remembered."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("record", ".fingerprints"))
    }


def contents(folder):
    return {path: data for path, (_, data) in state(folder).items()}


# --- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"roi_maxImgDim": 120}, ROIS), ({"roi_minDimRel": 0.11}, ROIS), ({"roi_engine": "grid"}, ROIS),
        ({"ss_nmsThreshold": 0.8}, ROIS), ({"ss_ks": "80,300"}, ROIS), ({"grid_aspectRatios": "1,2"}, ROIS),
        ({"cntk_nrRois": 59}, INPUTS), ({"cntk_padWidth": 150}, INPUTS), ({"classes": "square,circle"}, INPUTS),
        ({"train_posOverlapThres": 0.55}, INPUTS),
        ({"network": "mobilenet_v3_large"}, FEATURES), ({"train_mirrored": "False"}, FEATURES),
        ({"network_roiBatchSize": 7}, FEATURES),
        ({"svm_C": 0.5}, SVMS), ({"train_negOverlapThres": 0.2}, SVMS), ({"boxRegression": "False"}, SVMS),
        ({"nmsThreshold": 0.4}, DETECTIONS),
    ],
)  # fmt: skip
def test_a_changed_parameter_stops_the_step_after_the_one_that_used_it(tiny_finished, change, stale):
    params = tiny_params(tiny_finished, **change)
    name = next(iter(change))
    for step in NUMBERS:
        if NUMBERS[step] < NUMBERS[stale]:
            require(params, step)  # files of earlier steps are still good
        else:
            with pytest.raises(UserError, match=f"^{name} is .* now but was .* when {stale} ran: run {stale} again"):
                require(params, step)
    refused(params, NUMBERS[stale] + 1, name, stale)


def test_parameters_that_a_step_does_not_use_stop_nothing(tiny_finished):
    params = tiny_params(tiny_finished, ss_scale=99, ss_kvals="1,2,3", eval_use11Points="True")
    require(params, DETECTIONS)


def test_other_weights_are_noticed(tiny_finished):
    # random weights depend on the seed alone
    refused(tiny_params(tiny_finished, seed=4), 4, "weights has changed since 3_runNetwork.py ran", "run 3_runNetwork")


@pytest.mark.slow
def test_steps_out_of_order_name_what_is_missing(tiny):
    params = tiny_params(tiny)
    refused(params, 2, "has no files of 1_computeRois.py: run 1_computeRois.py first")
    run_steps(params, 1)
    refused(params, 3, "has no files of 2_computeCntkInputs.py: run 2_computeCntkInputs.py first")


@pytest.mark.slow
def test_an_earlier_step_that_ran_again_makes_later_ones_stale(finished):
    params = tiny_params(finished, roi_maxImgDim=120)
    run_steps(params, 1)
    refused(params, 3, "1_computeRois.py ran again after 2_computeCntkInputs.py", "run 2_computeCntkInputs.py again")
    run_steps(params, 2)
    refused(params, 4, "2_computeCntkInputs.py ran again after 3_runNetwork.py", "run 3_runNetwork.py again")
    run_steps(params, 3, 4, 5)


@pytest.mark.slow
def test_back_to_the_old_parameters_gives_the_old_bytes(finished):
    before = contents(finished / "proc")
    run_steps(tiny_params(finished, cntk_nrRois=20), 2, 3, 4, 5)
    assert contents(finished / "proc") != before
    run_steps(tiny_params(finished), 2, 3, 4, 5)
    assert contents(finished / "proc") == before


# --- images and annotations ------------------------------------------------------------------------------------------


def change_image(root):
    write_image(root / "positive/3.png", draw_image(("square",), 99)[0])


def add_image(root):
    write_image(root / "negative/2.png", draw_image(("triangle",), 98)[0])


def remove_image(root):
    for path in (root / "testImages").glob("2.*"):
        path.unlink()


def rename_image(root):
    with Image.open(root / "positive/3.png") as image:
        image.save(root / "positive/3.jpg")
    (root / "positive/3.png").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_image, "positive/3.png has changed since 1_computeRois.py ran"),
        (add_image, "negative/2.png was added since 1_computeRois.py ran"),
        (remove_image, "testImages/2.png was removed since 1_computeRois.py ran"),
        (rename_image, "positive/3.png was removed since 1_computeRois.py ran"),
    ],
)
def test_changed_images_are_named_and_only_they_are_searched_again(finished, change, words):
    params, root = tiny_params(finished), finished / "data" / "tiny"
    before = state(params.roi_dir)
    change(root)
    refused(params, 2, words, "run 1_computeRois.py again and the steps after it")
    done = run_steps(params, 1)
    assert list(done) == {
        change_image: ["positive/3.png"], add_image: ["negative/2.png"], remove_image: [],
        rename_image: ["positive/3.jpg"],
    }[change]  # fmt: skip
    after = state(params.roi_dir)
    stems = {key.rsplit(".", 1)[0] for key in done}
    assert all(after[path] == before[path] for path in after if path.removesuffix(".roi.txt") not in stems)
    assert ("testImages/2.roi.txt" in after) == (change is not remove_image), "files of former images are removed"
    result = run_steps(params, 2, 3, 4, 5)
    assert result["nrImages"] == (1 if change is remove_image else 2)
    parsed = params.cntk_files_dir / "test_svm_parsed"
    assert len(list(parsed.iterdir())) == result["nrImages"], "features of former images are removed"


def move_a_box(root):
    annotation, _ = read_annotation(root / "positive/1.jpg", (160, 120), ("circle", "square"))
    write_annotation(root / "positive/1.jpg", annotation.boxes + 1)


def swap_labels(root):
    (root / "testImages/2.bboxes.labels.tsv").write_text("square\ncircle\n")


def rename_labels(root):
    (root / "positive/1.bboxes.labels.tsv").rename(root / "positive/1.bboxes.labels.txt")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (move_a_box, "positive/1.bboxes.tsv has changed since 2_computeCntkInputs.py ran"),
        (swap_labels, "testImages/2.bboxes.labels.tsv has changed since 2_computeCntkInputs.py ran"),
        (rename_labels, "positive/1.bboxes.labels.tsv was removed since 2_computeCntkInputs.py ran"),
    ],
)
def test_changed_annotations_are_named(finished, change, words):
    params = tiny_params(finished)
    change(finished / "data" / "tiny")
    assert run_steps(params, 1) == {}, "step 1 does not read annotations"
    refused(params, 3, words, "run 2_computeCntkInputs.py again and the steps after it")
    run_steps(params, 2, 3, 4, 5)


def test_annotations_of_negative_images_do_not_matter(finished):
    write_annotation(finished / "data/tiny/negative/1.jpg", [[1, 2, 30, 40]], ["circle"])
    require(tiny_params(finished), DETECTIONS)


# --- reruns ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_rerun_without_changes_writes_no_file_of_an_image_again(finished):
    params = tiny_params(finished)
    before = state(finished / "proc")
    assert run_steps(params, 1) == {} and run_steps(params, 3) == 0
    run_steps(params, 2, 4, 5)
    after = state(finished / "proc")
    assert {path: data for path, (_, data) in after.items()} == {path: data for path, (_, data) in before.items()}
    for path in after:
        if path.endswith((".roi.txt", ".npz")) and "trainedSVMs" not in path:
            assert after[path] == before[path], path
    require(params, DETECTIONS)


def test_features_are_described_again_when_the_roi_files_changed(finished):
    params = tiny_params(finished, cntk_nrRois=30)
    run_steps(params, 2)
    assert run_steps(params, 3) == 7


@pytest.mark.parametrize(
    ("path", "step", "again"),
    [
        ("rois/testImages/1.roi.txt", 2, "1_computeRois.py"),
        ("cntkFiles/train.nrRois.txt", 3, "2_computeCntkInputs.py"),
        ("cntkFiles/train_svm_parsed/3.dat.npz", 4, "3_runNetwork.py"),
        ("cntkFiles/test_svm_parsed/0.dat.npz", 5, "3_runNetwork.py"),
        ("trainedSVMs/svmbias_exp1.txt", 5, "4_trainSvm.py"),
        ("trainedSVMs/boxregression_exp1.npz", 5, ""),
    ],
)
def test_a_file_lost_or_cut_short_by_hand_is_named(finished, path, step, again):
    path = finished / "proc" / "tiny" / path
    data = path.read_bytes()
    part = data[: len(data) // 2 - 1]
    path.write_bytes(part[: part.rindex(b"\t")] if path.suffix == ".txt" and b"\t" in part else part)  # inside a row
    with pytest.raises(UserError, match=re.escape(str(path.parent))):
        run_steps(tiny_params(finished), step)
    path.unlink()
    with pytest.raises(UserError, match=f"{re.escape(str(path.parent))}.*{again}"):
        run_steps(tiny_params(finished), step)


def damaged(record):
    """What a record may have become: name -> text."""
    content = json.loads(record)
    wrong = {
        "cut": record[:50], "empty": "", "null": "null", "list": "[]", "number": "3", "object": "{}", "text": '"a"',
        "deep": "[" * 100_000, "deep objects": '{"a":' * 100_000, "long number": "9" * 5000,
    }  # fmt: skip
    wrong["of another step"] = json.dumps({**content, "step": INPUTS})
    for value in ("x" * 3000, None, -1, 1e300, [1], {"a": 1}):  # no parameter of step 1 may have one of these
        parameters = {**content["parameters"], "grid_nrScales": value}
        wrong[f"parameter {value}"] = json.dumps({**content, "parameters": parameters})
    for key in content:
        wrong[f"without {key}"] = json.dumps({name: value for name, value in content.items() if name != key})
        for value in (None, [], 3, 0.5, {"a": 1}, {"a": None}, {"a": []}, "false"):
            if isinstance(value, str | None | dict) and key in ("step", "id", "before", "parameters"):
                continue  # such a one is no other kind; that it is another value, other tests show
            wrong[f"{key} {value}"] = json.dumps({**content, key: value})
    return wrong


@pytest.mark.slow
def test_a_damaged_record_is_named_with_the_remedy(finished):
    params = tiny_params(finished)
    path = params.roi_dir / "record.json"
    whole = path.read_text()
    for name, text in damaged(whole).items():
        path.write_text(text)
        for number in (1, 2):
            with pytest.raises(UserError) as error:
                run_steps(params, number)
            assert re.fullmatch(
                r"\S+rois.record.json: damaged, or of another version \(.+\); delete it and run 1_computeRois.py again",
                str(error.value),
            ), f"{name}: {error.value}"
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="cannot be read .+; delete it and run 1_computeRois.py again"):
        run_steps(params, 2)
    path.rmdir()
    run_steps(params, 1, 2, 3, 4, 5)
    assert path.read_text() == whole


def test_records_hold_no_path_of_this_machine(finished):
    # a folder may be moved, and two checkouts give the same bytes
    for path in (finished / "proc").rglob("record*.json"):
        assert str(finished) not in path.read_text()
        assert json.loads(path.read_text())["complete"] is True
    (finished / "proc").rename(finished / "moved")
    require(tiny_params(finished, procRootDir=finished / "moved"), DETECTIONS)


@pytest.mark.slow
def test_other_experiments_and_image_sets_do_not_disturb_each_other(finished):
    params = tiny_params(finished)
    before = contents(params.svm_dir)
    other = params.replace(experimentName="exp2", svm_C=0.002)
    run_steps(other, 4, 5)
    assert {path: data for path, data in contents(params.svm_dir).items() if "exp2" not in path} == before
    weights = [np.loadtxt(params.svm_dir / f"svmweights_{name}.txt") for name in ("exp1", "exp2")]
    assert not np.array_equal(*weights)
    run_steps(params.replace(imageSet="train"), 5)
    with pytest.raises(UserError, match="experimentName is 'exp1' now but was 'exp2' when 5_evaluate.py ran"):
        require(params, DETECTIONS)  # the detections on the test images are those of exp2
