"""Protects what users look at after step 5: pictures before and after non-maximum suppression, with what is false and
what was missed, and the table of precision and recall by score threshold with the threshold that it suggests.
"""

import importlib

import numpy as np
import pytest
from fruit import APPLE, GROUND, Panels, complete, make_fruit, write_found

from fastRCNN.matching import FALSE_POSITIVE, IGNORED, TRUE_POSITIVE
from helpers.artifacts.steps import FEATURES, SVMS
from helpers.base.errors import UserError
from helpers.base.images import read_image

step2 = importlib.import_module("2_computeCntkInputs")
visualize = importlib.import_module("5_visualize")

FOUND = {
    "testImages/1.png": [
        (1, 2.0, [20, 20, 60, 60], True),  # right
        (1, 1.5, [24, 20, 64, 60], False),  # removed by non-maximum suppression
        (1, 0.8, [160, 100, 190, 140], True),  # on the ignored box
        (1, 0.5, [70, 100, 90, 120], True),  # false
        (2, -1.0, [10, 100, 30, 120], True),  # false, below the drawn score
    ]
}


@pytest.fixture
def params(tmp_path):
    return make_fruit(tmp_path)


@pytest.fixture
def detected(params):
    step2.main(params)
    write_found(params, FOUND)
    return params


def draw_first(params):
    image, candidates, truth = next(visualize.read_all(params))
    assert image.key.endswith("/1.png")
    return Panels(visualize.draw_one(image, candidates, truth, params))


def test_picture_shows_detections_before_and_after_suppression(detected):
    panels = draw_first(detected)
    assert panels.left(20, 40) == panels.right(20, 40) == APPLE  # the left edge of the detection that was kept
    assert panels.left(64, 40) == APPLE  # the right edge of the one that was removed
    assert panels.right(64, 40) == GROUND
    assert panels.left(10, 110) == panels.right(10, 110) == GROUND  # its score is too low


def test_picture_tells_false_and_missed_and_ignored_apart(detected):
    panels = draw_first(detected)
    assert panels.right(80, 110) == APPLE  # the middle of the false detection is crossed out
    assert panels.right(40, 40) == GROUND and panels.left(80, 110) == GROUND  # that of the right one is not
    missed = {panels.right(x, 40) for x in range(102, 149)}  # along the upper edge of the pear
    assert missed == {(40, 40, 40), (255, 255, 255)}  # dark dashes with white gaps
    assert {panels.left(x, 40) for x in range(102, 149)} == {GROUND}
    assert panels.right(175, 120) == GROUND  # the detection on the ignored box is not crossed out


def test_near_misses_are_drawn_faintly(params):
    step2.main(params)
    near, far = [10, 100, 30, 120], [60, 100, 90, 120]
    write_found(
        params, {"testImages/1.png": [(1, 2.0, [20, 20, 60, 60], True), (2, -0.3, near, True), (2, -0.9, far, True)]}
    )
    panels = draw_first(params)
    along = [{panels.right(x, box[1]) for x in range(box[0] + 2, box[2] - 2)} for box in (near, far)]
    assert len(along[0]) > 1 and along[1] == {GROUND}  # dashes with gaps, and nothing
    assert {panels.left(x, near[1]) for x in range(12, 28)} == {GROUND}


def test_verdicts_by_hand(detected):
    _, candidates, truth = next(visualize.read_all(detected))
    judged = visualize.judge(candidates.kept, truth, detected)
    assert judged.shown.scores.tolist() == pytest.approx([2.0, 0.8, 0.5, -1.0])
    assert judged.verdicts.tolist() == [TRUE_POSITIVE, IGNORED, FALSE_POSITIVE, FALSE_POSITIVE]
    assert judged.missed.tolist() == [False, True, False]  # the pear; the ignored box cannot be missed


def test_main_writes_pictures_and_table_and_suggests_a_threshold(detected, capsys):
    counts, lowest, paths = visualize.main(detected)
    folder = detected.results_dir / "visualizations" / "test_svm"
    assert paths == [folder / "1.jpg", folder / "2.jpg"]
    image, candidates, truth = next(visualize.read_all(detected))
    drawn = visualize.draw_one(image, candidates, truth, detected)
    assert np.abs(read_image(paths[0]).astype(int) - drawn).mean() < 3  # JPEG
    # 2.0 is right, 0.5 false, 0.8 does not count; of three objects one is found
    table = [line.split("\t") for line in (detected.results_dir / "thresholds_test_svm.tsv").read_text().splitlines()]
    assert table[0][:7] == [
        "score from",
        "detections",
        "right",
        "precision",
        "recall",
        "apple precision",
        "apple recall",
    ]
    assert len(table[0]) == 5 + 2 * 3
    rows = {row[0]: row[1:] for row in table[1:]}
    assert rows["0"] == ["2", "1", "0.500", "0.333", "0.500", "0.500", "-", "0.000", "-", "-"]
    assert rows["2"] == ["1", "1", "1.000", "0.333", "1.000", "0.500", "-", "0.000", "-", "-"]
    assert counts.detections.sum(axis=0).tolist() == [2, 1]
    assert lowest == 1  # in (0.5, 2]
    output = capsys.readouterr().out
    assert "again with  --set vis_decisionThresholds=1 --keep\n" in output and str(folder) in output


