"""Protects the import of folders as other tools write them, whole: photos, lists, names and splits where the tool puts
them, and files that are about something else beside them.
"""

import json

import importAnnotations
import pytest
from imported_photos import BOX, photo, run, save

from helpers.base.errors import UserError
from pipeline.parameters import load_parameters


def test_equal_names_in_several_splits_are_told_by_the_split(tmp_path):
    """CVAT writes a project's images to images/SUBSET/NAME, and the name alone beside the subset."""
    box, images, rows = (
        '<box label="cup" xtl="{0}" ytl="10" xbr="90" ybr="70"/>',
        [],
        ["filename,split,x1,y1,x2,y2,class"],
    )
    for number, split in enumerate(("Train", "Validation", "Test")):
        for name in ("1", "2"):
            save(tmp_path / f"source/images/{split}/{name}.jpg", photo(10 * number + int(name)))
            images.append(f'<image name="{name}.jpg" subset="{split}">{box.format(10 + number)}</image>')
            rows.append(f"{name}.jpg,{split},{10 + number},10,90,70,cup")
    (tmp_path / "source/annotations.xml").write_text(f"<annotations>{''.join(images)}</annotations>")
    (tmp_path / "source/annotations.csv").write_text("\n".join(rows))
    for form in ("cvat", "csv"):
        params = load_parameters([f"dataRootDir={tmp_path / 'data'}"])
        placed, notes = importAnnotations.main(params, form, tmp_path / "source", form)
        lefts = {item.image.parts[1:]: item.boxes[0][0] for item, _, _ in placed}
        assert lefts == {
            (split, f"{name}.jpg"): 10 + number
            for number, split in enumerate(("Train", "Validation", "Test")) for name in (1, 2)
        }  # fmt: skip
        assert len(notes) == 1 and "2 train, 2 validation, 2 test" in str(notes[0])
        assert [subdir for _, subdir, _ in placed].count("testImages") == 2
    # what is not in the folder of its split is not looked for in that of another
    (tmp_path / "source/images/Test/2.jpg").unlink()
    placed, notes = importAnnotations.main(params, "cvat", tmp_path / "source", "less")
    assert len(placed) == 5 and 'image "2.jpg": left out: no image "Test/2.jpg"' in "\n".join(map(str, notes))
    assert all(len(item.boxes) == 1 for item, _, _ in placed)


def test_the_split_of_cvats_yolo_export(tmp_path):
    for number, split in enumerate(("Train", "Train", "Train", "Test", "Test")):
        save(tmp_path / f"source/obj_{split}_data/{number}.jpg", photo(number), BOX)
        with open(tmp_path / f"source/{split}.txt", "a") as file:
            file.write(f"data/obj_{split}_data/{number}.jpg\n")
    (tmp_path / "source/obj.names").write_text("cup\n")
    found, notes, errors = run(tmp_path)
    assert [name for name, subdir in found.items() if subdir == "testImages"] == ["3.jpg", "4.jpg"] and not errors
    assert "3 train, 2 test" in notes
    for split in ("Train", "Test"):
        (tmp_path / f"source/{split}.txt").unlink()  # the folders say it as well
    assert run(tmp_path, dataset="again")[0] == found


def test_lists_of_equal_images_are_told_once(tmp_path):
    for number in range(6):
        save(tmp_path / f"source/images/{number}.jpg", photo(number), BOX)
    yaml = tmp_path / "source/data.yaml"
    yaml.write_text("train: images\nval: images\nnames: [cup]\n")  # as in coco128.yaml: there is no split
    found, notes, errors = run(tmp_path)
    assert set(found.values()) == {"positive", "testImages"} and not errors and notes == ""
    for name, numbers in (("train", "0123"), ("val", "34"), ("test", "45")):
        (tmp_path / f"source/{name}.txt").write_text("".join(f"images/{number}.jpg\n" for number in numbers))
    yaml.write_text("names: [cup]\n")
    found, notes, _ = run(tmp_path, dataset="lists")
    assert [name for name, subdir in found.items() if subdir == "testImages"] == ["4.jpg", "5.jpg"]
    assert "3.jpg: is in the source's lists train and validation: trained on, 1 image like this" in notes
    assert notes.count("the source's lists") == 1  # 4.jpg, in those to validate and to test on, is tested on


def test_ultralytics_yaml_of_any_name(tmp_path):
    for split, count in (("train", 2), ("val", 2), ("more", 1)):
        for number in range(count):
            path = save(tmp_path / f"source/images/{split}/{split}{number}.jpg", photo(len(split) * 10 + number))
            label = tmp_path / f"source/labels/{split}/{path.stem}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(BOX)
    (tmp_path / "source/hyperparameters.yaml").write_text("lr0: 0.01\n")
    (tmp_path / "source/cups.yaml").write_text(
        "path: ../datasets/cups\ntrain: [images/train, images/more]\nval: images/val\ntest:\nnames:\n  0: cup\n"
    )
    found, notes, errors = run(tmp_path)
    assert (
        sorted(found.values()) == ["positive"] * 3 + ["testImages"] * 2 and not errors and "3 train, 2 valid" in notes
    )
    (tmp_path / "source/mugs.yml").write_text("names: [mug]\n")
    with pytest.raises(UserError, match='mugs.yml: class 0 is "mug", but "cup" in .*cups.yaml; name the right file'):
        run(tmp_path, dataset="two")


