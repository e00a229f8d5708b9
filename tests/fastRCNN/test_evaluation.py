"""Protects the figures by which detectors are judged: average precision as PASCAL VOC and COCO define it, and recall.

Oracles: cases computed by hand, a published example, VOC's protocol in plain Python (after the devkit's VOCevaldet.m,
one detection at a time), and pycocotools.
"""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from random_detections import NOTHING, NR_CLASSES, detections, random_image_set, truth

from fastRCNN.boxes import as_boxes
from fastRCNN.evaluation import COCO_THRESHOLDS, coco_ap, mean_ap, precision_recall, recall_at
from fastRCNN.matching import FALSE_POSITIVE, IGNORED, TRUE_POSITIVE, coco_verdicts, match_coco, match_voc
from fastRCNN.structures import GroundTruth


def place(index):
    """A 10 x 10 box of its own."""
    return [20 * index, 0, 20 * index + 10, 10]


def curve_of(verdicts, nr_objects):
    """The curve of one image whose detections are right (1) or wrong (0) in this order of falling score."""
    boxes = [place(index) if right else place(index + 1000) for index, right in enumerate(verdicts)]
    objects = [place(index) for index, right in enumerate(verdicts) if right]
    objects += [place(index + 2000) for index in range(nr_objects - len(objects))]
    return precision_recall([detections(boxes, -np.arange(len(boxes)))], [truth(objects)], 1)


def test_curve_and_its_averages_by_hand():
    curve = curve_of([1, 0, 1, 0, 0], nr_objects=4)
    assert curve.precision == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4, 2 / 5])
    assert curve.recall == pytest.approx([1 / 4, 1 / 4, 2 / 4, 2 / 4, 2 / 4])
    assert curve.scores.tolist() == [0, -1, -2, -3, -4] and curve.nr_objects == 4
    # area: 1 up to recall 1/4, 2/3 up to 2/4, nothing beyond
    assert curve.ap() == pytest.approx(1 / 4 + 2 / 3 / 4, abs=1e-12)
    # 1 at the recalls 0, 0.1, 0.2; 2/3 at 0.3, 0.4, 0.5; 0 at the other five
    assert curve.ap(use_11_points=True) == pytest.approx((3 + 3 * 2 / 3) / 11, abs=1e-12)
    # 1 at the 26 recalls 0 to 0.25, 2/3 at the 25 of 0.26 to 0.5, 0 at the other 50
    assert curve.coco_ap() == pytest.approx((26 + 25 * 2 / 3) / 101, abs=1e-12)


# all right; all wrong; precision 0, 1/2, 2/3, 3/4, where at every recall up to 1 the best to come is 3/4
@pytest.mark.parametrize(("verdicts", "expected"), [([1, 1, 1], 1), ([0, 0], 0), ([0, 1, 1, 1], 0.75)])
def test_averages_that_agree(verdicts, expected):
    curve = curve_of(verdicts, nr_objects=3)
    assert [curve.ap(), curve.ap(True), curve.coco_ap()] == pytest.approx([expected] * 3, abs=1e-12)


def test_published_example():
    """Padilla et al., "A survey on performance metrics for object-detection algorithms", IWSSIP 2020, and the README of
    github.com/rafaelpadilla/Object-Detection-Metrics: 15 objects, 24 detections; AP 24.56 %, with 11 points 26.84 %."""
    right = {1, 3, 10, 12, 13, 14, 23}  # of the 24 detections from the highest confidence down
    curve = curve_of([rank in right for rank in range(1, 25)], nr_objects=15)
    assert curve.precision[[9, 13, 22, 23]] == pytest.approx([0.3, 0.4285, 0.3043, 0.2916], abs=1e-4)
    assert curve.recall[[9, 13, 22, 23]] == pytest.approx([0.2, 0.4, 0.4666, 0.4666], abs=1e-4)
    assert curve.ap() == pytest.approx(0.2456, abs=1e-4)  # the page adds up numbers cut off after four digits
    assert curve.ap(use_11_points=True) == pytest.approx(0.2684, abs=1e-4)