def test_a_wanted_precision_that_is_never_reached(params, capsys):
    step2.main(params)
    write_found(params, {"testImages/2.png": [(1, 1.0, [100, 100, 120, 120], True)]})
    _, lowest, _ = visualize.main(params)
    assert lowest is None
    assert "No threshold reaches a precision of 0.9" in capsys.readouterr().out


def test_nothing_found_at_all(params):
    step2.main(params)
    write_found(params, {})
    counts, lowest, paths = visualize.main(params)
    assert lowest is None and len(paths) == 2
    assert (
        counts.thresholds.tolist() == [0] and counts.detections.sum() == 0 and counts.nr_objects.tolist() == [2, 1, 0]
    )


def test_training_images_with_equal_names_and_pictures_of_former_images(params):
    params = params.replace(imageSet="train")
    step2.main(params)
    write_found(params, {"negative/1.png": [(1, 1.0, [100, 100, 120, 120], True)]})
    folder = params.results_dir / "visualizations" / "train_svm"
    for name in ("former.jpg", "negative/former.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    visualize.main(params)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")) == [
        "1.jpg", "2.jpg", "negative/1.jpg",
    ]  # fmt: skip


def test_stale_detections_are_refused(detected):
    with pytest.raises(UserError, match="nmsThreshold.*5_evaluate.py"):
        visualize.main(detected.replace(nmsThreshold=0.5))


def test_steps_that_did_not_run_are_named(params):
    step2.main(params)
    complete(params, FEATURES, SVMS)
    with pytest.raises(UserError, match="run 5_evaluate"):
        visualize.main(params)


def test_a_few_pictures_of_many_images(detected, capsys):
    detected = detected.replace(imageSet="train", vis_maxPictures=2)  # of three: the first and the second
    step2.main(detected)
    write_found(detected, {"positive/2.png": [(1, 1.0, [40, 40, 90, 90], True)]})
    counts, _, paths = visualize.main(detected)
    folder = detected.results_dir / "visualizations" / "train_svm"
    assert paths == [folder / "1.jpg", folder / "2.jpg"] == sorted(folder.rglob("*.jpg"))
    assert f"2 pictures of 3 images, evenly spread (vis_maxPictures): {folder}" in capsys.readouterr().out
    assert counts.nr_objects.tolist() == [2, 1, 0], "of all images"
    visualize.main(detected.replace(vis_maxPictures=1))
    assert [path.name for path in folder.rglob("*.jpg")] == ["1.jpg"]
    visualize.main(detected.replace(vis_maxPictures=3))
    assert len(list(folder.rglob("*.jpg"))) == 3 and "3 pictures: " in capsys.readouterr().out


def test_detections_are_read_one_image_at_a_time(detected, monkeypatch):
    alive, read = [], visualize.read_detections
    box = [20, 20, 60, 60]
    write_found(detected, {"testImages/1.png": [(1, 2.0, box, True)], "testImages/2.png": [(2, 1.0, box, False)]})

    def watched(*arguments):
        for item in read(*arguments):
            alive.append(item[0])
            yield item

    monkeypatch.setattr(visualize, "read_detections", watched)
    images = visualize.read_all(detected)
    first = next(images)
    assert first[0].key == "testImages/1.png" and first[1].all.scores.tolist() == [2.0]
    assert alive == ["testImages/1.png"]
    _, candidates, _ = next(images)
    assert candidates.all.class_ids.tolist() == [2] and candidates.is_kept.tolist() == [False]
    assert next(images, None) is None


def test_rows_of_other_images_and_in_another_order_are_refused(detected):
    row = [(1, 1.0, [20, 20, 60, 60], True)]
    for keys, wrong in ((("2", "1"), "1"), (("1", "2", "1"), "1"), (("1", "7"), "7")):
        path = visualize.detection_path(detected)
        write_found(detected, {})
        lines = []
        for key in keys:
            write_found(detected, {f"testImages/{key}.png": row})
            lines.append(path.read_text().splitlines()[1])
        path.write_text("\n".join([path.read_text().splitlines()[0], *lines]) + "\n")
        with pytest.raises(UserError, match=f"testImages/{wrong}.png is not where.*run 5_evaluate.py again"):
            list(visualize.read_all(detected))
