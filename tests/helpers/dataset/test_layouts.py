"""Protects data sets that are read in place: PASCAL VOC's and COCO's layouts give the images, parts and boxes that
their files name, and what is wrong with a file is said with its place."""

import importlib
import json

import listCocoCategories
import pytest
from layout_files import SIZE, coco, coco_content, picture, voc_object, write_coco

from helpers.base.errors import UserError
from helpers.dataset.sources import (
    annotation_paths,
    left_out,
    list_images,
    load_ground_truth,
    load_training_ground_truth,
)
from pipeline.parameters import load_parameters

check = importlib.import_module("0_checkDataset").main


def keys(params, *parts):
    return [image.key for image in list_images(params, *parts)]


# --- PASCAL VOC ------------------------------------------------------------------------------------------------------


def test_voc_lists_give_the_parts(voc):
    assert keys(voc, ("positive",)) == ["VOC2007/JPEGImages/000001.jpg", "VOC2007/JPEGImages/000003.jpg"]
    assert keys(voc, ("testImages",)) == ["VOC2007/JPEGImages/000002.jpg"]
    assert keys(voc, ("negative",)) == []
    both = voc.replace(voc_trainSets=("VOC2007/trainval", "VOC2012/trainval"))
    assert keys(both, ("positive",))[-1] == "VOC2012/JPEGImages/2008_000001.jpg"
    names = [path.relative_to(both.image_dir).as_posix() for path in annotation_paths(both)]
    assert "VOC2012/ImageSets/Main/trainval.txt" in names
    assert "VOC2012/Annotations/2008_000001.xml" in names


def test_voc_boxes_and_difficult_objects(voc):
    train, test = list_images(voc, ("positive",))[0], list_images(voc, ("testImages",))[0]
    truth = load_training_ground_truth(train, SIZE, voc)
    boxes, class_ids = truth.boxes, truth.class_ids
    # VOC's corners are 1-based and inclusive: (1, 1, 100, 80) is all of the image, (11, 21, 30, 40) is 20 x 20
    assert boxes.tolist() == [[0, 0, 100, 80], [10, 20, 30, 40]]
    assert class_ids.tolist() == [1, 2]
    assert truth.ignored.tolist() == [False, True]
    used = voc.replace(train_useDifficult=True)
    assert load_training_ground_truth(train, SIZE, used).ignored.tolist() == [False, False]
    for params in (voc, used):  # in evaluation it is ignored in any case, but for its own class alone
        truth = load_ground_truth(test, SIZE, params)
        assert (truth.class_ids.tolist(), truth.ignored.tolist()) == ([2, 1], [True, False])


def test_voc_classes_that_are_not_wanted_are_left_out(voc):
    image = list_images(voc, ("positive",))[1]
    assert load_ground_truth(image, SIZE, voc).boxes.shape == (0, 4)
    assert load_ground_truth(image, SIZE, voc.replace(classes=("bird",))).boxes.tolist() == [[0, 0, 9, 9]]


def test_voc_photos_of_one_name_are_not_told_apart(voc):
    picture(voc.image_dir / "VOC2007/JPEGImages/000001.png")
    with pytest.raises(UserError, match="row 1: 000001 may be 000001.jpg or 000001.png"):
        list_images(voc)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("../../secret", ("trainval.txt, row 3", "no name of an image")),
        ("000009", ("trainval.txt, row 3", "000009.jpg")),
        ("000001", ("trainval.txt, row 3", "twice")),
        ("000002", ("VOC2007/trainval and in VOC2007/test",)),
    ],
)
def test_voc_lists_that_do_not_fit(voc, row, words):
    path = voc.image_dir / "VOC2007/ImageSets/Main/trainval.txt"
    path.write_text(path.read_text() + f"{row}\n\n")
    with pytest.raises(UserError) as caught:
        list_images(voc)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (voc_object("cat", (1, 1, 300, 80)), ("object 1", "outside", "100 x 80")),
        (voc_object("cat", (1, 1, "x", 80)), ("object 1", "xmax")),
        ("<object>", ("not readable XML",)),
        ("<object><name>cat</name></object>", ("object 1", "has no <bndbox>")),
        (voc_object("", (1, 1, 30, 40)), ("object 1", "has no class")),
        (voc_object("cat", (0.2, 0.2, 0.5, 0.5)), ("object 1", "smaller than a pixel")),
    ],
)
def test_voc_annotations_with_errors(voc, body, words):
    image = list_images(voc, ("positive",))[0]
    path = voc.image_dir / "VOC2007/Annotations/000001.xml"
    path.write_text(f"<annotation>{body}</annotation>")
    with pytest.raises(UserError) as caught:
        load_ground_truth(image, SIZE, voc)
    assert all(word in str(caught.value) for word in ("000001.xml", *words))
    report = importlib.import_module("0_checkDataset").main(voc)
    assert any("000001.xml" in str(problem.path) for problem in report.problems if problem.level == "error")


# --- COCO ------------------------------------------------------------------------------------------------------------


def test_coco_categories_are_all_that_must_be_changed(coco_root):
    people = coco(coco_root, "coco_categories=person")
    assert people.classes == ("person",)
    assert keys(people, ("positive",)) == ["train2017/a.jpg"]
    assert keys(people, ("negative",)) == ["train2017/b.jpg", "train2017/c.jpg"]
    assert keys(people, ("testImages",)) == ["val2017/d.jpg", "val2017/e.jpg"]
    cars = coco(coco_root, "coco_categories=3", "coco_imagesWithout=leaveOut")
    assert cars.classes == ("car",)
    assert keys(cars) == ["train2017/b.jpg", "val2017/d.jpg"]
    assert coco(coco_root, "coco_categories=90,Person").classes == ("traffic light", "person")
    assert coco(coco_root, "coco_categories=").classes == ("person", "car", "traffic light")