def test_voc_second_hit_is_false_and_only_the_best_object_counts():
    objects = as_boxes([[0, 0, 10, 10], [0, 4, 10, 14]])
    # all boxes overlap object 0 most (IoU 1, then 90 of 110). VOC looks no further, so rows 1 and 2 are false although
    # object 1 is free, which they overlap by 70 of 130 = 0.54; COCO gives it to row 1
    boxes = as_boxes([[0, 0, 10, 10], [0, 1, 10, 11], [0, 1, 10, 11]])
    assert match_voc(boxes, truth(objects), 0.5).tolist() == [TRUE_POSITIVE, FALSE_POSITIVE, FALSE_POSITIVE]
    assert match_coco(boxes, truth(objects), 0.5).tolist() == [TRUE_POSITIVE, TRUE_POSITIVE, FALSE_POSITIVE]


def test_of_two_objects_overlapped_equally_voc_takes_the_first_and_coco_the_last():
    objects = as_boxes([[0, 0, 10, 10], [0, 4, 10, 14]])
    # row 0 shares 80 of 120 with either; row 1 is object 1 and shares 60 of 140, less than half, with object 0
    boxes = as_boxes([[0, 2, 10, 12], [0, 4, 10, 14]])
    assert match_voc(boxes, truth(objects), 0.5).tolist() == [TRUE_POSITIVE, TRUE_POSITIVE]
    assert match_coco(boxes, truth(objects), 0.5).tolist() == [TRUE_POSITIVE, FALSE_POSITIVE]
    assert pycocotools_ap([detections(boxes, [2, 1])], [truth(objects)])[0, 0] == pytest.approx(51 / 101)


@pytest.mark.parametrize("match", [match_voc, match_coco])
def test_overlap_equal_to_the_threshold_is_a_hit(match):
    boxes, objects = as_boxes([[0, 0, 10, 5]]), truth([[0, 0, 10, 10]])  # 50 of 100
    assert match(boxes, objects, 0.5).tolist() == [TRUE_POSITIVE]
    assert match(boxes, objects, 0.501).tolist() == [FALSE_POSITIVE]


def test_ignored_object_absorbs_detections():
    objects = truth([place(0), place(1)], ignored=[True, False])
    boxes = as_boxes([place(0), place(0), place(1), place(5)])
    # VOC: any number of detections; COCO: one, a second one is false
    assert match_voc(boxes, objects, 0.5).tolist() == [IGNORED, IGNORED, TRUE_POSITIVE, FALSE_POSITIVE]
    assert match_coco(boxes, objects, 0.5).tolist() == [IGNORED, FALSE_POSITIVE, TRUE_POSITIVE, FALSE_POSITIVE]


def test_ignored_objects_of_one_class_and_of_all():
    # places: 0 an object of class 1, 1 ignored for class 1, 2 ignored for class 2, 3 ignored for every class
    objects = truth([place(i) for i in range(4)], [1, 1, 2, 0], [False, True, True, True])
    found = detections([place(i) for i in range(4)], [4, 3, 2, 1])
    curve = precision_recall([found], [objects], 1)
    assert curve.nr_objects == 1 and curve.precision.tolist() == [1, 0.5]
    assert curve.scores.tolist() == [4, 2]  # the detections on places 1 and 3 are ignored
    curve = precision_recall([detections(found.boxes, found.scores, [2] * 4)], [objects], 2)
    assert curve.nr_objects == 0 and curve.scores.tolist() == [4, 3]


def test_without_objects_or_detections():
    nothing_true = precision_recall([detections([place(0)], [1])], [GroundTruth()], 1)
    assert nothing_true.ap() is None and nothing_true.ap(True) is None and nothing_true.coco_ap() is None
    assert nothing_true.precision.tolist() == [0] and nothing_true.recall.tolist() == [0]
    nothing_found = precision_recall([NOTHING], [truth([place(0)])], 1)
    assert [nothing_found.ap(), nothing_found.ap(True), nothing_found.coco_ap()] == [0, 0, 0]
    assert precision_recall([], [], 1).ap() is None
    with pytest.raises(ValueError):  # an image was lost on the way
        precision_recall([NOTHING], [GroundTruth(), GroundTruth()], 1)
    assert coco_ap([NOTHING], [GroundTruth()], 1) is None
    assert coco_ap([NOTHING], [truth([place(0)])], 1) == 0


