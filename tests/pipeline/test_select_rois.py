"""Protects which ROIs of an image are used: ground truth first, up to three quarters, then proposals in their order."""

import pytest
from ground_truth import part, truth
from tiny import tiny_params

from fastRCNN.structures import Origin, Rois
from pipeline.regions import select_rois

OBJECTS = truth(*((part(100, 200 * number), 1) for number in range(5)), (part(50), None))
PROPOSALS = Rois.of([part(percent) for percent in (10, 20, 30, 40)]).then(Rois.of([part(99)], Origin.GRID))


@pytest.mark.parametrize(("limit", "added"), [(1, 1), (4, 3), (8, 5), (100, 5)])
def test_ground_truth_comes_first_and_takes_three_quarters_at_most(tmp_path, limit, added):
    rois = select_rois(PROPOSALS, tiny_params(tmp_path, cntk_nrRois=limit), OBJECTS)
    assert rois.nr_ground_truth == added and len(rois) == min(limit, added + len(PROPOSALS))
    assert rois.boxes[:added].tolist() == OBJECTS.boxes[:added].tolist()
    assert rois.boxes[added:].tolist() == PROPOSALS.boxes[: len(rois) - added].tolist()


def test_what_is_evaluated_was_proposed(tmp_path):
    rois = select_rois(PROPOSALS, tiny_params(tmp_path, cntk_nrRois=3))
    assert rois.found.all() and rois.boxes.tolist() == PROPOSALS.boxes[:3].tolist()
    assert select_rois(PROPOSALS, tiny_params(tmp_path, cntk_nrRois=9)).origins[-1] == Origin.GRID
