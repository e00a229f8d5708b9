"""Tiny data sets in the layouts of PASCAL VOC and COCO."""

import json

import numpy as np
from PIL import Image

from pipeline.parameters import load_parameters

SIZE = (100, 80)


CATEGORIES = [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}, {"id": 90, "name": "traffic light"}]


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = np.random.default_rng(len(str(path))).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(shade).save(path)


def voc_object(name, box, difficult=0):
    corners = "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{corners}</bndbox></object>"


def make_voc_years(tmp_path):
    """VOC2007 with two images to train on and one to test on, VOC2012 with one to train on."""
    objects = {
        ("VOC2007", "trainval", "000001"): [("cat", (1, 1, 100, 80), 0), ("dog", (11, 21, 30, 40), 1)],
        ("VOC2007", "trainval", "000003"): [("bird", (1, 1, 9, 9), 0)],
        ("VOC2007", "test", "000002"): [("dog", (11, 21, 30, 40), 1), ("cat", (5, 5, 20, 20), 0)],
        ("VOC2012", "trainval", "2008_000001"): [("dog", (2, 2, 50, 50), 0)],
    }
    for (year, image_set, name), things in objects.items():
        root = tmp_path / "VOCdevkit" / year
        picture(root / "JPEGImages" / f"{name}.jpg")
        for folder in ("Annotations", "ImageSets/Main"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        body = "".join(voc_object(*thing) for thing in things)
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{body}</annotation>")
        with open(root / "ImageSets/Main" / f"{image_set}.txt", "a", encoding="utf-8") as file:
            file.write(f"{name}\n")
    return load_parameters(["datasetName=pascalVoc", f"dataRootDir={tmp_path}", "classes=cat,dog"])


def coco_content(images, annotations, categories=CATEGORIES):
    return {
        "images": [
            {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]} for number, name in images.items()
        ],
        "annotations": [
            {"id": i, "image_id": image, "category_id": category, "bbox": box, "iscrowd": crowd}
            for i, (image, category, box, crowd) in enumerate(annotations)
        ],
        "categories": categories,
    }


def write_coco(root, image_set, content):
    path = root / "coco" / "annotations" / f"instances_{image_set}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    for image in content["images"]:
        if ".." not in image["file_name"]:
            picture(root / "coco" / image_set / image["file_name"])
    return path


def make_coco(tmp_path):
    """Three images to train on (a person, a car, nothing), two to test on."""
    train = [
        (7, 1, [10, 20, 30, 40], 0),
        (7, 90, [0, 0, 5, 5], 0),
        (7, 1, [50, 50, 20, 20], 1),
        (8, 3, [1, 2, 3, 4], 0),
    ]
    write_coco(tmp_path, "train2017", coco_content({7: "a.jpg", 8: "b.jpg", 9: "c.jpg"}, train))
    write_coco(tmp_path, "val2017", coco_content({1: "d.jpg", 2: "e.jpg"}, [(1, 3, [0, 0, 10, 10], 0)]))
    return tmp_path


def coco(root, *settings):
    return load_parameters(["datasetName=coco", f"dataRootDir={root}", *settings])
