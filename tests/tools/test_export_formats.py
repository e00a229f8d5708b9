"""Protects tools/exportAnnotations.py: importing what it wrote gives the same data set, file by file and byte by byte,
and other people's readers (pycocotools, and globox where it is installed) see the same boxes in it.
"""

import subprocess
import sys
from collections import Counter

import exportAnnotations
import importAnnotations
import numpy as np
import pytest
from PIL import Image
from project import ROOT

from helpers.base.errors import UserError
from helpers.dataset.annotations import write_annotation
from helpers.formats.registry import FORMATS
from pipeline.parameters import load_parameters

WRITTEN = [name for name, form in FORMATS.items() if form.write]
PLACES = dict.fromkeys(WRITTEN, "")
TRUTH = {
    "positive/1.jpg": [("Käse, no", [10, 20, 40, 60])],
    "positive/Photo 1.JPG": [("cup", [0, 0, 101, 77]), ("EXCLUDE", [3, 4, 50.5, 60]), ("cup", [1.25, 7.1, 33.3, 9.9])],
    "positive/2.png": [("UNDECIDED", [0.1, 0.2, 100.9, 76.7])],
    "testImages/1.jpg": [('tea "5%" & <co>', [12.34567, 1 / 3, 98.76543, 76.99999]), ("cup", [5, 6, 7, 8])],
    "testImages/nothing.png": [],
    "negative/1.jpg": None,
    "negative/street.png": None,
}


@pytest.fixture
def params(tmp_path):
    """Parameters with the data set "old", 101 x 77 pixels an image: sides that no fraction divides evenly."""
    params = load_parameters([f"dataRootDir={tmp_path / 'data'}"])
    random = np.random.default_rng(1)
    for key, things in TRUTH.items():
        path = tmp_path / "data/old" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (77, 101, 3), dtype=np.uint8)).save(path)
        if things is not None:
            labels = [label.replace(",", "") for label, _ in things]
            write_annotation(path, [np.float32(box) for _, box in things], labels)
    return params


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lists(target):
    return {name: [target / f"{name}.txt"] for name in ("train", "test", "negative")}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_round_trip_loses_nothing(params, tmp_path, form):
    target = tmp_path / "out"
    exportAnnotations.main(params, form, "old", target)
    _, notes = importAnnotations.main(params, form, target, "new", **lists(target))
    assert [str(note) for note in notes] == []
    old, new = content(tmp_path / "data/old"), content(tmp_path / "data/new")
    assert old.keys() == new.keys()
    for name, data in old.items():
        # numbers may lose digits that no float32 has: 12.34567 was written as 12.3456697464
        if name.endswith(".bboxes.tsv"):
            values = [np.array(text.split(), np.float32).tolist() for text in (data, new[name])]
            assert values[0] == values[1], name
        else:
            assert data == new[name], name


@pytest.mark.parametrize("form", WRITTEN)
def test_a_second_export_is_the_same_to_the_byte(params, tmp_path, form):
    exportAnnotations.main(params, form, "old", tmp_path / "1")
    importAnnotations.main(params, form, tmp_path / "1", "new", **lists(tmp_path / "1"))
    exportAnnotations.main(params, form, "new", tmp_path / "2")
    assert content(tmp_path / "1") == content(tmp_path / "2")


def truth_by_image():
    return {
        key: sorted((label.replace(",", ""), *np.float32(box).tolist()) for label, box in things or ())
        for key, things in TRUTH.items()
    }


