"""Detections and ground truth, given by hand or drawn at random."""

import numpy as np

from fastRCNN.boxes import as_boxes
from fastRCNN.structures import Detections, GroundTruth

NR_CLASSES = 3


NOTHING = Detections()


def detections(boxes, scores, class_ids=None):
    class_ids = [1] * len(scores) if class_ids is None else class_ids
    return Detections(as_boxes(boxes), np.array(scores, np.float32), np.array(class_ids, np.int64))


def truth(boxes, class_ids=None, ignored=None):
    class_ids = [1] * len(boxes) if class_ids is None else class_ids
    ignored = [False] * len(boxes) if ignored is None else ignored
    return GroundTruth(as_boxes(boxes), np.array(class_ids, np.int64), np.array(ignored, bool))


def random_image_set(random, nr_images=4, most=8):
    """Whole-number boxes, so that IoUs tie and meet thresholds exactly; scores in steps of 1/8 tie as well; objects are
    hit several times, and images and classes stay empty."""
    found, truths = [], []
    for _ in range(nr_images):
        count = int(random.integers(0, 6))
        corners = random.integers(0, 30, (count, 2))
        boxes = np.hstack([corners, corners + random.integers(4, 20, (count, 2))])
        ignored = random.random(count) < 0.25
        # a class id of 0 is only for objects whose class nobody knows; class 3 is rare
        class_ids = np.where(ignored & (random.random(count) < 0.5), 0, random.choice([1, 1, 2, 2, 3], count))
        truths.append(truth(boxes, class_ids, ignored))
        count_found = int(random.integers(1, most) * (random.random() < 0.8))
        targets = boxes if count else np.array([[5, 5, 9, 9]])
        hits = targets[random.integers(0, len(targets), count_found)]
        hits = hits + random.integers(-2, 3, (count_found, 4)) * (random.random((count_found, 1)) < 0.7)
        hits[:, 2:] = np.maximum(hits[:, 2:], hits[:, :2] + 1)
        scores = random.integers(0, 12, count_found) / 8
        found.append(detections(hits, scores, random.choice([1, 1, 2, 2, 3], count_found)))
    return found, truths
