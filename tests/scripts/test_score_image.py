"""Protects 6_scoreImage.py: that it finds what step 5 found, what it prints, and that one bad file among many
is named and does not stop the others."""

import importlib
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_params

from fastRCNN.structures import Candidates, Detections
from helpers.base.errors import UserError
from helpers.dataset.photos import find_images, picture_paths
from pipeline import verdicts

step6 = importlib.import_module("6_scoreImage")


def run(capsys, params, *arguments, **options):
    """Exit code, and the objects that were printed, one a line."""
    code = step6.main(params, [str(argument) for argument in arguments], **options)
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_test_image_gives_what_step_5_found(tiny_finished, tmp_path, capsys):
    params = tiny_params(tiny_finished)
    table = tmp_path / "detections.tsv"
    folder = params.image_dir / "testImages"
    code, _ = run(capsys, params, folder, out=tmp_path, detections_tsv=table)
    evaluated = (params.detections_dir / "test_svm.tsv").read_text()
    assert code == 0
    assert len(evaluated.splitlines()) > 2
    found = [line.split("\t") for line in table.read_text().replace(f"{folder}/", "testImages/").splitlines()[1:]]
    expected = [line.split("\t") for line in evaluated.splitlines()[1:]]
    kept, expected_kept = ([row for row in rows if row[7] == "1"] for rows in (found, expected))
    assert sorted(row[:2] for row in found) == sorted(row[:2] for row in expected)
    assert [row[:2] for row in kept] == [row[:2] for row in expected_kept]
    numbers, expected_numbers = (np.array([row[2:7] for row in rows], float) for rows in (kept, expected_kept))
    assert np.allclose(numbers, expected_numbers, atol=0.01)


def test_the_printed_detections_are_the_kept_ones_above_the_threshold(tiny_finished, tmp_path, capsys):
    params = tiny_params(tiny_finished)
    path = params.image_dir / "testImages" / "1.jpg"
    rows = [line.split("\t") for line in (params.detections_dir / "test_svm.tsv").read_text().splitlines()[1:]]
    for threshold in (-1e9, -0.5, 0.3):
        wanted = [row for row in rows if row[0] == "testImages/1.jpg" and row[7] == "1" and float(row[2]) >= threshold]
        _, (printed,) = run(capsys, params, path, out=tmp_path, threshold=threshold)
        assert printed["image"] == str(path)
        assert (printed["width"], printed["height"]) == (160, 120)
        assert set(printed["seconds"]) == {"read", "rois", "scale", "network", "detections", "all"}
        assert [found["label"] for found in printed["detections"]] == [row[1] for row in wanted]
        scores = [found["score"] for found in printed["detections"]]
        assert np.allclose(scores, [float(row[2]) for row in wanted], atol=0.01)  # step 3 rounds to float16
        assert scores == sorted(scores, reverse=True)
        boxes = [found["box"] for found in printed["detections"]]
        assert np.allclose(boxes, [[float(x) for x in row[3:7]] for row in wanted], atol=0.1) or not wanted


def test_the_picture_is_the_image_with_boxes_drawn_on_it(tiny_finished, tmp_path, capsys):
    params = tiny_params(tiny_finished)
    path = params.image_dir / "testImages" / "1.jpg"
    _, (printed,) = run(capsys, params, path, out=tmp_path, threshold=-1e9)
    assert printed["detections"]
    original = np.asarray(Image.open(path).convert("RGB"), dtype=int)
    picture = np.asarray(Image.open(tmp_path / "1.jpg"), dtype=int)
    assert picture.shape == original.shape
    assert (np.abs(picture - original).max(axis=2) > 60).sum() > 50


def test_files_folders_and_patterns_are_found_once_and_in_order(tiny_finished):
    folder = tiny_finished / "data" / "tiny"
    found = find_images([str(folder / "positive" / "10.jpeg"), str(folder / "positive"), str(folder / "*/1.jpg")])
    names = [path.relative_to(folder).as_posix() for path in found]
    assert names == [
        "positive/10.jpeg", "positive/1.jpg", "positive/2.JPG", "positive/3.png", "negative/1.jpg", "testImages/1.jpg",
    ]  # fmt: skip


def test_a_path_without_images_is_named(tiny_finished, tmp_path):
    with pytest.raises(UserError, match="nothing-here.*no image"):
        step6.main(tiny_params(tiny_finished), [str(tmp_path / "nothing-here")])


def test_a_broken_image_is_named_and_the_others_are_scored(tiny_finished, tmp_path, capsys):
    params = tiny_params(tiny_finished)
    good = tmp_path / "photos" / "b.jpg"
    good.parent.mkdir()
    shutil.copy(params.image_dir / "testImages" / "1.jpg", good)
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no picture")
    code = step6.main(params, [str(good.parent)], out=tmp_path / "out")
    out, err = capsys.readouterr()
    assert code == 1
    assert "a.jpg: not a readable image" in err
    assert [json.loads(line)["image"] for line in out.splitlines()] == [str(good)]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.jpg"]


