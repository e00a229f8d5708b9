"""Protects which ROIs a training step looks at, and what it is told about them.

Too much easy background, or background that lies on an object nobody was allowed to learn, raises no error and costs
average precision. Overlaps here can be computed in the head: a ground-truth box is 100 wide and 100 high, and a ROI
that has its left 50 columns overlaps it by 0.5.
"""

import numpy as np
import pytest
from ground_truth import part, truth
from settings import settings as settings_of

from fastRCNN.boxes import as_boxes, mirror
from fastRCNN.sampling import SamplingSettings, sample_rois
from fastRCNN.targets import RoiTargets, fast_rcnn_targets

SETTINGS = settings_of(SamplingSettings, rois_per_image=64, foreground_fraction=0.25, background_low=0.1)


def some_targets(objects=0, near=0, far=0, neither=0, seed=0):
    """`RoiTargets` in mixed order: so many objects, background at IoU 0.1 to 0.5 and below, and ROIs of no use."""
    labels = np.repeat([2, 0, 0, -1], [objects, near, far, neither])
    overlaps = np.repeat([0.7, 0.3, 0.05, 0.3], [objects, near, far, neither])
    order = np.random.default_rng(seed).permutation(len(labels))
    return RoiTargets(labels[order], overlaps[order], np.zeros((len(labels), 4)))


def draw(targets, settings=SETTINGS, seed=0):
    return sample_rois(targets, settings, np.random.default_rng(seed))


def kinds(targets, rows):
    """How many of the rows are objects, near background, far background, and neither."""
    labels, overlaps = targets.labels[rows], targets.overlaps[rows]
    background = labels == 0
    near = overlaps >= 0.1
    counts = (labels > 0, background & near, background & ~near, labels < 0)
    return tuple(int(count.sum()) for count in counts)


# --- which ROIs ---


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ((100, 200, 300, 50), (16, 48, 0, 0)),  # a quarter objects, the rest near background
        ((16, 48, 0, 0), (16, 48, 0, 0)),
        ((5, 200, 300, 50), (5, 59, 0, 0)),  # background fills up for objects
        ((0, 200, 300, 50), (0, 64, 0, 0)),
        ((100, 10, 300, 50), (16, 10, 38, 0)),  # far background fills up for near background
        ((100, 0, 300, 50), (16, 0, 48, 0)),
        ((100, 10, 3, 50), (16, 10, 3, 0)),  # too few: more objects would shift the balance
        ((3, 2, 1, 50), (3, 2, 1, 0)),
        ((100, 0, 0, 0), (16, 0, 0, 0)),
        ((0, 0, 0, 50), (0, 0, 0, 0)),  # an ignored box around everything
        ((0, 0, 0, 0), (0, 0, 0, 0)),
    ],
)
def test_how_many_of_which(there, taken):
    targets = some_targets(*there)
    for seed in range(5):
        rows = draw(targets, seed=seed)
        assert kinds(targets, rows) == taken
        assert len(set(rows.tolist())) == len(rows) == sum(taken)
        assert np.issubdtype(rows.dtype, np.integer)
        assert (targets.labels[rows[: taken[0]]] > 0).all()  # objects first


def test_settings_count():
    targets = some_targets(100, 200, 300)
    assert kinds(targets, draw(targets, SamplingSettings(32, 0.5, 0.1))) == (16, 16, 0, 0)
    assert kinds(targets, draw(targets, SamplingSettings(8, 1.0, 0.1))) == (8, 0, 0, 0)
    assert kinds(targets, draw(targets, SamplingSettings(8, 0.0, 0.1))) == (0, 8, 0, 0)
    everything_near = draw(targets, SamplingSettings(512, 0.0, 0.0))
    assert kinds(targets, everything_near) == (0, 200, 300, 0)


def test_near_background_begins_at_the_bound():
    targets = RoiTargets(np.zeros(3, np.int64), np.array([0.1, 0.0999, 0.0999]), np.zeros((3, 4)))
    for seed in range(10):
        assert draw(targets, SamplingSettings(1, 0.25, 0.1), seed).tolist() == [0]


def test_the_seed_decides():
    targets = some_targets(100, 200, 300)
    assert draw(targets, seed=3).tolist() == draw(targets, seed=3).tolist()
    assert draw(targets, seed=3).tolist() != draw(targets, seed=4).tolist()


def test_every_roi_has_its_turn():
    targets = some_targets(40, 100, 10, 20)
    seen = np.unique(np.concatenate([draw(targets, seed=seed) for seed in range(60)]))
    wanted = np.flatnonzero((targets.labels > 0) | ((targets.labels == 0) & (targets.overlaps >= 0.1)))
    assert seen.tolist() == wanted.tolist()


