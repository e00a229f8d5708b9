"""Protects which photo an annotation belongs to: it is found by a path that is named, by a folder that corresponds, or
by the recorded size; never by an equal name elsewhere. Folders behind links are looked through once, and loops end.
"""

import base64
import io
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import importAnnotations
import pytest
from annotation_files import coco, imported
from annotation_texts import BOX, coco_of, labelme, voc, vott
from PIL import Image
from project import ROOT
from tiny import forged_png

from helpers.base.errors import UserError
from helpers.importing.image_index import ImageIndex
from pipeline.parameters import load_parameters

LINKS = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
ROW = "0 .25 .5 .3 .5"  # BOX


def of_coco(name, **size):
    return {"x.json": coco([{"bbox": [10, 20, 30, 40]}], [{"id": 7, "file_name": name, **size}])}


def of_voc(path, inner=""):
    return {path: voc(inner)}


SIZE = {"width": 100, "height": 80}
FOUND = {
    "beside": ("yolo", {"classes.txt": "cup", "some/a.txt": ROW}, "some/a.jpg"),
    "folders that correspond": ("yolo", {"classes.txt": "cup", "labels/x/a.txt": ROW}, "images/x/a.jpg"),
    "inner folders that correspond": ("yolo", {"classes.txt": "cup", "x/labels/a.txt": ROW}, "x/images/a.jpg"),
    "from labels into the root": ("yolo", {"classes.txt": "cup", "labels/a.txt": ROW}, "a.jpg"),
    "VOC's": ("voc", {"Annotations/a.xml": voc("", "other.jpg")}, "JPEGImages/a.jpg"),
    "a path that is named": ("coco", of_coco("somewhere/x/a.jpg"), "y/x/a.jpg"),
    "a whole name, anywhere below": ("coco", of_coco("a.jpg"), "y/x/a.jpg"),
    "another suffix in the right folder": ("coco", of_coco("a.png"), "a.jpg"),
    "a stem and a size": ("coco", of_coco("a.png", **SIZE), "y/a.jpg"),
    "a path of another machine": ("coco", of_coco("C:\\photos\\a.jpg"), "images/a.jpg"),
    "a URL": ("coco", of_coco("https://example.com/b/a.jpg?w=1"), "a.jpg"),
    "quoted": ("coco", of_coco("x%20y/a%2Ejpg"), "x y/a.jpg"),
    "a relative path": ("coco", {"json_v2/x.json": of_coco("../a.jpg")["x.json"]}, "a.jpg"),
    "a relative path of Windows": ("coco", {"json_v2/x.json": of_coco("..\\p\\a.jpg")["x.json"]}, "p/a.jpg"),
    "decomposed letters": ("coco", of_coco("Ka\u0308se.jpg"), "K\u00e4se.jpg"),
}
NOT_FOUND = {
    "a stem elsewhere": ("yolo", {"classes.txt": "cup", "labels/a.txt": ROW}, "thumbnails/a.jpg"),
    "another part": ("yolo", {"classes.txt": "cup", "labels/train/a.txt": ROW}, "images/val/a.jpg"),
    "a stem below": ("yolo", {"classes.txt": "cup", "labels/a.txt": ROW}, "images/val/a.jpg"),
    "another folder than the one named": ("coco", of_coco("train/a.jpg", **SIZE), "val/a.jpg"),
    "another data set": ("coco", {"mine/x.json": of_coco("a.jpg")["x.json"]}, "other/a.jpg"),
    "a stem and another size": ("coco", of_coco("a.png", width=10, height=8), "y/a.jpg"),
    "a whole name and another size": ("coco", of_coco("a.jpg", width=10, height=8), "y/a.jpg"),
    "a stem alone": ("coco", of_coco("a.png"), "y/a.jpg"),
    "the folder that the file is named after": (
        "coco", {"instances_train2017.json": of_coco("a.jpg")["x.json"]}, "val2017/a.jpg"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_photos_are_found_by_what_names_them(tmp_path, case):
    form, texts, image = FOUND[case]
    assert list(imported(tmp_path, form, texts, (image,))[0].values()) == [[BOX]]


@pytest.mark.parametrize("case", NOT_FOUND)
def test_an_equal_name_elsewhere_is_no_evidence(tmp_path, case):
    form, texts, image = NOT_FOUND[case]
    with pytest.raises(UserError, match='no image ".*a(.png|.jpg)?" below .* is in another folder: name its own'):
        imported(tmp_path, form, texts, (image, "train2017/z.jpg"))
    if "another size" not in case:  # in a folder that the user names, every name counts
        folder = (tmp_path / "source" / image).parent
        params = load_parameters([f"dataRootDir={tmp_path / 'data'}"])
        placed, _ = importAnnotations.main(params, form, tmp_path / "source", "new", images=[folder], testFraction=0)
        assert [item.boxes for item, _, name in placed if name == "a.jpg"] == [[list(map(float, BOX[1:]))]]


def test_an_absolute_path_names_its_photo(tmp_path):
    texts = {"json_v2/x.json": of_coco(str(tmp_path / "source/a.jpg"))["x.json"]}
    found, _, _ = imported(tmp_path, "coco", texts, ("a.jpg", "json_v2/b/a.jpg"))
    assert found == {"a.jpg": [BOX]}


def test_the_recorded_size_decides_between_two(tmp_path):
    Image.new("RGB", (50, 40)).save(tmp_path / "small.png")
    (tmp_path / "source/s").mkdir(parents=True)
    os.rename(tmp_path / "small.png", tmp_path / "source/s/a.png")
    found, _, _ = imported(tmp_path, "coco", of_coco("a.png", **SIZE), ("l/a.png",))
    assert list(found.values()) == [[BOX]]
    assert Image.open(tmp_path / "data/new/positive/a.png").size == (100, 80)


def test_a_name_that_two_images_may_have_costs_them_both(tmp_path):
    texts = {
        **of_coco("a.jpg"),
        "y.json": coco([], [{"id": 7, "file_name": "x/a.jpg"}, {"id": 8, "file_name": "b.jpg"}]),
    }
    found, notes, _ = imported(tmp_path, "coco", texts, ("x/a.jpg", "y/a.jpg", "b.jpg"))
    assert found == {"b.jpg": []} and 'image "a.jpg" may be x/a.jpg or y/a.jpg' in notes


def test_capital_letters_tell_two_images_apart(tmp_path):
    texts = {"classes.txt": "cup", "a.txt": ROW, "A.txt": "0 .5 .5 .2 .5"}
    found, _, _ = imported(tmp_path, "yolo", texts, ("a.jpg", "A.jpg"))
    assert sorted(found.values()) == [[BOX], [("cup", 40, 20, 60, 60)]]


def test_votts_paths_tell_images_of_one_name_apart(tmp_path):
    regions = {"set%201": vott()["regions"], "set2": vott({"tags": ["pan"], "boundingBox": dict.fromkeys(
        ("left", "top", "width", "height"), 9)})["regions"]}  # fmt: skip
    assets = {
        folder: {"asset": {"name": "1.jpg", "path": f"file:/C:/x/{folder}/1.jpg"}, "regions": items}
        for folder, items in regions.items()
    }
    found, _, _ = imported(tmp_path, "vott", {"x.json": {"assets": assets}}, ("set 1/1.jpg", "set2/1.jpg"))
    assert found == {"set 1_1.jpg": [BOX], "set2_1.jpg": [BOX, ("pan", 9, 9, 18, 18)]}


# --- label files without photos --------------------------------------------------------------------------------------


def test_label_files_without_photos_are_told_by_their_content(tmp_path):
    names = ("train_001", "val-3", "test_007", "classes_2", "readme", "IMG_0042", "notes")
    texts = {"classes.txt": "cup", "labels/a.txt": ROW, **{f"labels/{name}.txt": ROW for name in names}}
    texts["labels/notes.txt"] = ROW.replace(" ", ",")
    lists = {"train.txt": "images/a.jpg\n", "labels/names.txt": "a\nb\n", "README.txt": "0 boxes of 12 in 3 of 4\n"}
    found, notes, _ = imported(tmp_path, "yolo", {**texts, **lists}, ("images/a.jpg", "images/c.jpg"))
    assert found == {"a.jpg": [BOX]}
    assert all(f'{name}.txt: left out: no image "{name}"' in notes for name in names if name != "notes")
    assert 'notes.txt: left out: row 1: class "0,.25' in notes
    assert not any(name in notes for name in lists)
    # one of them may be that of c.jpg
    assert "c.jpg: left out: has no label file, but IMG_0042.txt has boxes and no image" in notes


# --- photos inside of annotation files -------------------------------------------------------------------------------


def encoded(form="PNG", size=(100, 80), cut=None):
    buffer = io.BytesIO()
    Image.new("RGB", size, (9, 90, 60)).save(buffer, form)
    text = base64.b64encode(buffer.getvalue()).decode()
    return "\n".join(text[start : start + cut] for start in range(0, len(text), cut)) if cut else text


def test_labelmes_photo_inside_of_its_file_is_read(tmp_path):
    texts = {
        "a.json": labelme(name="a.jpg", imageData=encoded("JPEG")),
        "b.json": labelme(name="..\\elsewhere\\photo.jpg", imageData="data:image/png;base64," + encoded("PNG", cut=76)),
        "c.json": labelme(name="c.jpg", imageData=encoded("PNG", (50, 40))),  # says 100 x 80
        "d.json": labelme(name="d.jpg", imageData="not base64"),
        "e.json": labelme(name="e.jpg", imageData=base64.b64encode(b"no image").decode()),
        "f.json": labelme(name="f.jpg", imageData=base64.b64encode(forged_png(60_000, 60_000)).decode()),
        "g.json": labelme(name="g.jpg"),
        "h.json": labelme(name="h.jpg", imageData=encoded("BMP")),
    }
    found, notes, _ = imported(tmp_path, "labelme", texts, (), link=True)
    half = ("cup", 5, 10, 20, 30)
    assert found == {"a.jpg": [BOX], "b.png": [BOX], "c.png": [half], "h.png": [BOX]}
    for name in ("a.jpg", "b.png", "h.png"):
        path = tmp_path / "data/new/positive" / name
        assert Image.open(path).size == (100, 80) and not path.is_symlink()
    for reason in (
        "d.json: left out: the photo is missing, and imageData is not base64", "imageData is no image",
        "f.json: left out: the photo inside: 60000 x 60000 pixels", 'g.json: left out: no image "g.jpg"',
    ):  # fmt: skip
        assert reason in notes


def test_notes_name_the_file_in_which_a_photo_was(tmp_path):
    texts = {f"{name}.json": labelme(name=f"{name}.jpg", imageData=encoded("BMP")) for name in "ab"}
    texts["b.json"]["shapes"][0]["points"] = [[60, 20], [90, 50]]
    texts["c.json"] = labelme(name="c.jpg", imageData=encoded("PNG", (100, 81)))
    texts["c.json"]["shapes"][0]["points"] = [[60, 20], [90, 200]]
    notes = imported(tmp_path, "labelme", texts, ())[1].replace(str(tmp_path / "source") + "/", "")
    assert "a.json: BMP, converted to PNG" in notes
    assert "a.json: is the same file as the photo in b.json: gets the boxes of both" in notes
    assert "/data/" not in notes and ".new." not in notes


def test_a_photo_beside_its_file_counts_before_the_one_inside(tmp_path):
    texts = {"a.json": labelme(name="a.jpg", imageData=encoded(size=(10, 8)))}
    assert imported(tmp_path, "labelme", texts)[0] == {"a.jpg": [BOX]}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a fork")
def test_photos_unpacked_by_a_killed_import_go_with_the_next(tmp_path, monkeypatch):
    texts = {"a.json": labelme(name="a.jpg", imageData=encoded()), "b.json": labelme(name="b.jpg", imageData=encoded())}
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    process = os.fork()
    if not process:
        importAnnotations.merge_records = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        try:
            imported(tmp_path, "labelme", texts, ())
        finally:
            os._exit(0)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
    assert len(list(tmp_path.glob("data/.new.*/new/*/[ab].png"))) == 2 and not list(elsewhere.iterdir())
    assert set(imported(tmp_path, "labelme", texts, ())[0]) == {"a.png", "b.png"}
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["new"]


# --- links -----------------------------------------------------------------------------------------------------------


@LINKS
def test_linked_folders_are_followed_and_loops_end(tmp_path):
    for name in ("store/photos/a.jpg", "store/photos/deep/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80)).save(tmp_path / name)
    (tmp_path / "source").mkdir()
    for link in ("source/images", "source/again"):
        (tmp_path / link).symlink_to(tmp_path / "store/photos")
    (tmp_path / "store/photos/deep/loop").symlink_to(tmp_path / "source")
    (tmp_path / "store/photos/self").symlink_to(tmp_path / "store/photos")
    content = coco_of()
    content["images"][1]["file_name"] = "again/deep/b.jpg"
    found, notes, _ = imported(tmp_path, "coco", {"x.json": content}, ())
    assert found == {"a.jpg": [BOX], "b.jpg": [BOX]} and notes == ""


@LINKS
def test_linked_files_are_one_photo(tmp_path):
    (tmp_path / "source/links").mkdir(parents=True)
    (tmp_path / "source/links/b.jpg").symlink_to("../real/a.jpg")
    rows = "filename,xmin,ymin,xmax,ymax,class\nreal/a.jpg,10,20,40,60,cup\nlinks/b.jpg,1,2,33,44,pan\n"
    found, _, _ = imported(tmp_path, "csv", {"x.csv": rows}, ("real/a.jpg",))
    assert list(found.values()) == [[BOX, ("pan", 1, 2, 33, 44)]]
    assert len(ImageIndex([tmp_path / "source"]).images) == 1


def test_a_folder_that_cannot_be_read_ends_the_import(tmp_path, monkeypatch):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "labels":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)  # rights mean nothing to an administrator
    texts = {"classes.txt": "cup", "a.txt": ROW, "labels/b.txt": ROW, "lost+found/c.txt": ROW}
    with pytest.raises(UserError, match="labels: cannot be read .Permission denied.; make it readable"):
        imported(tmp_path, "yolo", texts, ("a.jpg", "b.jpg"))  # b.jpg would have become a negative image


# --- reports ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_reports_are_the_same_run_after_run(tmp_path):
    names = [f"image{n}" for n in range(12)]
    images = [{"id": name, "file_name": f"{name}.jpg"} for name in names]
    annotations = [{"bbox": [1, 1, 9, 9], "image_id": f"x{name}"} for name in names]
    annotations += [{"bbox": [1, 1, 9, 9], "image_id": name, "category_id": "no"} for name in names]
    annotations += [{"bbox": [10, 20, 30, 40], "image_id": "good"}]
    content = coco(annotations, [*images, {"id": "good", "file_name": "good.jpg"}])
    imported(tmp_path, "coco", {"x.json": content}, ["good.jpg", *(f"{name}.jpg" for name in names)])
    reports = set()
    for seed in "012":
        subprocess.run(
            [sys.executable, ROOT / "tools/importAnnotations.py", "coco", tmp_path / "source", f"new{seed}", "--set",
             f"dataRootDir={tmp_path / 'data'}"],
            env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, cwd=ROOT,
        )  # fmt: skip
        reports.add((tmp_path / f"data/new{seed}/importReport.txt").read_text())
    assert len(reports) == 1 and reports.pop().count(": left out: ") == 24
