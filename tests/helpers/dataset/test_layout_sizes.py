"""Protects data sets that are read in place against boxes that were drawn on images of another size."""

import importlib

import pytest
from layout_files import SIZE, coco, coco_content, write_coco

from helpers.base.errors import UserError
from helpers.dataset.sources import list_images, load_ground_truth

check = importlib.import_module("0_checkDataset").main
SAID = "annotated on 200 x 160 pixels, but the image has 100 x 80"


def errors(params):
    found = [problem.message for problem in check(params).problems if problem.level == "error"]
    return [message for message in found if "annotated on" in message]


def test_voc_boxes_of_another_size(voc):
    path = voc.image_dir / "VOC2007/Annotations/000002.xml"
    text = path.read_text()
    for width, height, wrong in ((100, 80, False), (80, 100, False), (0, 0, False), (200, 160, True)):
        size = f"<annotation><size><width>{width}</width><height>{height}</height></size>"
        path.write_text(text.replace("<annotation>", size))
        assert errors(voc) == ([SAID] if wrong else []), (width, height)
    image = next(image for image in list_images(voc, ("testImages",)))
    with pytest.raises(UserError, match=f"000002.xml: {SAID}"):
        load_ground_truth(image, SIZE, voc)


def test_coco_boxes_of_another_size(coco_root):
    content = coco_content({7: "a.jpg", 8: "b.jpg", 9: "c.jpg"}, [(7, 1, [5, 5, 9, 9], 0), (8, 1, [5, 5, 9, 9], 0)])
    content["images"][0].update(width=80, height=100)  # as viewers turn it
    content["images"][1].update(width=200, height=160)
    write_coco(coco_root, "train2017", content)
    assert errors(coco(coco_root, "coco_categories=person")) == [f"b.jpg: {SAID}"]
