"""Protects the readers of other tools' formats: hand-made files of every shape and variant, each with the boxes that it
means, worked out by hand. Every image is 100 x 80 pixels.
"""

import importAnnotations
import numpy as np
import pytest
from annotation_files import coco, imported

mask = pytest.importorskip("pycocotools.mask")
RLE = np.zeros((80, 100), np.uint8)
RLE[10:30, 20:25] = 1  # box (20, 10, 25, 30)
RLE[50, 40:60] = 1  # with this (20, 10, 60, 51)


# --- COCO ------------------------------------------------------------------------------------------------------------


def test_coco_boxes_crowds_and_shapes_without_boxes(tmp_path):
    plain, letters = mask.encode(np.asfortranarray(RLE)), None
    letters = {"size": plain["size"], "counts": plain["counts"].decode()}
    flat = RLE.T.reshape(-1).astype(int)
    turns = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *turns, flat.size]).tolist()
    content = coco([
        {"bbox": [10, 20, 30, 40]},
        {"bbox": [1.5, 2.25, 10, 20], "category_id": 1, "iscrowd": 1},
        {"segmentation": [[10, 10, 30, 12, 20, 40], [50, 5, 60, 6, 55, 9]]},
        {"segmentation": letters},
        {"segmentation": {"size": [80, 100], "counts": runs}, "category_id": 1, "bbox": [7, 7, 0, 0]},
        {"segmentation": letters},  # the same again
    ])  # fmt: skip
    found, _, _ = imported(tmp_path, "coco", {"x.json": content})
    x, y, w, h = mask.toBbox(plain)
    assert (x, y, x + w, y + h) == (20, 10, 60, 51)
    assert found["a.jpg"] == [
        ("cup", 10, 20, 40, 60), ("EXCLUDE", 1.5, 2.25, 11.5, 22.25), ("cup", 10, 5, 60, 40),
        ("cup", 20, 10, 60, 51), ("pan", 20, 10, 60, 51),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_agree_with_pycocotools(seed):
    from helpers.formats.coco import _box

    random = np.random.default_rng(seed)
    shape = np.zeros((200, 300), np.uint8)
    for _ in range(4):
        x, y = random.integers(0, 250), random.integers(0, 150)
        shape[y : y + random.integers(1, 50), x : x + random.integers(1, 50)] = 1
    shape &= random.random(shape.shape) < 0.7
    plain = mask.encode(np.asfortranarray(shape))
    box = _box({"segmentation": {"size": plain["size"], "counts": plain["counts"].decode()}})
    x, y, w, h = mask.toBbox(plain)
    assert box == (x, y, x + w, y + h)


def test_coco_errors_cost_the_image_not_the_others(tmp_path):
    names = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    content = coco(
        [{"bbox": [0, 0, 10, 10]}, {"bbox": [0, 0, 1, "x"], "image_id": 8}, {"bbox": [1, 1, 5, 5], "image_id": 55},
         {"bbox": [1, 1, 5, 5], "image_id": 9, "category_id": 77}],
        [{"id": 7 + n, "file_name": name} for n, name in enumerate(names)] + [{"id": 12}, {"id": 10, "file_name": "z"}],
    )  # fmt: skip
    found, notes, _ = imported(tmp_path, "coco", {"x.json": content, "captions.json": {"images": []}}, names)
    assert found == {"a.jpg": [("cup", 0, 0, 10, 10)]}
    for text in (
        'images[1]: left out: annotations[1]: bbox = "x" is not a number', 'category_id "77" is not among',
        'annotations[2]: left out: image_id "55" is not among', 'images[4]: left out: no "file_name"',
        'images[3]: left out: id "10" comes twice', 'images[5]: left out: id "10" comes twice',
        "captions.json: left out: is not COCO",
    ):  # fmt: skip
        assert text in notes


def test_the_nearest_image_of_a_name_counts(tmp_path):
    images = ("train2017/1.jpg", "val2017/1.jpg")
    entry = [{"id": 7, "file_name": "1.jpg"}]
    texts = {
        "annotations/instances_train2017.json": coco([{"bbox": [0, 0, 10, 10]}], entry),
        "annotations/instances_val2017.json": coco([{"bbox": [0, 0, 20, 20]}], entry),
    }
    found, _, _ = imported(tmp_path, "coco", texts, images)
    assert found == {"train2017_1.jpg": [("cup", 0, 0, 10, 10)], "val2017_1.jpg": [("cup", 0, 0, 20, 20)]}


# --- YOLO ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "class_file, text",
    [
        ("classes.txt", "cup\r\npan\r\n\r\n"), ("obj.names", "cup\npan"), ("data.yaml", "names: [cup, 'pan']\nnc: 2"),
        ("data.yaml", "names:\n  1: pan\n  0: cup\n"), ("data.yaml", "\ufeffnames:\n- cup\n- pan\n"),
    ],
)  # fmt: skip
def test_yolo_rows_and_class_files(tmp_path, class_file, text):
    rows = (
        "0 0.5 0.5 0.2 0.5\n\n1 0.25 0.5 0.5 1 0.93\r\n"  # (40, 20, 60, 60) and, with a score, (0, 0, 50, 80)
        "0 0.1 0.1 0.3 0.2 0.2 0.5\n"  # a polygon: (10, 8, 30, 40)
        "1 .1 .1 .2 .1 .2 .5 .1 .5\n"  # four corners: (10, 8, 20, 40)
    )
    texts = {class_file: text, "labels/train/a.txt": rows, "labels/train/b.txt": ""}
    images = [f"images/train/{name}.jpg" for name in "abc"]
    found, notes, parts = imported(tmp_path, "yolo", texts, images)
    assert found["a.jpg"] == [
        ("cup", 40, 20, 60, 60), ("pan", 0, 0, 50, 80), ("cup", 10, 8, 30, 40), ("pan", 10, 8, 20, 40),
    ]  # fmt: skip
    assert parts == {"a.jpg": "positive", "b.jpg": "negative", "c.jpg": "negative"}
    assert "c.jpg: has no label file: taken for an image without objects" in notes


