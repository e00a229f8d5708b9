"""Protects what numbers and names in annotation files mean: class names are the text that is written, one name is one
class, fractions and pixels are told apart by the whole file, and no box is smaller than a pixel.
"""

import json

import pytest
from annotation_files import coco, imported
from annotation_texts import BOX, cvat, labelme, studio, voc, vott

from helpers.base.errors import UserError
from helpers.dataset.annotations import read_annotation, write_annotation

# --- names -----------------------------------------------------------------------------------------------------------

TEXTS = [
    "010",
    "1.10",
    "no",
    "12:30",
    "1_000",
    "~",
    "null",
    "yes",
    "2001-01-01",
    "0x1F",
    ".inf",
    "1e3",
    "true",
    "=",
    "<<",
]


def yolo_rows(count):
    return {"a.txt": "".join(f"{number} .25 .5 .3 .5\n" for number in range(count))}


@pytest.mark.parametrize(
    "text",
    [
        "names: [" + ", ".join(TEXTS) + "]\nnc: 15\n",
        "names:\n" + "".join(f"- {name}\n" for name in TEXTS),
        "train: ../x\nnames:\n" + "".join(f"  {number}: {name}\n" for number, name in enumerate(TEXTS)),
        "names:\n" + "".join(f"  '{number}': \"{name}\"\n" for number, name in reversed(list(enumerate(TEXTS)))),
    ],
)
def test_names_in_yaml_are_the_text_that_is_written(tmp_path, text):
    found, notes, _ = imported(tmp_path, "yolo", {"data.yaml": text, **yolo_rows(len(TEXTS))})
    assert [label for label, *_ in found["a.jpg"]] == TEXTS and notes == ""


def test_names_in_other_files_are_the_text_that_is_written(tmp_path):
    (name, *others) = TEXTS
    for number, (form, texts) in enumerate({
        "yolo": {"classes.txt": "\n".join(TEXTS), **yolo_rows(1)},
        "csv": {"x.csv": f"filename,xmin,ymin,xmax,ymax,class\na.jpg,10,20,40,60,{name}\n"},
        "coco": {"x.json": coco([{"bbox": [10, 20, 30, 40]}], categories=[{"id": 3, "name": name}])},
        "voc": {"a.xml": voc("").replace("cup", name)},
        "cvat": {"x.xml": f"<annotations>{cvat('')}</annotations>".replace("cup", name)},
    }.items()):  # fmt: skip
        assert imported(tmp_path / str(number), form, texts)[0] == {"a.jpg": [(name, *BOX[1:])]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("names: [cup, pan, cup]", 'class "cup" comes twice, as number 0 and 2'),
        ("names: {0: cup, 1: pan, '0': pot}", 'class number "0" comes twice'),
        ("names: [cup]\nnames: [pan]", '"names" comes twice'), ("names: {a: cup}", '"a" is not a number'),
        ("names: {0.5: cup}", 'class number "0.5" is not a whole number'), ("names: cup", "no list"),
        ("names: [[cup]]", "is not a text"), ("names: [!!binary Y3Vw]", "is not read"), ("names: *x", "not readable"),
        ("names: [cup]\n---\nnames: [pan]", "not readable YAML"), ("[" * 5000, "not readable YAML"),
    ],
)  # fmt: skip
def test_class_files_that_are_not_clear_are_refused(tmp_path, text, reason):
    with pytest.raises(UserError, match="data.yaml: ") as error:
        imported(tmp_path, "yolo", {"data.yaml": text, **yolo_rows(1)})
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_two_rows_of_one_name_in_a_list_of_classes_are_refused(tmp_path):
    with pytest.raises(UserError, match='classes.txt: class "cup" comes twice, as number 0 and 1'):
        imported(tmp_path, "yolo", {"classes.txt": "cup\ncup \n", **yolo_rows(2)})