# --- what they are ---

BOX = [0, 0, 100, 100]
ORANGE, WATER = 1, 2


def targets_of(rois, *objects, positive_overlap=0.5):
    """objects: (box, class id), with class id None for an EXCLUDE box."""
    return fast_rcnn_targets(as_boxes(rois), truth(*objects), positive_overlap)


def test_labels_and_overlaps():
    rois = [part(50), part(49), part(100), part(80, 1000), [500, 500, 600, 600]]
    found = targets_of(rois, (BOX, ORANGE), (part(100, 1000), WATER))
    assert found.labels.tolist() == [ORANGE, 0, ORANGE, WATER, 0]  # 0.5 is enough
    assert found.labels.dtype == np.int64
    assert found.overlaps.tolist() == [0.5, 0.49, 1, 0.8, 0]
    assert targets_of(rois, (BOX, ORANGE), positive_overlap=0.49).labels.tolist() == [ORANGE, ORANGE, ORANGE, 0, 0]


def test_offsets_by_hand():
    # the left half: centre (25, 50), 50 wide; the box: centre (50, 50), 100 wide
    # dx = 25 / 50, dy = 0, dw = log(100 / 50), dh = 0; a ROI that fits has nothing to move
    found = targets_of([part(50), BOX, part(10)], (BOX, ORANGE))
    assert found.offsets.shape == (3, 4)
    assert found.offsets[0] == pytest.approx([0.5, 0, np.log(2), 0])
    assert found.offsets[1].tolist() == [0, 0, 0, 0]


def test_offsets_lead_to_the_object_of_the_label():
    # 60 columns of the first are 0.6, and 60 / 80 of the second: WATER, whose centre is 10 to the right
    found = targets_of([part(60)], (BOX, ORANGE), (part(80), WATER))
    assert found.labels.tolist() == [WATER] and found.overlaps[0] == pytest.approx(0.75)
    assert found.offsets[0] == pytest.approx([10 / 60, 0, np.log(80 / 60), 0])


def test_ignored_boxes_are_never_background():
    ignored = ([200, 0, 300, 100], None)
    rois = [
        [299, 99, 400, 200],  # shares one pixel with the ignored box
        [300, 0, 400, 100],  # only the border line
        [200, 0, 300, 100],  # the ignored box itself
        [0, 0, 500, 500],  # around everything
        BOX,
    ]
    assert targets_of(rois, (BOX, ORANGE), ignored).labels.tolist() == [-1, 0, -1, -1, ORANGE]
    assert targets_of(rois, ignored).labels.tolist() == [-1, 0, -1, -1, 0]
    assert (targets_of(rois, ignored).overlaps == 0).all()  # it is no object


def test_an_object_beside_an_ignored_box_remains_one():
    assert targets_of([part(80)], (BOX, ORANGE), ([50, 0, 300, 100], None)).labels.tolist() == [ORANGE]


def test_offsets_count_in_the_list_with_ignored_boxes():
    found = targets_of([part(50, 1000)], (BOX, None), (part(100, 1000), WATER))
    assert found.labels.tolist() == [WATER] and found.offsets[0] == pytest.approx([0.5, 0, np.log(2), 0])


def test_without_truth_and_without_rois():
    found = targets_of([BOX, part(50)])
    assert found.labels.tolist() == [0, 0] and found.overlaps.tolist() == [0, 0] and found.offsets.shape == (2, 4)
    for objects in ((), ((BOX, ORANGE),), ((BOX, None),)):
        found = targets_of([], *objects)
        assert found.labels.shape == found.overlaps.shape == (0,) and found.offsets.shape == (0, 4)
        assert draw(found).shape == (0,)


def test_mirrored():
    random = np.random.default_rng(0)
    boxes = as_boxes([[20, 30, 90, 100], [150, 20, 200, 120]])
    rois = as_boxes(np.tile(boxes, (10, 1)) + random.uniform(-10, 10, (20, 4)))
    objects, mirrored = (
        [(box, class_id) for box, class_id in zip(found, (ORANGE, WATER), strict=True)]
        for found in (boxes, mirror(boxes, 240))
    )
    found, seen_in_a_mirror = targets_of(rois, *objects), targets_of(mirror(rois, 240), *mirrored)
    assert set(found.labels) == {ORANGE, WATER} and found.labels.tolist() == seen_in_a_mirror.labels.tolist()
    assert seen_in_a_mirror.overlaps == pytest.approx(found.overlaps, abs=1e-5)
    # left is right: only dx changes its sign
    assert seen_in_a_mirror.offsets == pytest.approx(found.offsets * [-1, 1, 1, 1], abs=1e-5)