@pytest.mark.parametrize(
    "row, reason",
    [
        ("2 .5 .5 .1 .1", "class 2 is not among the 2 class names"), ("cup .5 .5 .1 .1", "is not a whole number"),
        ("0 .5 .5 .1", "4 values; write"), ("0 50 40 10 10", "are not fractions"), ("0 nan .5 .1 .1", '"nan" is not'),
        ("0 .5 .5 1e999 .1", '"1e999" is not'), ("-1 .5 .5 .1 .1", "not a whole number"),
        ("0 ٣ .5 .1 .1", "is not a n"),
    ],
)  # fmt: skip
def test_yolo_rows_that_make_no_sense_are_named(tmp_path, row, reason):
    texts = {"classes.txt": "cup\npan", "a.txt": f"0 .5 .5 .1 .1\n{row}\n", "b.txt": "0 .5 .5 .1 .1"}
    found, notes, _ = imported(tmp_path, "yolo", texts, ("a.jpg", "b.jpg"))
    assert set(found) == {"b.jpg"}
    assert "a.txt: left out: row 2: " in notes and reason in notes


def test_yolo_files_that_could_mean_several_images_make_none_of_them_negative(tmp_path):
    texts = {
        "classes.txt": "cup",
        "labels/1.txt": "0 .5 .5 .1 .1",
        "labels/train_2.txt": "0 .5 .5 .1 .1",
        "train.txt": "1",
    }
    images = ("images/a/1.jpg", "images/b/1.jpg", "images/train_2.jpg", "images/empty.jpg", "plots/curve.png")
    found, notes, parts = imported(tmp_path, "yolo", texts, images)
    assert parts == {"train_2.jpg": "positive", "empty.jpg": "negative"}
    assert 'labels/1.txt: left out: no image "1" below' in notes and "a/1.jpg is in another folder" in notes
    assert "train.txt" not in notes and "curve.png: left out: has no annotation" in notes


# --- CSV -------------------------------------------------------------------------------------------------------------

BOX = ("cup", 10, 20, 40, 60)


@pytest.mark.parametrize(
    "text",
    [
        "filename,xmin,ymin,xmax,ymax,class\na.jpg,10,20,40,60,cup\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,100,80,cup,10,20,40,60\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,200,160,cup,20,40,80,120\n",
        "\ufeff\"image\";\"xmin\";\"ymin\";\"xmax\";\"ymax\";\"label\"\r\n\"a.jpg\";10;20;40;60;\"cup\"\r\n",
        "Image Name\tX\tY\tWidth\tHeight\tCategory\nfolder\\a.jpg\t10\t20\t30\t40\tcup\n",
        "label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name\ncup,10,20,30,40,a.jpg\n",
        "path/to/a.jpg,10,20,40,60,cup\n",
        "cup,10,20,30,40,a.jpg,100,80\n",
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\na,x,cup,1,0.1,0.4,0.25,0.75,0\n",
        'filename,region_shape_attributes,region_attributes\na.jpg,"{""name"":""rect"",""x"":10,""y"":20,""width"":30,'
        '""height"":40}","{""class"":""cup""}"\n',
        'filename,region_shape_attributes,region_attributes\na.jpg,"{""name"":""polygon"",""all_points_x"":[10,40,12],'
        '""all_points_y"":[30,20,60]}","{""type"":{""cup"":true}}"\n',
    ],
)  # fmt: skip
def test_variants_of_csv_mean_the_same_box(tmp_path, text):
    assert imported(tmp_path, "csv", {"boxes.csv": text})[0] == {"a.jpg": [BOX]}


def test_csv_rows_without_a_box_empty_boxes_crowds_and_errors(tmp_path):
    text = (
        "filename,xmin,ymin,xmax,ymax,class,iscrowd\na.jpg,1,1,9,9,cup,1\nb.jpg,,,,,,\na.jpg,5,5,5,9,cup,0\n"
        "c.jpg,1,1,9,9,cup,0\nc.jpg,1,1,inf,9,cup,0\n,1,1,2,2,cup,0\nd.jpg,1\n"
        "e.jpg,1,1,9,9,cup,1\n"
    )
    names = [f"{name}.jpg" for name in "abcde"]
    found, notes, parts = imported(tmp_path, "csv", {"x.csv": text}, names, source="source/x.csv")
    assert found == {"e.jpg": [("EXCLUDE", 1, 1, 9, 9)], "b.jpg": []}
    assert parts == {"e.jpg": "positive", "b.jpg": "negative"}
    assert 'x.csv, image "a.jpg": left out: row 4: box (5, 5, 5, 9) has no area' in notes
    assert 'image "c.jpg": left out: row 6: x2 = "inf" is not a number' in notes
    assert "row 7: left out: names no image" in notes and 'image "d.jpg": left out: row 8: y1 = ""' in notes


def test_a_csv_with_another_header_is_refused(tmp_path):
    with pytest.raises(importAnnotations.UserError, match="header .*a,b,c.* is not understood"):
        imported(tmp_path, "csv", {"x.csv": "a,b,c\n1,2,3\n"})