@pytest.mark.parametrize("form", ["labelme", "csv", "coco"])
def test_labelmes_ignore_is_excluded_and_said(tmp_path, form):
    box = {"label": "__ignore__", "points": [[1, 2], [33, 44]]}
    texts = {
        "labelme": labelme(box),
        "csv": "filename,xmin,ymin,xmax,ymax,class\na.jpg,10,20,40,60,cup\na.jpg,1,2,33,44,__ignore__\n",
        "coco": coco([{"bbox": [10, 20, 30, 40]}, {"bbox": [1, 2, 32, 42], "category_id": 1}],
                     categories=[{"id": 3, "name": "cup"}, {"id": 1, "name": "__ignore__"}]),
    }  # fmt: skip
    name = "a.csv" if form == "csv" else "a.json"
    for number, classes in enumerate(((), ("cup",))):
        found, notes, _ = imported(tmp_path / str(number), form, {name: texts[form]}, classes=classes)
        assert found == {"a.jpg": [BOX, ("EXCLUDE", 1, 2, 33, 44)]}
        assert '1 box of class "__ignore__" becomes EXCLUDE' in notes
    found = imported(tmp_path / "2", form, {name: texts[form]}, rename=["__ignore__=pan"])[0]
    assert found == {"a.jpg": [BOX, ("pan", 1, 2, 33, 44)]}


def test_numbers_that_json_would_rewrite_are_no_names(tmp_path):
    texts = {"a.json": json.dumps(labelme({"label": 1.1, "points": [[1, 2], [33, 44]]})).replace("1.1", "1.10")}
    with pytest.raises(UserError, match='class "1.1" is not a text'):
        imported(tmp_path, "labelme", texts)
    texts = {"a.json": labelme({"label": 7, "points": [[1, 2], [33, 44]]})}
    assert imported(tmp_path, "labelme", texts)[0] == {"a.jpg": [BOX, ("7", 1, 2, 33, 44)]}


def test_class_files_that_say_different_things_are_refused(tmp_path):
    texts = {"data.yaml": "names: [cup, pan]", "a.txt": "0 .25 .5 .3 .5", "deep/classes.txt": "cup\npan\npot\n"}
    assert imported(tmp_path / "same", "yolo", texts)[0] == {"a.jpg": [BOX]}
    texts["deep/classes.txt"] = "pan\ncup\n"
    with pytest.raises(UserError, match='classes.txt: class 0 is "pan", but "cup" in .*data.yaml; name the right file'):
        imported(tmp_path, "yolo", texts)
    found, _, _ = imported(tmp_path, "yolo", texts, classFile=tmp_path / "source/deep/classes.txt")
    assert found == {"a.jpg": [("pan", *BOX[1:])]}