def test_mean_ap_skips_classes_without_objects():
    assert mean_ap([0.5, None, 0.0, 1.0]) == pytest.approx(0.5)
    assert mean_ap([None, None]) is None and mean_ap([]) is None


def test_only_the_best_detections_of_an_image_count():
    found = detections([place(2), place(0), place(1)], [1, 3, 2])
    curve = precision_recall([found, found], [truth([place(0)])] * 2, 1, max_per_image=2)
    assert curve.scores.tolist() == [3, 3, 2, 2]
    # COCO's bound is 100: 100 false ones before the only right one leave nothing
    crowd = detections([place(i) for i in range(1, 101)] + [place(0)], -np.arange(101))
    assert coco_ap([crowd], [truth([place(0)])], 1) == 0
    assert coco_ap([crowd.take(slice(1, None))], [truth([place(0)])], 1) == pytest.approx(1 / 100)


def test_recall_at():
    objects = [truth([place(0), place(1), place(2)], [1, 2, 0], [False, False, True]), truth([place(0)])]
    half = [0, 0, 10, 5]  # IoU 0.5 with place 0
    proposals = [np.array([place(9), place(0), place(2)]), np.array([half])]
    # three objects count: place 0 is found, place 1 is not; the other image's only at the IoU of 0.5
    assert recall_at(proposals, objects, 0.5) == pytest.approx(2 / 3)
    assert recall_at(proposals, objects, 0.51) == pytest.approx(1 / 3)
    assert recall_at(proposals, objects, 0.5, max_proposals=1) == pytest.approx(1 / 3)
    assert recall_at([[], []], objects, 0.5) == 0
    assert recall_at([[]], [GroundTruth()], 0.5) is None


def columns(*arrays):
    """Rows of several arrays as tuples of plain Python values."""
    return zip(*(array.tolist() for array in arrays), strict=True)


def plain_voc(found, truths, class_id, threshold):
    """(precisions, recalls, number of objects) by VOCevaldet.m, in plain numbers and loops."""
    objects, queue = [], []
    for image, (one, true) in enumerate(zip(found, truths, strict=True)):
        rows = [row for row in columns(true.class_ids, true.boxes, true.ignored) if row[0] == class_id or not row[0]]
        objects.append([{"box": box, "difficult": ignored, "found": False} for _, box, ignored in rows])
        rows = columns(one.class_ids, one.boxes, one.scores)
        queue += [(-score, image, box) for found_class, box, score in rows if found_class == class_id]
    nr_objects = sum(not item["difficult"] for image in objects for item in image)
    hits = seen = 0
    precisions, recalls = [], []
    for _, image, box in sorted(queue, key=lambda entry: entry[0]):  # stable: ties stay in the order of the images
        best, best_iou = None, -1.0
        for item in objects[image]:
            other = item["box"]
            width = min(box[2], other[2]) - max(box[0], other[0])
            height = min(box[3], other[3]) - max(box[1], other[1])
            shared = max(width, 0) * max(height, 0)
            both = (box[2] - box[0]) * (box[3] - box[1]) + (other[2] - other[0]) * (other[3] - other[1])
            if shared / (both - shared) > best_iou:
                best, best_iou = item, shared / (both - shared)
        if best_iou >= threshold and best["difficult"]:
            continue
        right = best_iou >= threshold and not best["found"]
        if right:
            best["found"] = True
        hits, seen = hits + right, seen + 1
        precisions.append(hits / seen)
        recalls.append(hits / nr_objects if nr_objects else 0.0)
    return precisions, recalls, nr_objects


