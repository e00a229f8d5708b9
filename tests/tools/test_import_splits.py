"""Protects the test images at import: the source's own split is kept, whatever says so, and no photo is trained on of
which a copy is tested on; step 0 accepts what comes out, and what was decided is in the report.
"""

import json

import numpy as np
import pytest
from imported_photos import BOX, photo, run, save
from PIL import Image, ImageEnhance

from helpers.base.errors import UserError
from helpers.importing.split_words import TEST, TRAIN, VALIDATION, kind_of_file, kind_of_folder, kind_of_word

HASHES = [f"{digit}" * 32 for digit in "3ab"]


# --- the source's own split ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, kind",
    [
        ("train", TRAIN), ("Train2017", TRAIN), ("images_train", TRAIN), ("valid", VALIDATION), ("val2017", VALIDATION),
        ("Test Images", TEST), ("testing", TEST), ("my_train", None), ("test_bench", None), ("photos", None),
        ("train_test", None),
    ],
)  # fmt: skip
def test_names_of_folders(name, kind):
    assert kind_of_folder(name) == kind


def test_names_of_files_and_words():
    names = ("instances_train2017.json", "cups_test.csv", "val.json", "train_test.csv", "contest.csv")
    assert [kind_of_file(name) for name in names] == [TRAIN, TEST, VALIDATION, None, None]
    assert [kind_of_word(word) for word in ("TRAIN", "Validation", "testImages", "default", "test and train")] == [
        TRAIN, VALIDATION, TEST, None, TRAIN,
    ]  # fmt: skip


def test_roboflow_folders_and_validation_images_are_trained_on_where_there_is_a_test(tmp_path):
    for number, folder in enumerate(("train", "train", "train", "valid", "test")):
        save(tmp_path / f"source/{folder}/{number}.jpg", photo(number), BOX)
    (tmp_path / "source/data.yaml").write_text("train: ../train\nval: ../valid\ntest: ../test\nnames: [cup]\n")
    sides, notes, errors = run(tmp_path)
    assert sides == {"0.jpg": "positive", "1.jpg": "positive", "2.jpg": "positive", "3.jpg": "positive",
                     "4.jpg": "testImages"}  # fmt: skip
    assert "its own split is kept: 3 train, 1 validation, 1 test; those to validate on are trained on" in notes
    assert errors == []
    sides, notes, _ = run(tmp_path, dataset="split", testFraction=0.4)
    assert sorted(sides.values()).count("testImages") == 2 and "its own split" not in notes


def test_without_a_test_the_validation_images_are_the_test(tmp_path):
    for number, folder in enumerate(("train", "train", "val", "other")):
        save(tmp_path / f"source/images/{folder}/{number}.jpg", photo(number))
        (tmp_path / f"source/labels/{folder}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"source/labels/{folder}/{number}.txt").write_text(BOX)
    (tmp_path / "source/data.yaml").write_text("names: [cup]\n")
    sides, notes, errors = run(tmp_path)
    assert sides == {"0.jpg": "positive", "1.jpg": "positive", "2.jpg": "testImages"}
    assert "3.jpg: left out: in none of the splits of the source" in notes and errors == []


def test_yolo_yaml_names_folders_and_lists_of_any_name(tmp_path):
    for number, folder in enumerate("aabb"):
        save(tmp_path / f"source/{folder}/{number}.jpg", photo(number), BOX)
    (tmp_path / "source/list.txt").write_text("./b/2.jpg\n./b/3.jpg\n")
    (tmp_path / "source/cups.yaml").write_text("path: /content/cups\ntrain: [a]\nval: list.txt\n")
    (tmp_path / "source/classes.txt").write_text("cup\n")
    sides, _, _ = run(tmp_path)
    assert [sides[f"{number}.jpg"] for number in range(4)] == ["positive"] * 2 + ["testImages"] * 2


def test_coco_files_of_train_and_val(tmp_path):
    for kind, numbers in (("train2017", range(3)), ("val2017", range(3, 5))):
        images = [{"id": number, "file_name": f"{number}.jpg"} for number in numbers]
        boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 50, 50]} for n in numbers]
        content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cup"}]}
        (tmp_path / "source/annotations").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"source/annotations/instances_{kind}.json").write_text(json.dumps(content))
        for number in numbers:
            save(tmp_path / f"source/{kind}/{number}.jpg", photo(number))
    sides, _, errors = run(tmp_path, "coco")
    assert [sides[f"{number}.jpg"] for number in range(5)] == ["positive"] * 3 + ["testImages"] * 2 and errors == []


