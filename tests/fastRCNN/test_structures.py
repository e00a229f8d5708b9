"""Protects what travels through the pipeline: that boxes, ids, flags, scores and origins stay together."""

import numpy as np
from ground_truth import part, truth

from fastRCNN.boxes import as_boxes
from fastRCNN.structures import Candidates, Detections, GroundTruth, Origin, Rois, RoiScores

LEFT, MIDDLE, RIGHT = part(100), part(100, 200), part(100, 500)
ORANGE, WATER = 1, 2


def test_ignored_ground_truth_does_not_count_but_matters_to_its_class():
    difficult = GroundTruth(as_boxes([LEFT, MIDDLE]), np.array([ORANGE, WATER]), np.array([False, True]))
    assert len(difficult) == 2 and difficult.counted.boxes.tolist() == [LEFT]
    assert difficult.of_class(WATER).ignored.tolist() == [True] and len(difficult.of_class(3)) == 0
    everyones = truth((LEFT, ORANGE), (RIGHT, None))  # an EXCLUDE box matters to every class
    for class_id, wanted in ((ORANGE, [LEFT, RIGHT]), (WATER, [RIGHT])):
        assert everyones.of_class(class_id).boxes.tolist() == wanted


def test_a_mirror_keeps_ids_flags_and_origins():
    objects = truth((LEFT, ORANGE), (MIDDLE, None)).mirrored(600)
    assert objects.boxes.tolist() == [[500, 0, 600, 100], [300, 0, 400, 100]]
    assert (objects.class_ids.tolist(), objects.ignored.tolist()) == ([ORANGE, 0], [False, True])
    rois = Rois.of([LEFT], Origin.GROUND_TRUTH).then(Rois.of([MIDDLE])).mirrored(600)
    assert rois.boxes.tolist() == objects.boxes.tolist() and rois.found.tolist() == [False, True]


def test_rois_keep_their_origins():
    rois = Rois.of([LEFT, MIDDLE], Origin.GROUND_TRUTH).then(Rois.of([RIGHT])).then(Rois.of([LEFT], Origin.GRID))
    assert rois.boxes.dtype == np.float32 and rois.nr_ground_truth == 2
    assert rois.origins.tolist() == [Origin.GROUND_TRUTH, Origin.GROUND_TRUTH, Origin.PROPOSAL, Origin.GRID]
    assert rois.take(rois.found).boxes.tolist() == [RIGHT, LEFT]
    assert rois.take(np.array([3, 0])).origins.tolist() == [Origin.GRID, Origin.GROUND_TRUTH]
    assert len(Rois.of([])) == 0 and Rois.of([]).boxes.shape == (0, 4) and Rois.of([]).nr_ground_truth == 0


def test_scores_of_some_rois():
    scored = RoiScores(np.arange(6.0).reshape(3, 2), np.arange(24.0).reshape(3, 2, 4))
    some = scored.take(np.array([True, False, True]))
    assert some.scores.tolist() == [[0, 1], [4, 5]] and some.offsets[1, 0].tolist() == [16, 17, 18, 19]
    assert RoiScores(scored.scores, None).take(slice(1)).offsets is None


def test_candidates_and_what_is_kept():
    found = Detections(as_boxes([LEFT, MIDDLE, RIGHT]), np.array([1.0, 3.0, 3.0], np.float32), np.array([1, 2, 1]))
    assert found.by_score().boxes.tolist() == [MIDDLE, RIGHT, LEFT], "equal scores keep their order"
    candidates = Candidates(found, np.array([True, False, True]))
    assert candidates.kept.class_ids.tolist() == [1, 1] and candidates.kept.boxes.tolist() == [LEFT, RIGHT]
    assert candidates.take(slice(1, None)).kept.scores.tolist() == [3.0]
    assert len(Candidates().all) == len(Candidates().kept) == 0