def plain_averages(precisions, recalls):
    """Area under the monotone curve and 11-point average."""
    steps = [recall - last for recall, last in zip(recalls, [0.0] + recalls, strict=False)]
    area = sum(step * max(precisions[rank:]) for rank, step in enumerate(steps))
    pairs = list(zip(precisions, recalls, strict=True))
    return area, sum(max([p for p, recall in pairs if recall >= i / 10], default=0.0) for i in range(11)) / 11


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_voc_against_plain_python(threshold):
    random = np.random.default_rng(7)
    seen = {"ap": 0, "without objects": 0, "without detections": 0, "ignored": 0}
    for _ in range(250):
        found, truths = random_image_set(random)
        for class_id in range(1, NR_CLASSES + 1):
            curve = precision_recall(found, truths, class_id, threshold)
            precisions, recalls, nr_objects = plain_voc(found, truths, class_id, threshold)
            assert curve.nr_objects == nr_objects
            assert curve.precision == pytest.approx(precisions, abs=1e-12)
            assert curve.recall == pytest.approx(recalls, abs=1e-12)
            nr_found = sum((one.class_ids == class_id).sum() for one in found)
            seen["ignored"] += len(precisions) < nr_found
            seen["without detections"] += nr_found == 0
            if nr_objects == 0:
                seen["without objects"] += 1
                assert curve.ap() is None and curve.ap(use_11_points=True) is None
                continue
            area, points = plain_averages(precisions, recalls)
            assert curve.ap() == pytest.approx(area, abs=1e-9)
            assert curve.ap(use_11_points=True) == pytest.approx(points, abs=1e-9)
            seen["ap"] += 0 < area < 1
    assert min(seen.values()) > 20, f"the random cases miss a situation: {seen}"


def pycocotools_ap(found, truths):
    """AP (thresholds, classes) by COCOeval, -1 where a class has no object."""
    annotations, results = [], []
    for image, (one, true) in enumerate(zip(found, truths, strict=True), start=1):
        for (x1, y1, x2, y2), class_id, ignored in columns(true.boxes, true.class_ids, true.ignored):
            for category in range(1, NR_CLASSES + 1) if class_id == 0 else [class_id]:
                # COCOeval overwrites "ignore" with "iscrowd", which also changes the IoU; what it does honour is an
                # area beyond the evaluated range of 0 to 1e10, by which it leaves out an object but not a detection
                entry = {"id": len(annotations) + 1, "image_id": image, "category_id": category, "iscrowd": 0}
                bbox = [x1, y1, x2 - x1, y2 - y1]
                annotations.append(entry | {"bbox": bbox, "area": 1e11 if ignored else bbox[2] * bbox[3]})
        for (x1, y1, x2, y2), score, class_id in columns(one.boxes, one.scores, one.class_ids):
            bbox = [x1, y1, x2 - x1, y2 - y1]
            results.append({"image_id": image, "category_id": class_id, "score": score, "bbox": bbox})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        images, categories = ([{"id": i + 1} for i in range(count)] for count in (len(truths), NR_CLASSES))
        coco.dataset = {"images": images, "annotations": annotations, "categories": categories}
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, -1].mean(axis=1)  # area range "all", 100 detections


@pytest.mark.slow
def test_coco_against_pycocotools():
    random = np.random.default_rng(8)
    seen = {"ap": 0, "without objects": 0}
    # the last image set has more than 100 detections per class and image
    for most in [12] * 40 + [500]:
        found, truths = random_image_set(random, nr_images=5, most=most)
        if not any(len(one) for one in found):
            continue  # which COCO.loadRes refuses
        for class_id, wanted in enumerate(pycocotools_ap(found, truths).T, start=1):
            aps = [precision_recall(found, truths, class_id, t, coco_verdicts, 100).coco_ap() for t in COCO_THRESHOLDS]
            if wanted[0] < 0:
                seen["without objects"] += 1
                assert aps == [None] * 10 and coco_ap(found, truths, class_id) is None
                continue
            assert aps == pytest.approx(wanted.tolist(), abs=1e-9)
            assert coco_ap(found, truths, class_id) == pytest.approx(wanted.mean(), abs=1e-9)
            seen["ap"] += 0 < wanted.mean() < 1
    assert max((one.class_ids == 1).sum() for one in found) > 100
    assert seen["ap"] > 50 and seen["without objects"] > 5, seen