def test_pictures_of_equal_names_do_not_replace_each_other(tmp_path):
    paths = [tmp_path / "a" / "1.jpg", tmp_path / "b" / "1.png", tmp_path / "b" / "2.jpg"]
    assert [path.name for path in picture_paths(paths, tmp_path)] == ["1.jpg", "1_2.jpg", "2.jpg"]


def test_other_parameters_than_those_trained_with_are_refused(tiny_finished):
    image = str(tiny_finished / "data" / "tiny" / "testImages" / "1.jpg")
    for change in ({"svm_C": 0.5}, {"cntk_nrRois": 59}, {"roi_maxImgDim": 100}):
        with pytest.raises(UserError, match=next(iter(change))):
            step6.main(tiny_params(tiny_finished, **change), [image])


def test_the_training_images_are_not_needed(tiny_finished, tmp_path, capsys):
    shutil.copytree(tiny_finished / "proc", tmp_path / "proc")
    photo = tmp_path / "photo.jpg"
    shutil.copy(tiny_finished / "data" / "tiny" / "testImages" / "1.jpg", photo)
    code, printed = run(capsys, tiny_params(tmp_path), photo, out=tmp_path / "out")
    assert code == 0
    assert len(printed) == 1


def test_demo_shows_test_images_beside_their_ground_truth(tiny_finished, tmp_path, capsys):
    params = tiny_params(tiny_finished)
    folder = params.image_dir / "testImages"
    _, printed = run(capsys, params, out=tmp_path, demo=1)
    assert len(printed) == 1
    name = printed[0]["image"].removeprefix(f"{folder}/")
    picture = Image.open((tmp_path / name).with_suffix(".jpg"))
    width, height = Image.open(folder / name).size
    assert picture.width > 2 * picture.height * width / height * 0.7  # two panels in a row
    _, everything = run(capsys, params, out=tmp_path, demo=1000)
    assert {entry["image"] for entry in everything} == {
        str(path) for path in folder.iterdir() if path.suffix in (".jpg", ".png")
    }
    assert printed[0]["image"] in {entry["image"] for entry in everything}


def test_demo_without_objects_in_the_test_images(tmp_path):
    params = tiny_params(tmp_path).replace(datasetLayout="coco", classes=("person",))
    folder = params.image_dir / "annotations"
    folder.mkdir(parents=True)
    for part in ("train", "val"):
        content = {"images": [], "annotations": [], "categories": []}
        (folder / f"instances_{part}2017.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="no test image shows an object of person"):
        step6.main(params, [], demo=1)


def test_demo_marks_what_is_right_false_and_missed(tiny_finished, tmp_path, monkeypatch, capsys):
    params, titles = tiny_params(tiny_finished), []
    monkeypatch.setattr(verdicts, "side_by_side", lambda panels, names, *rest: titles.append(names) or panels[0])
    run(capsys, params, out=tmp_path, demo=2, threshold=-1e9)
    run(capsys, params, out=tmp_path, demo=2, threshold=1e9)
    rows = [line.split("\t") for line in (params.detections_dir / "test_svm.tsv").read_text().splitlines()[1:]]
    kept = sum(row[7] == "1" for row in rows)
    counts = [[int(word) for word in re.findall(r"\d+", right)] for _, right in titles]
    assert [left for left, _ in titles[:2]] == ["ground truth: 2 objects", "ground truth: 2 objects"]
    assert sum(right + false for right, false, _ in counts[:2]) == kept
    assert all(right + missed == 2 for right, _, missed in counts[:2])
    assert counts[2:] == [[0, 0, 2], [0, 0, 2]]


def test_where_nothing_is_found_the_best_score_is_told_and_drawn_faintly(tiny_finished, tmp_path, capsys):
    params = tiny_params(tiny_finished)
    path = params.image_dir / "testImages" / "1.jpg"
    assert step6.main(params, [str(path)], out=tmp_path, threshold=5) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["detections"] == []
    rows = [line.split("\t") for line in (params.detections_dir / "test_svm.tsv").read_text().splitlines()[1:]]
    best = max((row for row in rows if row[0] == "testImages/1.jpg" and row[7] == "1"), key=lambda row: float(row[2]))
    assert f"NOTE: {path}: nothing scores 5 or more; the best is {best[1]} with {float(best[2]):.3f}" in err
    original = np.asarray(Image.open(path).convert("RGB"), dtype=int)
    picture = np.asarray(Image.open(tmp_path / "1.jpg"), dtype=int)
    assert (np.abs(picture - original).max(axis=2) > 60).sum() > 50


def test_near_misses_are_the_best_just_below_the_threshold():
    found = Detections(np.zeros((6, 4)), np.array([0.9, 0.4, 0.3, 0.2, 0.1, -3]), np.ones(6, int))
    candidates = Candidates(found, np.array([True, True, False, True, True, True]))

    def scores(threshold, margin):
        return verdicts.Scored(candidates, threshold).near_misses(margin).scores.tolist()

    assert scores(0.5, 0.25) == [0.4]
    assert scores(0.5, 9) == [0.4, 0.2, 0.1]  # three at most
    assert scores(0.5, 0.05) == []
    assert scores(5, 0.5) == [0.9]  # nothing reaches it: the best one
    assert scores(-9, 0.5) == []
