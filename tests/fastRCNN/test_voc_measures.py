"""Protects the figures that are compared with published ones: PASCAL VOC's average precision, both ways, equals what
its definition says on thousands of random image sets, to 1e-6 and in fact to rounding; and VOC's result files carry it.

The oracle is written in fractions and from texts, not from code: the development kit of 2010, sections 4.4 (a detection
is right when it overlaps an object by half; further detections of the object are false) and 3.4.1 (area under the curve
made monotonically decreasing), and Everingham et al., IJCV 2010 (mean precision at 11 recalls; objects marked difficult
count neither way). Only what they leave open is as in the kit's code: half itself is enough, and of equally close
objects the first is meant.
test_evaluation.py has cases by hand, a published example and a transliteration of VOCevaldet.m.
"""

from fractions import Fraction

import numpy as np
import pytest
from random_detections import NOTHING, NR_CLASSES, detections, random_image_set, truth

from fastRCNN.evaluation import mean_ap, precision_recall
from fastRCNN.structures import GroundTruth
from helpers.artifacts.voc_results import read_results, voc_results

CLASSES = ("one", "two", "three")
NR_CASES = 1400  # image sets of three classes, half of them at each threshold


def overlap(box, other):
    """Intersection over union of two boxes of whole numbers, exactly."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return Fraction(0)
    shared = width * height
    area, other_area = ((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return Fraction(shared, area + other_area - shared)


def judged(found, truths, class_id, threshold):
    """(right or wrong of every detection that counts, from the highest score down, number of objects that count)."""
    ranked, nr_objects, claimed = [], 0, set()
    objects = []
    for image, true in enumerate(truths):
        mine = [
            (tuple(map(int, box)), bool(difficult))
            for box, object_class, difficult in zip(true.boxes, true.class_ids, true.ignored, strict=True)
            if object_class == class_id or (object_class == 0 and difficult)
        ]
        objects.append(mine)
        nr_objects += sum(not difficult for _, difficult in mine)
        one = found[image]
        ranked += [
            (score, image, tuple(map(int, box)))
            for box, score, found_class in zip(one.boxes, one.scores, one.class_ids, strict=True)
            if found_class == class_id
        ]
    right = []
    for _, image, box in sorted(ranked, key=lambda row: row[0], reverse=True):  # equal ones stay in the images' order
        if not objects[image]:
            right.append(False)
            continue
        overlaps = [overlap(box, other) for other, _ in objects[image]]
        closest = overlaps.index(max(overlaps))  # of equally close ones the first
        if overlaps[closest] < threshold:
            right.append(False)
        elif not objects[image][closest][1]:  # on a difficult one: neither right nor wrong
            right.append((image, closest) not in claimed)
            claimed.add((image, closest))
    return right, nr_objects


def defined_ap(right, nr_objects):
    """(11-point average, area under the monotone curve), as fractions; (None, None) without objects.

    Recall takes the values 0/n, 1/n, ... n/n only, and the curve falls, so its area is the mean over k = 1..n of the
    best precision among all ranks where at least k objects are found.
    """
    if not nr_objects:
        return None, None
    hits = [sum(right[: rank + 1]) for rank in range(len(right))]
    precision = [Fraction(count, rank + 1) for rank, count in enumerate(hits)]

    def best(wanted_hits):
        return max((p for p, count in zip(precision, hits, strict=True) if count >= wanted_hits), default=Fraction(0))

    points = sum(best(Fraction(tenth * nr_objects, 10)) for tenth in range(11)) / 11
    return points, sum(best(count) for count in range(1, nr_objects + 1)) / nr_objects


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [Fraction(1, 2), Fraction(7, 10)])
def test_both_averages_by_their_definition(threshold):
    random = np.random.default_rng(11)
    seen = dict.fromkeys(("ap", "no object", "no detection", "difficult", "tie", "second hit", "empty image"), 0)
    for _ in range(NR_CASES // 2):
        found, truths = random_image_set(random)
        for class_id in range(1, NR_CLASSES + 1):
            right, nr_objects = judged(found, truths, class_id, threshold)
            points, area = defined_ap(right, nr_objects)
            curve = precision_recall(found, truths, class_id, float(threshold))
            assert curve.nr_objects == nr_objects
            assert curve.ap(use_11_points=True) == pytest.approx(points, abs=1e-9)
            assert curve.ap() == pytest.approx(area, abs=1e-9)
            scores = np.concatenate([one.scores[one.class_ids == class_id] for one in found])
            seen["ap"] += nr_objects > 0 and 0 < area < 1
            seen["no object"] += nr_objects == 0
            seen["no detection"] += len(scores) == 0
            seen["difficult"] += len(right) < len(scores)
            seen["tie"] += len(set(scores.tolist())) < len(scores)
        seen["empty image"] += any(len(true.boxes) == 0 and len(one) for one, true in zip(found, truths, strict=True))
        seen["second hit"] += any(len(set(map(tuple, one.boxes.tolist()))) < len(one) for one in found)
    assert min(seen.values()) > NR_CASES // 20, f"the random cases miss a situation: {seen}"


def test_large_classes_by_their_definition():
    """Hundreds of detections: recalls fall on 0.1, 0.2, ... exactly, and between them."""
    random = np.random.default_rng(12)
    for nr_objects in (1, 3, 7, 10, 30, 100, 101):
        place = np.arange(nr_objects)[:, None] * (20, 0, 20, 0) + (0, 0, 10, 10)
        boxes = place[random.integers(0, nr_objects, 3 * nr_objects)]
        boxes[random.random(len(boxes)) < 0.4] += (0, 500, 0, 500)  # nowhere
        found = detections(boxes, random.integers(0, 40, len(boxes)) / 64).by_score()
        right, count = judged([found], [truth(place)], 1, Fraction(1, 2))
        points, area = defined_ap(right, count)
        curve = precision_recall([found], [truth(place)], 1)
        assert curve.ap(use_11_points=True) == pytest.approx(points, abs=1e-9)
        assert curve.ap() == pytest.approx(area, abs=1e-9)


def test_against_the_package_object_detection_metrics():
    """Its podm.metrics comes from Padilla's Object-Detection-Metrics. Not among the requirements, as it brings pandas;
    `pip install --no-deps object-detection-metrics shapely` is enough for this. It knows no difficult objects, and of
    its 11 recalls three are not tenths but the next float64 above (0.30000000000000004), which recalls miss that are
    exactly 0.3; these only occur when the number of objects is a multiple of 5."""
    metrics = pytest.importorskip("podm.metrics")
    random = np.random.default_rng(13)
    methods = metrics.MethodAveragePrecision
    for _ in range(500):
        found, truths = random_image_set(random)
        truths = [truth(t.boxes[~t.ignored], t.class_ids[~t.ignored]) for t in truths]
        objects, guesses = [], []
        for image, (one, true) in enumerate(zip(found, truths, strict=True)):
            one = one.by_score()
            for box, class_id in zip(true.boxes, true.class_ids, strict=True):
                objects.append(metrics.BoundingBox.of_bbox(image, int(class_id), *map(float, box)))
            for box, class_id, score in zip(one.boxes, one.class_ids, one.scores, strict=True):
                guesses.append(metrics.BoundingBox.of_bbox(image, int(class_id), *map(float, box), float(score)))
        for points, method in ((True, methods.ElevenPointsInterpolation), (False, methods.AllPointsInterpolation)):
            wanted = metrics.get_pascal_voc_metrics(objects, guesses, 0.5, method)
            for class_id in range(1, NR_CLASSES + 1):
                curve = precision_recall(found, truths, class_id)
                if curve.nr_objects and not (points and curve.nr_objects % 5 == 0):
                    assert curve.ap(points) == pytest.approx(wanted[class_id].ap, abs=1e-6)


def uneven_image_set(random):
    """As `random_image_set`, but corners are fractions of pixels and scores have all digits of float32, or tie."""
    found, truths = random_image_set(random)
    shifted = []
    for one in found:
        boxes = np.maximum(one.boxes + random.normal(0, 0.7, one.boxes.shape), 0)
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 0.1)
        scores = random.choice([-1.2345678, 1e-9, 0.1, 1 / 3, np.nextafter(np.float32(0.1), 1)], len(one))
        scores = np.where(random.random(len(one)) < 0.5, scores, random.normal(size=len(one)))
        shifted.append(detections(boxes, scores, one.class_ids).by_score())
    return shifted, truths


def from_files(folder, nr_images):
    """What VOC's result files hold, as one entry per image."""
    images = [[] for _ in range(nr_images)]
    for class_id, rows in enumerate(read_results(folder, CLASSES).values(), start=1):
        for image, score, box in zip(rows.images, rows.scores, rows.boxes, strict=True):
            images[int(image)].append((box, score, class_id))
    return [detections(*zip(*rows, strict=True)) if rows else NOTHING for rows in images]


def test_result_files_give_the_same_figures(tmp_path):
    random = np.random.default_rng(14)
    different = 0
    for _ in range(60):
        found, truths = uneven_image_set(random)
        with voc_results(tmp_path, CLASSES) as add:
            for index, one in enumerate(found):
                add(f"testImages/{index:06d}.jpg", one)
        read = from_files(tmp_path, len(found))
        for points in (True, False):
            aps, aps_of_files = (
                [precision_recall(one, truths, class_id).ap(points) for class_id in range(1, NR_CLASSES + 1)]
                for one in (found, read)
            )
            assert aps == aps_of_files
            assert mean_ap(aps) == mean_ap(aps_of_files)
        different += mean_ap(aps) not in (None, 0, 1)
    assert different > 30


def test_an_image_set_without_objects_or_detections(tmp_path):
    with voc_results(tmp_path, CLASSES) as add:
        add("000000.jpg", NOTHING)
    read = from_files(tmp_path, 1)
    assert precision_recall(read, [GroundTruth()], 1).ap(True) is None
    assert precision_recall(read, [truth([[0, 0, 9, 9]])], 1).ap(True) == 0