def test_class_files_of_the_folder_above_count_last(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [pan]")
    texts = {"deep/classes.txt": "cup", "a.txt": "0 .25 .5 .3 .5"}
    assert imported(tmp_path, "yolo", texts)[0] == {"a.jpg": [BOX]}


# --- units -----------------------------------------------------------------------------------------------------------


def csv(*rows):
    return {"x.csv": "filename,xmin,ymin,xmax,ymax,class\n" + "".join(f"{row},cup\n" for row in rows)}


def test_fractions_are_fractions_though_rounding_takes_one_over_the_edge(tmp_path):
    rows = ["a.jpg,0.1,0.25,0.4,0.75", "a.jpg,0.5,0.5,1.0000001,1.004", "b.jpg,0.1,0.25,0.4,0.75"]
    found, _, _ = imported(tmp_path, "csv", csv(*rows), ("a.jpg", "b.jpg"))
    assert found == {"a.jpg": [BOX, ("cup", 50, 40, 100, 80)], "b.jpg": [BOX]}
    found, _, _ = imported(tmp_path / "one", "csv", csv("a.jpg,0.5,0.5,1.0000001,1.004"))
    assert found == {"a.jpg": [("cup", 50, 40, 100, 80)]}


@pytest.mark.parametrize(
    ("good", "odd", "reason"),
    [
        ("10,20,40,60", "0.1,0.1,0.9,0.9", "is smaller than a pixel"),
        ("0.1,0.25,0.4,0.75", "10,20,40,60", "lies mostly outside"),
    ],
)
def test_the_unit_is_that_of_most_boxes(tmp_path, good, odd, reason):
    found, notes, _ = imported(
        tmp_path, "csv", csv(f"a.jpg,{odd}", f"b.jpg,{good}", f"c.jpg,{good}"), [f"{name}.jpg" for name in "abc"]
    )
    assert found == {"b.jpg": [BOX], "c.jpg": [BOX]} and reason in notes


TINY = (0.125, 0.25, 0.5, 0.75)
X, Y, X2, Y2 = TINY
FRACTIONS = {
    "coco": {"x.json": coco([{"bbox": [X, Y, X2 - X, Y2 - Y]}])},
    "cvat": {"x.xml": f'<annotations><image name="a.jpg"><box label="cup" xtl="{X}" ytl="{Y}" xbr="{X2}" ybr="{Y2}"/>'
             "</image></annotations>"},
    "labelme": {"a.json": {"shapes": [{"label": "cup", "points": [[X, Y], [X2, Y2]]}]}},
    "voc": {"a.xml": "<annotation><object><name>cup</name><bndbox>" + "".join(
        f"<{name}>{value}</{name}>" for name, value in zip(("xmin", "ymin", "xmax", "ymax"), TINY, strict=True))
        + "</bndbox></object></annotation>"},
    "vott": {"x.json": {"assets": {"1": {"asset": {"name": "a.jpg"}, "regions": [
        {"tags": ["cup"], "boundingBox": {"left": X, "top": Y, "width": X2 - X, "height": Y2 - Y}}]}}}},
    "labelstudio": {"x.json": [{"data": {"image": "a.jpg"}, "annotations": [{"result": [
        {"id": "1", "type": "rectanglelabels", "value": {"x": X, "y": Y, "width": X2 - X, "height": Y2 - Y,
                                                         "rectanglelabels": ["cup"]}}]}]}]},
    "yolo": {"classes.txt": "cup", "a.txt": "0 .001 .001 .002 .002"},
    "vottcsv": csv(f"a.jpg,{X},{Y},{X2},{Y2}", "b.jpg,1,2,33,44", "c.jpg,1,2,33,44"),
    "vott1": {"positive/a.bboxes.tsv": "\t".join(map(str, TINY)), "positive/a.bboxes.labels.tsv": "cup"},
}  # fmt: skip


@pytest.mark.parametrize("form", FRACTIONS)
def test_a_box_below_a_pixel_costs_its_image_in_every_format(tmp_path, form):
    image = "positive/a.jpg" if form == "vott1" else "a.jpg"
    images = (image, "b.jpg", "c.jpg") if form == "vottcsv" else (image,)
    if form == "vottcsv":
        found, notes, _ = imported(tmp_path, form, FRACTIONS[form], images)
        assert "a.jpg" not in found and "is smaller than a pixel" in notes
    else:
        with pytest.raises(UserError, match="is smaller than a pixel"):
            imported(tmp_path, form, FRACTIONS[form], images)


def test_a_pixel_less_rounding_is_enough(tmp_path):
    write_annotation(tmp_path / "1.jpg", [[3, 4, 3.9999, 5]], ["cup"])
    annotation, problems = read_annotation(tmp_path / "1.jpg", (100, 80), ("cup",))
    assert len(annotation.boxes) == 1 and problems == []


def test_good_boxes_are_what_the_others_are_measured_by(tmp_path):
    for form, texts in {
        "vott": {"x.json": {"assets": {"1": vott()}}}, "labelstudio": {"x.json": [studio()]},
    }.items():  # fmt: skip
        assert imported(tmp_path / form, form, texts)[0] == {"a.jpg": [BOX]}
