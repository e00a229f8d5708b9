"""Protects the rule that an image with objects never becomes a negative image, nor half-labelled: whatever a reader
cannot use, and however often an image is mentioned, it has all of its boxes or is left out with the reason.

Every image is 100 x 80 pixels; b.jpg is in order each time, so that there is something to import.
"""

import json

import pytest
from annotation_files import coco, imported
from annotation_texts import BOX, coco_of, cvat, labelme, studio, voc, vott

from helpers.base.errors import UserError

CSV = "filename,xmin,ymin,xmax,ymax,class\na.jpg,10,20,40,60,cup\nb.jpg,10,20,40,60,cup\n"
VIA = (
    'filename,region_shape_attributes,region_attributes\nb.jpg,"{""name"":""rect"",""x"":10,""y"":20,""width"":30,'
    + ('""height"":40}","{""class"":""cup""}"\n')
)
LABELME_B, STUDIO_B, VOC_B, VOTT_B = labelme(name="b.jpg"), studio(name="b.jpg"), voc("", "b.jpg"), vott(name="b.jpg")
YOLO = {"classes.txt": "cup", "b.txt": "0 .25 .5 .3 .5"}
CASES = {
    "coco, a keypoint": ("coco", {"x.json": coco_of({"keypoints": [1, 2, 2]})}, "neither bbox nor segmentation"),
    "coco, category": ("coco", {"x.json": coco_of({"bbox": [1, 1, 5, 5], "category_id": 4})}, 'category_id "4" is not'),
    "coco, a mask of another size": ("coco", {"x.json": coco_of(
        {"segmentation": {"size": [40, 50], "counts": [10, 20, 1970]}}, width=100, height=80)}, "of size [40, 50]"),
    "coco, no category": ("coco", {"x.json": coco_of({"bbox": [1, 1, 5, 5], "category_id": None})}, "neither a number"),
    "coco, no area": ("coco", {"x.json": coco_of({"bbox": [1, 1, 0, 5]})}, "has no area"),
    "coco, fractions": ("coco", {"x.json": coco_of({"bbox": [0.1, 0.1, 0.5, 0.5]})}, "smaller than a pixel"),
    "coco, nan": ("coco", {"x.json": coco_of({"bbox": [1, 1, "NaN", 5]})}, "is not a number"),
    "labelme, a point": ("labelme", {"a.json": labelme({"label": "cup", "points": [[5, 5]], "shape_type": "point"}),
                                     "b.json": LABELME_B}, "shapes[1]: a point has no area"),
    "labelme, a line": ("labelme", {"a.json": labelme({"label": "cup", "points": [[5, 5]], "shape_type": "linestrip"}),
                                    "b.json": LABELME_B}, "a linestrip has no area"),
    "labelme, a flag": ("labelme", {"a.json": labelme(flags={"cup": True, "red": False}), "b.json": LABELME_B}, "flag"),
    "labelme, cut": ("labelme", {"a.json": '{"shapes": [', "b.json": LABELME_B}, "not readable JSON"),
    "studio, a brush": ("labelstudio", {"x.json": [
        studio({"id": "1", "type": "brushlabels", "value": {"format": "rle", "rle": [1], "brushlabels": ["cup"]}}),
        STUDIO_B]}, "original_width and original_height are missing"),
    "studio, a point": ("labelstudio", {"x.json": [
        studio({"id": "1", "type": "keypointlabels", "value": {"x": 1, "y": 1, "width": 1, "keypointlabels": ["cup"]}}),
        STUDIO_B]}, "keypointlabels"),
    "studio, a choice": ("labelstudio", {"x.json": [
        studio({"id": "1", "type": "choices", "value": {"choices": ["cup"]}}), STUDIO_B]}, "class of the whole image"),
    "cvat, a line": ("cvat", {"x.xml": f'<annotations>{cvat("""<polyline label="cup" points="1,1;2,2"/>""")}'
                              f'{cvat("", "b.jpg")}</annotations>'}, "<polyline> has no area"),
    "cvat, a tag": ("cvat", {"x.xml": f'<annotations>{cvat("""<tag label="cup"/>""")}'
                             f'{cvat("", "b.jpg")}</annotations>'}, "<tag> has no area"),
    "voc, no box": ("voc", {"a.xml": voc("<object><name>cup</name></object>"), "b.xml": VOC_B}, "has no <bndbox>"),
    "voc, fractions": ("voc", {"a.xml": voc("<object><name>cup</name><bndbox><xmin>0.9</xmin><ymin>0.9</ymin>"
                               "<xmax>0.99</xmax><ymax>1</ymax></bndbox></object>"), "b.xml": VOC_B}, "smaller than"),
    "vott, no box": ("vott", {"x.json": {"assets": {"1": vott({"tags": ["cup"]}), "2": VOTT_B}}}, "has no boundingBox"),
    "vott, no tags": ("vott", {"x.json": {"assets": {"1": vott({"tags": 3}), "2": VOTT_B}}}, 'no list "tags"'),
    "csv, a row": ("csv", {"x.csv": CSV + "a.jpg,1,x,9,9,cup\n"}, 'row 4: ymin = "x"'.replace("ymin", "y1")),
    "csv, a class alone": ("csv", {"x.csv": CSV + "a.jpg,,,,,cup\n"}, 'has class "cup" and no box'),
    "csv, no name below": ("csv", {"x.csv": "filename,xmin,ymin,xmax,ymax,class\nb.jpg,10,20,40,60,cup\n"
                                   "c.jpg,1,1,9,9,cup\na.jpg,10,20,40,60,cup\n,1,1,5,5,cup\n"}, "row 5: names no"),
    "csv, a line": ("csv", {"x.csv": VIA + 'a.jpg,"{""name"":""polyline""}","{""class"":""cup""}"\n'}, "has no area"),
    "csv, two classes": ("csv", {"x.csv": VIA + 'a.jpg,"{""name"":""rect"",""x"":1,""y"":1,""width"":9,""height"":9}",'
                                 '"{""type"":{""cup"":true,""pan"":true}}"\n'}, "several classes"),
    "voc, two boxes": ("voc", {"a.xml": voc("<object><name>cup</name><bndbox/><bndbox/></object>"), "b.xml": VOC_B},
                       "object 2: has several <bndbox>"),
    "voc, capitals": ("voc", {"a.xml": voc("<Object><Name>cup</Name></Object>"), "b.xml": VOC_B}, "has no <bndbox>"),
    "voc, a box alone": ("voc", {"a.xml": voc("<bndbox><xmin>1</xmin></bndbox>"), "b.xml": VOC_B}, "belongs to no obj"),
    "labelme, shapes twice": ("labelme", {"a.json": '{"shapes": [{"label": ""}], "shapes": []}', "b.json": LABELME_B},
                              "comes twice in an object"),
    "voc, a polygon of a point": ("voc", {"a.xml": voc("<object><name>cup</name><polygon><x1>4</x1><y1>4</y1></polygon>"
                                          "</object>"), "b.xml": VOC_B}, "without area"),
    "voc, another file": ("voc", {"a.xml": voc(""), "sub/x.xml": voc("", "a.jpg"), "b.xml": VOC_B}, "1 of 2"),
    "labelme, no shapes": ("labelme", {"a.json": {"shapes": None}, "b.json": LABELME_B}, '"shapes" is not a list'),
    "studio, a choice in JSON-MIN": ("labelstudio", {"x.json": [
        {"image": "a.jpg", "annotation_id": 1, "choice": "cup"}, STUDIO_B]}, '"choice: cup" is a class of the whole'),
    "coco, a name for an id": ("coco", {"x.json": coco_of({"bbox": [1, 1, 5, 5], "image_id": "a"})}, "this one might"),
    "coco, segments": ("coco", {"x.json": coco_of({"segments_info": [], "category_id": None})}, "neither a number"),
    "csv, a comma": ("csv", {"x.csv": CSV + "a.jpg,1,1,9,9,cup,red\n"}, "row 4: has more than 6 values"),
    "yolo, a row": ("yolo", {**YOLO, "a.txt": "0 .5 .5 .1 .1\n0 .5 .5"}, "row 2: 3 values"),
    "yolo, a class": ("yolo", {**YOLO, "a.txt": "0 .5 .5 .1 .1\n1 .5 .5 .1 .1"}, "class 1 is not among"),
    "yolo, no area": ("yolo", {**YOLO, "a.txt": "0 .5 .5 .1 0"}, "has no area"),
    "yolo, below a pixel": ("yolo", {**YOLO, "a.txt": "0 .5 .5 .001 .1"}, "smaller than a pixel"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_image_of_which_something_was_dropped_is_left_out_with_the_reason(tmp_path, case):
    form, texts, reason = CASES[case]
    found, notes, _ = imported(tmp_path, form, texts, ("a.jpg", "b.jpg", "c.jpg"))
    assert found.get("b.jpg") == [BOX] and "a.jpg" not in found
    assert reason in notes


def test_what_is_not_wanted_may_be_dropped(tmp_path):
    line = {"label": "crack", "points": [[5, 5], [9, 9]], "shape_type": "line"}
    texts = {"a.json": labelme(line), "b.json": labelme(name="b.jpg")}
    found, notes, _ = imported(tmp_path, "labelme", texts, ("a.jpg", "b.jpg"), classes=("cup",))
    assert found == {"a.jpg": [BOX], "b.jpg": [BOX]} and '1 box of class "crack" left out: not wanted' in notes


@pytest.mark.parametrize(
    "spelling", ["a.jpg", "./a.jpg", "x\\a.jpg", "A.JPG", "/somewhere/x/a.jpg", "%61.jpg", "x/a.jpg"]
)
def test_an_image_has_the_boxes_of_all_mentions_equal_ones_once(tmp_path, spelling):
    texts = {
        "1.csv": "filename,xmin,ymin,xmax,ymax,class\nx/a.jpg,10,20,40,60,cup\n",
        "2.csv": f"filename,xmin,ymin,xmax,ymax,class\n{spelling},1,2,33,44,pan\n{spelling},10,20.1,40,60,cup\n",
    }
    found, _, _ = imported(tmp_path, "csv", texts, ("x/a.jpg",))
    assert found == {"a.jpg": [BOX, ("pan", 1, 2, 33, 44)]}


def test_one_mention_that_is_not_whole_costs_the_image(tmp_path):
    texts = {"1/a.json": labelme(), "2/a.json": labelme({"label": "cup", "points": [[5, 5]], "shape_type": "point"})}
    texts = {name: {**text, "imagePath": "../p/a.jpg"} for name, text in texts.items()}
    texts["b.json"] = labelme(name="p/b.jpg")
    found, notes, _ = imported(tmp_path, "labelme", texts, ("p/a.jpg", "p/b.jpg"))
    assert found == {"b.jpg": [BOX]}
    assert "a.jpg: left out: 1 of 2 annotations of it are not whole" in notes


def test_two_annotators_must_agree(tmp_path):
    def task(name, *xs):
        results = [[{"id": "0", "type": "rectanglelabels", "value": {
            "x": x, "y": 25, "width": 30, "height": 50, "rectanglelabels": ["cup"]}}] for x in xs]  # fmt: skip
        return {"data": {"image": name}, "annotations": [{"result": result} for result in results]}

    found, notes, _ = imported(
        tmp_path, "labelstudio", {"x.json": [task("a.jpg", 10, 50), task("b.jpg", 10, 11)]}, ("a.jpg", "b.jpg")
    )
    assert found == {"b.jpg": [BOX]} and "task 0: left out: has 2 annotations that differ" in notes


@pytest.mark.parametrize(
    ("form", "text", "reason"),
    [
        ("cvat", "<annotations><image", "not readable XML"), ("coco", '{"images": [], "images": []}', "comes twice"),
        ("labelstudio", "[{", "not readable JSON"), ("vott", "", "empty file"),
        ("csv", CSV + 'a.jpg,1,1,9,9,"cup\nb.jpg,1,1,9,9,cup\n', "not readable CSV"),  # a quote takes the rest along
    ],
)  # fmt: skip
def test_a_shared_file_that_cannot_be_read_ends_the_import(tmp_path, form, text, reason):
    suffix = {"cvat": "xml", "csv": "csv"}.get(form, "json")
    with pytest.raises(UserError, match=f"x.{suffix}.*{reason} .*; repair it or move it away|{reason}; repair it"):
        imported(tmp_path, form, {f"x.{suffix}": text}, ("b.jpg",))
    assert not (tmp_path / "data").exists()


def test_an_image_that_was_left_out_does_not_come_back_by_a_list(tmp_path):
    (tmp_path / "empty.txt").write_text("a.jpg\n")
    texts = {"x.json": coco_of({"bbox": [1, 1, 0, 5]})}
    found, _, _ = imported(tmp_path, "coco", texts, ("a.jpg", "b.jpg"), negative=[tmp_path / "empty.txt"])
    assert found == {"b.jpg": [BOX]}


# --- ids -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("image_id", "category"), [(7, "3"), ("7", 3.0), (7.0, " 3 "), ("7.0", "3.0"), (7, 3)])
def test_ids_compare_by_value(tmp_path, image_id, category):
    content = coco([{"bbox": [10, 20, 30, 40], "image_id": image_id, "category_id": category}])
    assert imported(tmp_path, "coco", {"x.json": content})[0] == {"a.jpg": [BOX]}


def test_other_ids_are_texts_or_refused(tmp_path):
    images = [{"id": name, "file_name": f"{name}.jpg"} for name in ("a", "b", "c")]
    annotations = [{"bbox": [10, 20, 30, 40], "image_id": "a"}, {"bbox": [10, 20, 30, 40], "image_id": "d"}]
    names = [f"{name}.jpg" for name in "abc"]
    found, notes, _ = imported(tmp_path, "coco", {"x.json": coco(annotations, images)}, names)
    assert found == {"a.jpg": [BOX]}  # the second annotation may be of any image without one
    assert 'annotations[1]: left out: image_id "d" is not among the images' in notes
    assert 'images[1]: left out: has no annotation, but image_id "d" is of no image' in notes
    for number, value in enumerate((None, True, [], float("nan"))):
        annotations[1]["image_id"] = value  # of any image at all
        with pytest.raises(Exception, match="nothing to import"):
            imported(tmp_path / str(number), "coco", {"x.json": coco(annotations, images)}, names)


@pytest.mark.parametrize(
    ("categories", "reason"),
    [
        ([{"id": 3, "name": "cup"}, {"id": "3", "name": "pan"}], r'categories\[1\]: id "3" comes twice'),
        ([{"id": 3, "name": "cup"}, {"id": 4, "name": "cup "}], r'name "cup" comes twice, with id "3" and "4"'),
    ],
)
def test_categories_that_are_not_clear_end_the_import(tmp_path, categories, reason):
    content = coco([{"bbox": [1, 1, 9, 9]}, {"bbox": [1, 1, 9, 9], "category_id": 4}], categories=categories)
    with pytest.raises(Exception, match=reason):
        imported(tmp_path, "coco", {"x.json": content})


def test_a_category_of_the_same_name_without_boxes_does_no_harm(tmp_path):
    categories = [{"id": 0, "name": "cup"}, {"id": 3, "name": "cup"}]  # Roboflow's group and its class
    content = coco([{"bbox": [10, 20, 30, 40]}], categories=categories)
    found, notes, _ = imported(tmp_path, "coco", {"x.json": json.dumps(content)})
    assert found == {"a.jpg": [BOX]} and 'name "cup" comes twice, with id "0" and "3"; only one has boxes' in notes