def voc(path):
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>50</xmax><ymax>50</ymax></bndbox>"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>{path.stem}.jpg</filename><object><name>cup</name>{box}</object></annotation>"
    )


def test_lists_of_voc(tmp_path):
    for number in range(6):
        save(tmp_path / f"source/JPEGImages/test_{number}.jpg", photo(number))  # names of photos say nothing
        voc(tmp_path / f"source/Annotations/test_{number}.xml")
    lists = {"train": "01", "val": "23", "trainval": "0123", "test": "45", "cup_train": "45"}
    (tmp_path / "source/ImageSets/Main").mkdir(parents=True)
    for name, numbers in lists.items():
        text = "".join(f"test_{number}\n" for number in numbers)
        (tmp_path / f"source/ImageSets/Main/{name}.txt").write_text(text)
    sides, _, _ = run(tmp_path, "voc")
    assert [sides[f"test_{number}.jpg"] for number in range(6)] == ["positive"] * 4 + ["testImages"] * 2
    for name in ("test", "trainval"):
        (tmp_path / f"source/ImageSets/Main/{name}.txt").unlink()
    sides, notes, _ = run(tmp_path, "voc", dataset="val")
    assert sides == {f"test_{number}.jpg": "positive" if number < 2 else "testImages" for number in range(4)}
    assert "test_4.jpg: left out: in none of the splits" in notes


def test_columns_of_csv_and_subsets_of_cvat(tmp_path):
    rows = ["filename,xmin,ymin,xmax,ymax,class,Split"]
    images = []
    for number, split in enumerate(("train", "TRAIN", "test", "Train")):
        save(tmp_path / f"source/{number}.jpg", photo(number))
        rows += [f"{number}.jpg,1,1,50,50,cup,{split}"] * 2
        box = '<box label="cup" xtl="1" ytl="1" xbr="50" ybr="50"/>'
        images.append(f'<image name="{number}.jpg" subset="{split}">{box}</image>')
    (tmp_path / "source/x.csv").write_text("\n".join(rows))
    (tmp_path / "source/x.xml").write_text(f"<annotations>{''.join(images)}</annotations>")
    for form in ("csv", "cvat"):
        sides, _, _ = run(tmp_path, form, dataset=form)
        assert sides == {"0.jpg": "positive", "1.jpg": "positive", "2.jpg": "testImages", "3.jpg": "positive"}


def test_an_image_in_two_splits_is_trained_on(tmp_path):
    rows = ["filename,xmin,ymin,xmax,ymax,class,set"]
    for number, split in enumerate(("train", "train", "test", "test")):
        save(tmp_path / f"source/{number}.jpg", photo(number))
        rows.append(f"{number}.jpg,1,1,50,50,cup,{split}")
    (tmp_path / "source/x.csv").write_text("\n".join([*rows, "2.jpg,30,30,60,60,cup,train"]))
    sides, notes, errors = run(tmp_path, "csv")
    assert (sides["2.jpg"], sides["3.jpg"]) == ("positive", "testImages") and errors == []


# --- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_copies_are_on_one_side(tmp_path):
    """Forty photos with three copies each: by name (which looks different), mirrored, and dark."""
    group_of = {}
    for number in range(40):
        names = [f"p{number}_jpg.rf.{HASHES[0]}", f"p{number}_jpg.rf.{HASHES[1]}", f"m{number}", f"d{number}"]
        picture = photo(number)
        mirrored, dark = (
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            ImageEnhance.Brightness(picture).enhance(0.6),
        )
        for name, copy in zip(names, (picture, photo(100 + number), mirrored, dark), strict=True):
            save(tmp_path / f"source/{name}.jpg", copy, BOX, quality=90)
            group_of[f"{name}.jpg"] = number
    (tmp_path / "source/classes.txt").write_text("cup\n")
    sides, _, errors = run(tmp_path)
    assert len(sides) == 160 and errors == []
    for number in range(40):
        assert len({side for name, side in sides.items() if group_of[name] == number}) == 1, number
    assert list(sides.values()).count("testImages") == 40  # a quarter, in whole groups


