"""The tiny data set in the layout of PASCAL VOC."""

import shutil

import numpy as np
from PIL import Image
from tiny import TINY_IMAGES, tiny_params

from helpers.dataset.annotations import load_annotation
from helpers.formats import voc as voc_format
from helpers.formats.exported import ExportedImage

CLASSES = ("circle", "square")


LISTS = {"positive": "trainval", "testImages": "test"}


def tiny_annotations(folder):
    """Key -> (path, size, boxes, labels) of the tiny data set's images."""
    found = {}
    for key in TINY_IMAGES:
        path = folder / "data/tiny" / key
        with Image.open(path) as image:
            size = image.size
        boxes, labels = np.zeros((0, 4)), ()
        if not key.startswith("negative"):
            annotation = load_annotation(path, size, CLASSES)
            boxes, labels = annotation.boxes, annotation.labels
        found[key] = path, size, boxes, labels
    return found


def voc_params(folder, **overrides):
    return tiny_params(folder, datasetName="tinyVoc", datasetLayout="voc", **overrides)


def make_voc(source, folder):
    """The annotated tiny images in VOC's layout, in `folder/data/tinyVoc`; returns the parameters for them."""
    root = folder / "data/tinyVoc/VOC2007"
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / part).mkdir(parents=True)
    for key, (path, size, boxes, labels) in tiny_annotations(source).items():
        part, _, name = key.partition("/")
        if part in LISTS:
            name = f"{part}_{name}"
            shutil.copy(path, root / "JPEGImages" / name)
            things = [(tuple(box), label, False) for box, label in zip(boxes, labels, strict=True)]
            entry = ExportedImage(name, size, things)
            ((_, text),) = [(file, text) for file, text in voc_format.write([entry]).items() if file.endswith(".xml")]
            (root / "Annotations" / name).with_suffix(".xml").write_text(text)
            with open(root / "ImageSets/Main" / f"{LISTS[part]}.txt", "a", encoding="utf-8") as file:
                file.write(f"{name.rpartition('.')[0]}\n")
    return voc_params(folder)
