"""Protects what a classifier is taught: which ROI is positive for which class, which is negative and which is
neither, what box regression learns from, and how confusions are counted.

A ROI with the wrong label raises no error and costs average precision. Every number here follows from boxes whose
overlaps can be computed in the head: a box 100 wide and 100 high, and ROIs that are a part of it.
"""

import numpy as np
import pytest
from ground_truth import part, truth

from fastRCNN.boxes import as_boxes
from fastRCNN.confusion import confusion_matrix
from fastRCNN.structures import Detections, GroundTruth
from fastRCNN.targets import best_overlaps, regression_targets, roi_class_ids, svm_targets

ORANGE, WATER, KETCHUP = 1, 2, 3
NONE = as_boxes([])
FAR = [500, 500, 600, 600]


# left: [0, 0, 100, 100]; right: [1000, 0, 1100, 100]
LEFT, RIGHT = part(100), part(100, 1000)
TWO = truth((LEFT, ORANGE), (RIGHT, WATER))
NO_TRUTH = truth()


# --- the object that a ROI overlaps most ---


def test_best_overlaps():
    rois = as_boxes([part(60), part(30, 1000), LEFT])
    index, overlap = best_overlaps(rois, TWO)
    assert index.tolist() == [0, 1, 0]
    assert overlap.tolist() == [0.6, 0.3, 1]


def test_best_overlaps_counts_in_the_list_with_ignored_boxes():
    objects = truth((LEFT, None), (RIGHT, None), (part(50), ORANGE))
    # the ignored box fits better, but is no object; index 2 is the ROI's place among all boxes
    index, overlap = best_overlaps(as_boxes([part(100)]), objects)
    assert index.tolist() == [2] and overlap.tolist() == [0.5]


def test_best_overlaps_of_equal_overlaps_is_the_first():
    objects = truth((LEFT, WATER), (LEFT, ORANGE))
    assert best_overlaps(as_boxes([part(70)]), objects)[0].tolist() == [0]


@pytest.mark.parametrize("objects", [NO_TRUTH, truth((LEFT, None))])
def test_best_overlaps_without_any(objects):
    index, overlap = best_overlaps(as_boxes([LEFT, FAR]), objects)
    assert index.tolist() == [-1, -1] and overlap.tolist() == [0, 0]


@pytest.mark.parametrize("objects", [NO_TRUTH, TWO])
def test_no_roi(objects):
    index, overlap = best_overlaps(NONE, objects)
    assert index.shape == overlap.shape == (0,)
    assert roi_class_ids(NONE, objects, 0.5).shape == (0,)
    assert svm_targets(NONE, objects, 3, 0.5, 0.3).shape == (0, 3)
    rows, framed = regression_targets(NONE, objects, 0.5)
    assert rows.shape == framed.class_ids.shape == (0,) and framed.boxes.shape == (0, 4)


# --- one class per ROI, as in the input files ---


def test_roi_class_ids():
    rois = as_boxes([part(50), part(49), part(50, 1000), FAR, LEFT, RIGHT])
    assert roi_class_ids(rois, TWO, 0.5).tolist() == [ORANGE, 0, WATER, 0, ORANGE, WATER]  # 0.5 is enough
    assert roi_class_ids(rois, TWO, 0.49).tolist() == [ORANGE, ORANGE, WATER, 0, ORANGE, WATER]
    assert roi_class_ids(rois, TWO, 1).tolist() == [0, 0, 0, 0, ORANGE, WATER]


def test_a_roi_on_two_objects_has_the_class_of_the_better():
    objects = truth((part(60), ORANGE), (part(80), WATER))
    assert roi_class_ids(as_boxes([part(60), part(70), part(75)]), objects, 0.5).tolist() == [
        ORANGE,  # 1 and 60 / 80
        WATER,  # 60 / 70 = 0.857 and 70 / 80 = 0.875
        WATER,  # 60 / 75 and 75 / 80
    ]


def test_class_ids_without_objects_or_on_ignored_ones():
    for objects in (NO_TRUTH, truth((LEFT, None))):
        assert roi_class_ids(as_boxes([LEFT, FAR]), objects, 0.5).tolist() == [0, 0]


# --- one against the rest, for the SVMs ---