def test_copies_on_both_sides_of_the_sources_split_are_trained_on(tmp_path):
    pictures = {
        "train/a.jpg": photo(1), "train/b_jpg.rf.33333333333333333333.jpg": photo(2), "train/c.jpg": photo(3),
        "test/a2.jpg": photo(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT), "test/d.jpg": photo(4),
        "test/b_jpg.rf.44444444444444444444.jpg": photo(5),
    }  # fmt: skip
    for name, picture in pictures.items():
        save(tmp_path / "source" / name, picture, BOX)
    (tmp_path / "source/classes.txt").write_text("cup\n")
    sides, notes, errors = run(tmp_path)
    assert [name for name, side in sides.items() if side == "testImages"] == ["d.jpg"] and len(sides) == 6
    assert (
        errors == [] and "a2.jpg: trained on, because it is a copy of" in notes and notes.count("trained on, bec") == 2
    )
    (tmp_path / "source/test/d.jpg").unlink()  # now no test would be left
    (tmp_path / "source/test/d.txt").unlink()
    sides, notes, errors = run(tmp_path, dataset="other")
    assert len(sides) == 5 and "testImages" in sides.values() and errors == []
    assert "its own split is not kept, all are split anew" in notes


def test_a_copy_without_objects_of_a_photo_with_objects_stays_out(tmp_path):
    for number in range(4):
        save(tmp_path / f"source/{number}.jpg", photo(number), BOX)
    save(tmp_path / "source/empty.jpg", photo(2), "", quality=60)
    save(tmp_path / "source/street.jpg", photo(9), "")
    (tmp_path / "source/classes.txt").write_text("cup\n")
    sides, notes, errors = run(tmp_path)
    assert "empty.jpg" not in sides and sides["street.jpg"] == "negative" and errors == []
    assert "empty.jpg: left out: shows the same as" in notes


def test_copies_that_are_added_go_where_the_photo_is(tmp_path):
    for number in range(6):
        save(tmp_path / f"source/{number}.jpg", photo(number), BOX)
        mirrored = photo(number).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        save(tmp_path / f"more/copy of {number}.jpg", mirrored, BOX)
    for folder in ("source", "more"):
        (tmp_path / folder / "classes.txt").write_text("cup\n")
    sides, _, _ = run(tmp_path)
    added, _, errors = run(tmp_path, source="more", add=True)
    assert added == {f"copy of {name}": side for name, side in sides.items()} and errors == []


@pytest.mark.slow
def test_photos_of_one_place_stay_together_unless_they_are_most(tmp_path):
    rng = np.random.default_rng(0)

    def frames(seed, count, name):
        for number in range(count):
            picture = photo(seed)
            x, y = rng.integers(0, 80), rng.integers(0, 60)
            picture.paste((250, 250 * (number % 2), 0), (x, y, x + 14, y + 14))
            save(tmp_path / f"source/{name}{number}.png", picture, BOX)

    for seed in range(8):
        frames(seed, 3, f"place{seed}_")
    (tmp_path / "source/classes.txt").write_text("cup\n")
    sides, _, _ = run(tmp_path)
    together = [{side for name, side in sides.items() if name.startswith(f"place{seed}_")} for seed in range(8)]
    assert all(len(side) == 1 for side in together) and list(sides.values()).count("testImages") == 6
    frames(50, 40, "tripod")
    sides, _, _ = run(tmp_path, dataset="tripod")
    assert {side for name, side in sides.items() if name.startswith("tripod")} == {"positive", "testImages"}


def test_lists_that_part_copies_are_not_followed(tmp_path):
    for number in range(3):
        save(tmp_path / f"source/{number}.jpg", photo(number), BOX)
    save(tmp_path / "source/0_aug1.jpg", photo(7), BOX)
    (tmp_path / "source/classes.txt").write_text("cup\n")
    (tmp_path / "test.txt").write_text("0_aug1\n2\n")
    sides, notes, errors = run(tmp_path, test=[tmp_path / "test.txt"])
    assert sides == {"0.jpg": "positive", "1.jpg": "positive", "2.jpg": "testImages", "0_aug1.jpg": "positive"}
    assert "0_aug1.jpg: trained on, because it is a copy of" in notes and errors == []


def test_a_data_set_that_parameters_read_in_another_layout_is_refused(tmp_path):
    save(tmp_path / "source/0.jpg", photo(0), BOX)
    with pytest.raises(UserError, match='PARAMETERS.py reads it with datasetLayout="voc"'):
        run(tmp_path, dataset="pascalVoc")
