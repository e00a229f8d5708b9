"""A tiny data set whose files of steps 1 and 5 are written by hand: every number and pixel that the tests of step 5's
pictures, B1, B2 and B3 expect can be checked by hand.
"""

import numpy as np
from PIL import Image

from fastRCNN.structures import Candidates, Detections, Rois
from helpers.artifacts.detection_files import detection_path, detection_rows, write_detections
from helpers.artifacts.roi_files import roi_path, write_rois
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import DETECTIONS, FEATURES, ROIS, SVMS
from helpers.dataset.annotations import write_annotation
from helpers.dataset.sources import list_images
from helpers.drawing.boxes import class_color
from pipeline.parameters import load_parameters

SIZE, SCALE = (200, 150), 6  # pictures show the images at 1200 x 900
GROUND = (20, 70, 20)
APPLE, PEAR = class_color(1), class_color(2)
PARAMETERS = {  # whatever PARAMETERS.py says, these are what the numbers in the tests depend on
    "datasetName": "fruit", "classes": "apple,pear,plum", "classifier": "svm", "imageSet": "test",
    "roi_engine": "grid", "grid_nrScales": 0, "grid_stepRel": 0.5, "cntk_nrRois": 30, "networkWeights": "random",
    "roi_minDimRel": 0.05, "roi_maxDimRel": 1, "roi_minNrPixelsRel": 0, "roi_maxNrPixelsRel": 1,
    "roi_maxAspectRatio": 4, "train_posOverlapThres": 0.5, "nmsThreshold": 0.3,
    "vis_decisionThresholds": {"svm": 0, "nn": 0.5}, "eval_overlapThreshold": 0.5, "eval_wantedPrecision": 0.9,
}  # fmt: skip
TRUTH = {  # in no image there is a plum
    "positive/1.png": [("apple", [20, 20, 60, 60]), ("pear", [100, 40, 150, 100])],
    "positive/2.png": [("apple", [40, 40, 90, 90])],
    "testImages/1.png": [
        ("apple", [20, 20, 60, 60]),
        ("pear", [100, 40, 150, 100]),
        ("EXCLUDE", [160, 100, 190, 140]),
    ],
    "testImages/2.png": [("apple", [30, 30, 80, 80])],
}
JUNK = [[x, 120, x + 20, 140] for x in range(0, 70)]  # these touch no object
ROI_LISTS = {
    "positive/1.png": [[22, 20, 60, 60], [20, 22, 60, 60], *JUNK],
    "positive/2.png": JUNK,
    "negative/1.png": JUNK,
    "testImages/1.png": [[20, 20, 60, 60], [100, 40, 150, 70]],  # the second is the upper half of the pear: IoU 0.5
    "testImages/2.png": [*JUNK[:60], [30, 30, 80, 80]],
}


def make_fruit(tmp_path):
    """Parameters of a data set of five images of one colour, with step 1's files, at parameters that suit it."""
    params = load_parameters([f"{name}={value}" for name, value in PARAMETERS.items()] + [
        f"{name}RootDir={tmp_path / name}" for name in ("data", "proc", "results")
    ])  # fmt: skip
    for key in ROI_LISTS:
        path = params.image_dir / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE, GROUND).save(path)
        if key in TRUTH:
            write_annotation(path, [box for _, box in TRUTH[key]], [label for label, _ in TRUTH[key]])
    for image in list_images(params):
        write_rois(roi_path(params.roi_dir, image), Rois.of(ROI_LISTS[image.key]))
    complete(params, ROIS)
    return params


def complete(params, *steps):
    """Leave the records that these steps would leave."""
    for step in steps:
        run = StepRun(params, step)
        run.start({})
        run.finish()


def write_found(params, found):
    """What steps 3 to 5 leave. found: image key -> list of (class id, score, box, kept)."""
    complete(params, FEATURES, SVMS, DETECTIONS)
    rows = []
    for key, listed in found.items():
        class_ids, scores, boxes, kept = zip(*listed, strict=True)
        detections = Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(class_ids))
        rows += detection_rows(key, Candidates(detections, np.array(kept)), params.all_classes)
    write_detections(detection_path(params), rows)


class Panels:
    """The two panels of a picture: `left` and `right` give the colour at a place of the original image."""

    def __init__(self, picture):
        rows, columns = np.nonzero((np.abs(picture.astype(int) - GROUND) < 8).all(axis=-1))
        self.x, self.y, self.picture = columns.min(), rows.min(), picture
        assert columns.max() + 1 == picture.shape[1] - self.x, "two panels with equal margins"

    def left(self, x, y):
        return tuple(self.picture[self.y + y * SCALE, self.x + x * SCALE].tolist())

    def right(self, x, y):
        return tuple(self.picture[self.y + y * SCALE, 2 * self.x + (SIZE[0] + x) * SCALE].tolist())