def test_pycocotools_reads_the_coco_files(params, tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    exportAnnotations.main(params, "coco", "old", tmp_path / "out")
    found, crowds = {}, Counter()
    for part in ("train", "test"):
        data = coco.COCO(str(tmp_path / f"out/annotations/instances_{part}.json"))
        for image in data.loadImgs(data.getImgIds()):
            assert (image["width"], image["height"]) == (101, 77)
            assert (tmp_path / "out/images" / image["file_name"]).exists()
            found[image["file_name"]] = []
            for item in data.loadAnns(data.getAnnIds(imgIds=image["id"])):
                x, y, w, h = item["bbox"]
                name = data.loadCats(item["category_id"])[0]["name"]
                found[image["file_name"]].append((name, x, y, x + w, y + h))
                crowds[name] += item["iscrowd"]
                assert item["area"] == w * h
    for key, things in truth_by_image().items():
        assert [item[0] for item in sorted(found[key])] == [item[0] for item in things]
        for one, other in zip(sorted(found[key]), things, strict=True):
            assert one[1:] == pytest.approx(other[1:], abs=1e-5)
    assert crowds == {"EXCLUDE": 1, "UNDECIDED": 1, "cup": 0, "Käse no": 0, 'tea "5%" & <co>': 0}


def test_globox_reads_the_others(params, tmp_path):
    globox = pytest.importorskip("globox")
    sets = globox.AnnotationSet
    for form in ("voc", "cvat", "labelme", "yolo", "coco"):
        exportAnnotations.main(params, form, "old", tmp_path / form)
    classes = (tmp_path / "yolo/classes.txt").read_text(encoding="utf-8").splitlines()
    truth = truth_by_image()
    found = {"cvat": sets.from_cvat(tmp_path / "cvat/annotations.xml")}
    for part in ("train", "test"):
        found[f"coco {part}"] = sets.from_coco(tmp_path / f"coco/annotations/instances_{part}.json")
    for subdir in ("positive", "testImages"):
        found[f"voc {subdir}"] = sets.from_pascal_voc(tmp_path / "voc/Annotations" / subdir)
        found[f"labelme {subdir}"] = sets.from_labelme(tmp_path / "labelme" / subdir)
    for name, annotations in found.items():
        shift = 1 if name.startswith("voc") else 0  # globox takes VOC's corners as they are
        for annotation in annotations:
            subdir = "" if "/" in annotation.image_id else name.split()[1] + "/"
            things = truth[subdir + annotation.image_id]
            boxes = sorted(
                (box.label, box.xmin - shift, box.ymin - shift, box.xmax, box.ymax) for box in annotation.boxes
            )
            assert [box[0] for box in boxes] == [thing[0] for thing in things], (name, annotation.image_id)
            for box, thing in zip(boxes, things, strict=True):
                assert box[1:] == pytest.approx(thing[1:], abs=1e-4), (name, annotation.image_id)
    images = tmp_path / "yolo/images/testImages"
    (tmp_path / "yolo/labels/testImages/nothing.txt").unlink()  # globox knows one suffix a folder
    yolo = sets.from_yolo_v5(tmp_path / "yolo/labels/testImages", image_folder=images, image_extension=".jpg")
    boxes = sorted((classes[int(box.label)], box.xmin, box.ymin, box.xmax, box.ymax) for box in yolo["1.jpg"].boxes)
    for box, thing in zip(boxes, truth["testImages/1.jpg"], strict=True):
        assert box[0] == thing[0] and box[1:] == pytest.approx(thing[1:], abs=1e-3)


def test_voc_files_have_corners_from_one_on_and_lists(params, tmp_path):
    exportAnnotations.main(params, "voc", "old", tmp_path / "out")
    text = (tmp_path / "out/Annotations/positive/1.xml").read_text(encoding="utf-8")
    for part in (
        "<xmin>11</xmin>",
        "<ymin>21</ymin>",
        "<xmax>40</xmax>",
        "<ymax>60</ymax>",
        "<difficult>0</difficult>",
    ):
        assert part in text
    text = (tmp_path / "out/Annotations/positive/Photo 1.xml").read_text(encoding="utf-8")
    assert text.count("<difficult>1</difficult>") == 1
    assert (tmp_path / "out/ImageSets/Main/test.txt").read_text() == "testImages/1\ntestImages/nothing\n"


def test_excluded_boxes_may_stay_out_and_folders_are_not_overwritten(params, tmp_path):
    images = exportAnnotations.main(params, "csv", "old", tmp_path / "out", without_ignored=True)
    assert {label for image in images for _, label, _ in image.objects} == {"Käse no", "cup", 'tea "5%" & <co>'}
    with pytest.raises(UserError, match="exists already"):
        exportAnnotations.main(params, "csv", "old", tmp_path / "out")
    exportAnnotations.main(params, "coco", "old", tmp_path / "out", force=True)
    assert (tmp_path / "out.old/annotations.csv").exists() and (tmp_path / "out/annotations").is_dir()
    for name, message in (("none", "no such folder"), ("../x", "datasetName")):
        with pytest.raises(UserError, match=message):
            exportAnnotations.main(params, "csv", name, tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out", "out.old"]


@pytest.mark.slow
def test_the_command_line_exports(params, tmp_path):
    command = [sys.executable, ROOT / "tools/exportAnnotations.py", "csv", "old", tmp_path / "out", "--link", "--set"]
    command.append(f"dataRootDir={tmp_path / 'data'}")
    first, second = (subprocess.run(command, capture_output=True, text=True, cwd=ROOT) for _ in range(2))
    assert first.returncode == 0 and "7 images, 7 boxes as csv" in first.stdout, first.stderr
    assert (tmp_path / "out/images/positive/1.jpg").resolve() == (tmp_path / "data/old/positive/1.jpg").resolve()
    assert second.returncode == 1 and second.stderr.startswith("ERROR: ") and second.stderr.count("\n") == 1