def test_coco_limits_follow_from_the_boxes_to_train_on(coco_root):
    params = coco(coco_root, "coco_categories=person")  # one box of 30 x 40 in an image of 100 x 80
    assert params.roi_minDimRel == 0.25  # 0.3 / 1.2
    assert params.roi_maxDimRel == 0.48  # 0.4 * 1.2
    assert coco(coco_root, "coco_categories=person", "roi_minDimRel=0.1").roi_minDimRel == 0.1


def test_coco_boxes_and_crowds(coco_root):
    params = coco(coco_root, "coco_categories=car,person")
    truth = load_ground_truth(list_images(params)[0], SIZE, params)
    boxes, class_ids = truth.boxes, truth.class_ids
    assert boxes.tolist() == [[10, 20, 40, 60], [50, 50, 70, 70]]
    assert class_ids.tolist() == [2, 0]
    assert truth.ignored.tolist() == [False, True]


def test_coco_images_with_boxes_below_a_pixel_are_left_out_and_said(coco_root):
    boxes = [(7, 1, [5, 5, 0, 9], 0), (7, 1, [5, 5, 9, 9], 0), (8, 1, [5, 5, 9, 9], 0), (9, 3, [5, 5, 0.5, 0.5], 0)]
    write_coco(coco_root, "train2017", coco_content({7: "a.jpg", 8: "b.jpg", 9: "c.jpg"}, boxes))
    params = coco(coco_root, "coco_categories=person")
    assert keys(params, ("positive", "negative")) == ["train2017/b.jpg", "train2017/c.jpg"]  # a car is not asked for
    problems = left_out(params)
    assert [problem.level for problem in problems] == ["warning"]
    assert "annotations[0]: box (5, 5, 5, 14) is smaller than a pixel, so a.jpg is left out" in problems[0].message
    report = check(params)
    assert not any("pixel" in problem.message for problem in report.problems if problem.level == "error")
    assert any("a.jpg is left out" in problem.message for problem in report.problems)
    params = coco(coco_root, "coco_categories=person,car")  # both in two of three images
    assert [problem.level for problem in left_out(params)] == ["error", "error"]
    assert check(params).exit_code == 1


def test_coco_ids_compare_by_value(coco_root):
    content = coco_content({7: "a.jpg"}, [("7", 1.0, [10, 20, 30, 40], 0), (7.0, " 3", [1, 2, 3, 4], 0)])
    content["categories"] = [{"id": "1", "name": "person"}, {"id": 3.0, "name": "car"}, {"id": "x", "name": "cat"}]
    write_coco(coco_root, "train2017", content)
    params = coco(coco_root, "coco_categories=3,person")
    assert params.classes == ("car", "person")
    truth = load_ground_truth(list_images(params)[0], SIZE, params)
    boxes, class_ids = truth.boxes, truth.class_ids
    assert boxes.tolist() == [[10, 20, 40, 60], [1, 2, 4, 6]] and class_ids.tolist() == [2, 1]
    assert coco(coco_root, "coco_categories=").classes == ("person", "car", "cat")


@pytest.mark.parametrize(
    ("categories", "words"),
    [
        ("persn", ('"person"', "tools/listCocoCategories.py")),
        ("car,traffic lihgt", ('"traffic light"',)),
        ("2", ("no category 2",)),
        ("car,3", ("listed twice",)),
    ],
)
def test_coco_unknown_categories_are_refused(coco_root, categories, words):
    with pytest.raises(UserError) as caught:
        coco(coco_root, f"coco_categories={categories}")
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("images", "annotations", "words"),
    [
        ({7: "../a.jpg"}, [], ("leads out",)),
        ({7: "/etc/a.jpg"}, [], ("leads out",)),
        ({7: "a.jpg", 8: "a.jpg"}, [], ("images[1]", "twice")),
        ({7: "a.jpg"}, [(8, 1, [1, 1, 5, 5], 0)], ("annotations[0]", "not among the images")),
        ({7: "a.jpg"}, [(7, 5, [1, 1, 5, 5], 0)], ("annotations[0]", "category_id")),
        ({7: "a.jpg"}, [(7, 1, [1, 1, -5, 5], 0)], ("annotations[0]", "negative width")),
    ],
)
def test_coco_files_with_errors(coco_root, images, annotations, words):
    path = coco_root / "coco/annotations/instances_train2017.json"
    path.write_text(json.dumps(coco_content(images, annotations)))
    with pytest.raises(UserError) as caught:
        coco(coco_root)
    assert all(word in str(caught.value) for word in ("instances_train2017.json", *words))


def test_coco_files_that_changed_are_read_anew(coco_root):
    assert len(keys(coco(coco_root), ("testImages",))) == 2
    path = write_coco(coco_root, "val2017", coco_content({1: "d.jpg"}, []))
    path.touch()
    assert len(keys(coco(coco_root), ("testImages",))) == 1


def test_list_of_categories(coco_root, capsys):
    rows = listCocoCategories.main(coco(coco_root, "coco_categories="))
    assert rows == [
        ["person", "1", "1", "1", "0", "0"],  # the crowd is not counted
        ["car", "3", "1", "1", "1", "1"],
        ["traffic light", "90", "1", "1", "0", "0"],
    ]
    assert "3 images in train2017, 2 images in val2017" in capsys.readouterr().out
    with pytest.raises(UserError, match="groceryDemo"):
        listCocoCategories.main(load_parameters([]))