def test_open_images_names_its_images_without_suffix_in_the_folder_of_its_split(tmp_path):
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction"
    for split, seed in (("train", 0), ("validation", 10)):
        rows = [header]
        for number in range(3):
            save(tmp_path / f"source/{split}/{seed + number:016x}.jpg", photo(seed + number))
            rows.append(f"{seed + number:016x},xclick,/m/02p5f1q,1,0.1,0.9,0.2,0.8,0,0,0,0")
        (tmp_path / f"source/{split}-annotations-bbox.csv").write_text("\n".join(rows))
    save(tmp_path / "source/thumbnails/0000000000000001.jpg", photo(99))
    found, notes, errors = run(tmp_path, "csv")
    assert sorted(found.values()) == ["positive"] * 3 + ["testImages"] * 3 and not errors
    assert "thumbnails/0000000000000001.jpg: left out: has no annotation" in notes


def test_choices_of_label_studios_json_min(tmp_path):
    box = {"x": 10, "y": 10, "width": 30, "height": 30, "rotation": 0, "rectanglelabels": ["cup"]}
    tasks = []
    for number, more in enumerate(({}, {"camera": "left"}, {"choice": {"choices": ["blurry", "dark"]}})):
        save(tmp_path / f"source/{number}.jpg", photo(number))
        tasks.append({"image": f"{number}.jpg", "id": number, "annotation_id": number, "label": [box], **more})
    (tmp_path / "source/export.json").write_text(json.dumps(tasks))
    found, notes, _ = run(tmp_path, "labelstudio")
    assert set(found) == {"0.jpg", "1.jpg"}  # a text may be data of the task as well as a choice
    assert 'task 2: left out: result 1: "blurry" is a class of the whole image' in notes


def test_csv_without_a_header_is_told_by_where_its_images_are(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        rows = [f"{split}_{number}.jpg,10,10,90,70,object,100,80" for number in range(count)]  # SKU110K
        for number in range(count):
            save(tmp_path / f"source/images/{split}_{number}.jpg", photo(number + 10 * count))
        (tmp_path / "source/annotations").mkdir(exist_ok=True)
        (tmp_path / f"source/annotations/annotations_{split}.csv").write_text("\n".join(rows))
    found, notes, errors = run(tmp_path, "csv")
    assert [name for name, subdir in found.items() if subdir == "testImages"] == ["test_0.jpg", "test_1.jpg"]
    assert "3 train, 2 test" in notes and not errors


def test_roboflows_darknet_export(tmp_path):
    for seed, split in enumerate(("train", "valid")):
        for number in range(2):
            save(tmp_path / f"source/{split}/{split}{number}.jpg", photo(10 * seed + number), BOX)
        (tmp_path / f"source/{split}/_darknet.labels").write_text("cup\n")
    found, notes, errors = run(tmp_path)
    assert (
        sorted(found.values()) == ["positive"] * 2 + ["testImages"] * 2 and "2 train, 2 valid" in notes and not errors
    )
    (tmp_path / "source/valid/_darknet.labels").write_text("mug\n")
    with pytest.raises(UserError, match='valid/_darknet.labels: class 0 is "mug", but "cup" in'):
        run(tmp_path, dataset="two")


def test_the_keys_of_cvats_data_yaml(tmp_path):
    for number in range(4):
        save(tmp_path / f"source/images/{number}.jpg", photo(number), BOX)
    (tmp_path / "source/a.txt").write_text("images/0.jpg\nimages/1.jpg\n")
    (tmp_path / "source/b.txt").write_text("images/2.jpg\nimages/3.jpg\n")
    (tmp_path / "source/data.yaml").write_text("Train: a.txt\nTest: b.txt\npath: .\nnames:\n  0: cup\n")
    assert [name for name, subdir in run(tmp_path)[0].items() if subdir == "testImages"] == ["2.jpg", "3.jpg"]


def test_a_name_that_is_not_in_the_folder_of_its_split_casts_doubt(tmp_path):
    rows = ["filename,split,x1,y1,x2,y2,class"]
    for seed, split in enumerate(("train", "test")):
        for number in range(2):
            save(tmp_path / f"source/{split}/{split}{number}.jpg", photo(10 * seed + number))
            rows.append(f"{split}{number}.jpg,{split},10,10,40,70,cup")
    rows.append("train1.jpg,test,50,10,90,70,cup")  # one more object on train/train1.jpg?
    (tmp_path / "source/a.csv").write_text("\n".join(rows))
    found, notes, _ = run(tmp_path, "csv")
    assert set(found) == {"train0.jpg", "test0.jpg", "test1.jpg"}
    assert 'left out: no image "train1.jpg" in test/, the folder of its split' in notes


def test_a_split_whose_images_are_not_here_gives_its_boxes_to_no_others(tmp_path):
    images = []
    for number in range(3):
        save(tmp_path / f"source/images/Train/{number}.jpg", photo(number))
        for left, split in ((10, "Train"), (20, "Test")):
            box = f'<box label="cup" xtl="{left}" ytl="10" xbr="90" ybr="70"/>'
            images.append(f'<image name="{number}.jpg" subset="{split}">{box}</image>')
    (tmp_path / "source/annotations.xml").write_text(f"<annotations>{''.join(images)}</annotations>")
    params = load_parameters([f"dataRootDir={tmp_path / 'data'}"])
    placed, notes = importAnnotations.main(params, "cvat", tmp_path / "source", "new")
    assert [[box[0] for box in item.boxes] for item, _, _ in placed] == [[10]] * 3
    assert len(notes) == 3 and 'no image "Test/0.jpg"' in str(notes[0])
