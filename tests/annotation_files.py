"""Annotation files of other tools with few objects, and their import."""

import json

import importAnnotations
import numpy as np
from PIL import Image

from pipeline.parameters import load_parameters


def imported(folder, form, texts, images=("a.jpg",), source="source", **options):
    """Import texts {file name: text or JSON value}: {image: [(label, x1, y1, x2, y2)]} and all notes in one text."""
    for number, name in enumerate(images):
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80), (number * 40, 90, 60)).save(path)
    for name, text in texts.items():
        path = folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    params = load_parameters([f"dataRootDir={folder / 'data'}"])
    options = options if form == "vott1" else {"testFraction": 0, **options}
    placed, notes = importAnnotations.main(params, form, folder / source, "new", **options)
    found = {
        name: [(label, *np.round(box, 4).tolist()) for label, box in zip(item.labels, item.boxes, strict=True)]
        for item, _, name in placed
    }
    return found, "\n".join(map(str, notes)), {name: subdir for _, subdir, name in placed}


def coco(annotations, images=None, categories=None):
    return {
        "images": images or [{"id": 7, "file_name": "a.jpg", "width": 100, "height": 80}],
        "annotations": [{"id": n, "image_id": 7, "category_id": 3, **item} for n, item in enumerate(annotations)],
        "categories": categories or [{"id": 3, "name": "cup"}, {"id": 1, "name": "pan"}],
    }