def test_svm_targets_and_their_thresholds():
    rois = as_boxes([LEFT, part(50), part(49), part(30), part(29), FAR, RIGHT])
    targets = svm_targets(rois, TWO, 3, 0.5, 0.3)
    assert targets.dtype == np.int8
    # positive from 0.5 on, negative below 0.3: exactly 0.3 is neither
    assert targets[:, ORANGE - 1].tolist() == [1, 1, 0, 0, -1, -1, -1]
    assert targets[:, WATER - 1].tolist() == [-1, -1, -1, -1, -1, -1, 1]
    # a class without an object in this image: every ROI is negative
    assert targets[:, KETCHUP - 1].tolist() == [-1] * 7


def test_equal_thresholds_leave_nothing_in_between():
    rois = as_boxes([part(50), part(49)])
    assert svm_targets(rois, TWO, 1, 0.5, 0.5)[:, 0].tolist() == [1, -1]


def test_a_roi_on_two_classes_is_positive_for_both():
    objects = truth((LEFT, ORANGE), (part(60), WATER))
    # 0.7 of the first; the second's 60 columns of the ROI's 70: 0.857
    assert svm_targets(as_boxes([part(70)]), objects, 3, 0.5, 0.3).tolist() == [[1, 1, -1]]


def test_two_objects_of_a_class_count_by_the_better():
    objects = truth((LEFT, ORANGE), (part(100, 60), ORANGE))
    rois = as_boxes([part(100, 60), part(50), [110, 0, 160, 100], [90, 0, 110, 100]])
    # the last shares 10 of 110 columns with the first and 20 of 100 with the second: 0.2 at most
    assert svm_targets(rois, objects, 1, 0.5, 0.3)[:, 0].tolist() == [1, 1, 1, -1]


def test_no_roi_that_touches_an_ignored_box_is_negative():
    objects = truth((LEFT, ORANGE), ([200, 0, 300, 100], None))
    rois = as_boxes(
        [
            [299, 99, 400, 200],  # shares one pixel with the ignored box
            [300, 0, 400, 100],  # only the border line
            [0, 0, 500, 500],  # around everything
            [200, 0, 300, 100],  # the ignored box itself
            [20, 0, 201, 100],  # 80 of 201 columns of the orange: neither anyway; none of a water
            [0, 0, 100, 100],
        ]
    )
    targets = svm_targets(rois, objects, 2, 0.5, 0.3)
    assert targets[:, ORANGE - 1].tolist() == [0, -1, 0, 0, 0, 1]
    assert targets[:, WATER - 1].tolist() == [0, -1, 0, 0, 0, -1]


def test_a_positive_remains_one_beside_an_ignored_box():
    objects = truth((LEFT, ORANGE), ([50, 0, 300, 100], None))
    assert svm_targets(as_boxes([LEFT]), objects, 2, 0.5, 0.3).tolist() == [[1, 0]]


def test_an_ignored_box_is_positive_for_no_class():
    # its class id does not matter: a "difficult" object of class 1
    difficult = GroundTruth(as_boxes([LEFT]), np.array([ORANGE]), np.array([True]))
    assert svm_targets(as_boxes([LEFT, FAR]), difficult, 1, 0.5, 0.3).tolist() == [[0], [-1]]
    assert roi_class_ids(as_boxes([LEFT]), difficult, 0.5).tolist() == [0]


def test_an_image_without_objects_gives_negatives_only():
    assert svm_targets(as_boxes([LEFT, FAR]), NO_TRUTH, 2, 0.5, 0.3).tolist() == [[-1, -1], [-1, -1]]


# --- box regression ---


def test_regression_targets():
    objects = truth((RIGHT, WATER), (LEFT, None), (part(100, 2000), KETCHUP))
    rois = as_boxes([LEFT, part(60, 2000), part(59, 2000), RIGHT, FAR])
    rows, framed = regression_targets(rois, objects, 0.6)
    # 0.6 is enough; nothing is learned from ignored boxes
    assert rows.tolist() == [1, 3]
    assert framed.boxes.tolist() == [part(100, 2000), RIGHT]
    assert framed.class_ids.tolist() == [KETCHUP, WATER]


@pytest.mark.parametrize("objects", [NO_TRUTH, truth((LEFT, None)), truth((FAR, WATER))])
def test_nothing_to_learn_from(objects):
    rows, framed = regression_targets(as_boxes([LEFT, RIGHT]), objects, 0.5)
    assert rows.shape == framed.class_ids.shape == (0,) and framed.boxes.shape == (0, 4)


# --- confusion matrix ---


def found(*rows):
    """Detections of (box, score, class id) rows, in this order."""
    return Detections(
        as_boxes([box for box, _, _ in rows]),
        np.array([score for _, score, _ in rows], np.float32),
        np.array([class_id for _, _, class_id in rows], np.int64),
    )


def matrix(detections, objects, threshold=0.0, **options):
    """The confusion matrix of one image with three classes, as a dict of what is not 0: (truth, found) -> count."""
    counts = confusion_matrix([detections], [objects], 3, threshold, **options)
    assert counts.shape == (4, 4) and np.issubdtype(counts.dtype, np.integer)
    return {(int(row), int(column)): int(counts[row, column]) for row, column in np.argwhere(counts)}


def test_right_wrong_missed_and_invented():
    objects = truth((LEFT, ORANGE), (RIGHT, WATER), (part(100, 2000), KETCHUP))
    detections = found((LEFT, 3, ORANGE), (part(80, 1000), 2, KETCHUP), (FAR, 1, WATER))
    assert matrix(detections, objects) == {
        (ORANGE, ORANGE): 1,
        (WATER, KETCHUP): 1,  # the water is taken for ketchup, so it is not missed
        (0, WATER): 1,
        (KETCHUP, 0): 1,
    }


def test_the_better_score_takes_the_object_whatever_the_order():
    rows = [(LEFT, 1, ORANGE), (part(60), 2, WATER)]
    for order in (rows, rows[::-1]):
        assert matrix(found(*order), truth((LEFT, ORANGE))) == {(ORANGE, WATER): 1, (0, ORANGE): 1}


def test_the_next_best_object_is_taken_when_the_best_is_gone():
    objects = truth((part(80), ORANGE), (part(60), WATER))
    # both lie best on the first (1 and 70 / 80); the second then takes the water, 60 / 70
    assert matrix(found((part(80), 2, ORANGE), (part(70), 1, WATER)), objects) == {
        (ORANGE, ORANGE): 1,
        (WATER, WATER): 1,
    }


def test_thresholds_are_inclusive():
    objects = truth((LEFT, ORANGE))
    detections = found((part(50), 0.25, ORANGE))
    assert matrix(detections, objects, 0.25, overlap=0.5) == {(ORANGE, ORANGE): 1}
    assert matrix(detections, objects, 0.25, overlap=0.51) == {(0, ORANGE): 1, (ORANGE, 0): 1}
    assert matrix(detections, objects, 0.26) == {(ORANGE, 0): 1}


def test_ignored_objects_are_neither_missed_nor_wrong():
    objects = truth((LEFT, None), (RIGHT, WATER))
    assert matrix(found(), objects) == {(WATER, 0): 1}
    # any number of detections may lie on an ignored box; beside it they are false
    detections = found((LEFT, 3, ORANGE), (part(50), 2, WATER), (part(49), 1, KETCHUP))
    assert matrix(detections, objects) == {(0, KETCHUP): 1, (WATER, 0): 1}


def test_an_object_is_preferred_to_an_ignored_box():
    objects = truth((LEFT, None), (part(60), ORANGE))
    assert matrix(found((part(90), 1, ORANGE)), objects) == {(ORANGE, ORANGE): 1}


def test_nothing_at_all_and_several_images():
    assert confusion_matrix([], [], 2, 0).tolist() == [[0] * 3] * 3
    assert matrix(found(), NO_TRUTH) == {}
    two = [found((LEFT, 1, ORANGE), (RIGHT, 1, ORANGE)), found((LEFT, 1, WATER))]
    counts = confusion_matrix(two, [TWO, NO_TRUTH], 2, 0)
    # rows: background, orange, water
    assert counts.tolist() == [[0, 0, 1], [0, 1, 0], [0, 1, 0]]
    with pytest.raises(ValueError):
        confusion_matrix(two, [NO_TRUTH], 2, 0)  # one per image
