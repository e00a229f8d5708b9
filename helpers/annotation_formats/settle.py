"""Fitting what annotation files say to the images they mean: boxes in pixels of the image as displayed."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from helpers.annotation_formats.common import Unreadable, show
from helpers.annotation_formats.image_index import FoundImage
from helpers.annotations import MAX_OUTSIDE
from helpers.parameters import BACKGROUND, EXCLUDED_LABELS, RULES

EXCLUDE, UNDECIDED = EXCLUDED_LABELS
MIN_INSIDE = 0.5  # of a box's area; a box that lies mostly outside of its image is a mistake


@dataclass(frozen=True)
class Settled:
    """An image of the new data set: boxes [(x1, y1, x2, y2)], their labels, and the part the source gives it."""

    image: FoundImage
    boxes: list
    labels: list
    subdir: str | None = None

    @property
    def classes(self):
        """How many boxes of each class it has; EXCLUDE and UNDECIDED are none."""
        return Counter(label for label in self.labels if label not in EXCLUDED_LABELS)


@dataclass(frozen=True)
class ClassRules:
    """Which classes are wanted (empty: all), and new names {old: new}."""

    wanted: tuple = ()
    renamed: dict = None

    def label(self, thing):
        """The label of an object in the data set, or None where its class is not wanted."""
        label = (self.renamed or {}).get(thing.label, thing.label)
        if label in EXCLUDED_LABELS:
            return label
        if not label:
            return UNDECIDED
        if label == BACKGROUND:
            return None
        try:
            RULES["classes"].check((label,))
        except ValueError:
            raise Unreadable(
                f"{thing.where}: class {show(label)} must have no comma; give it another one with "
                f'--rename "{label}=NAME"'
            ) from None
        if self.wanted and label not in self.wanted:
            return None
        return EXCLUDE if thing.excluded else label


def settle(source, records, rules):
    """Find the image of each `Record` and fit its boxes: list of `Settled`, in the order of the records.

    What is left out, clipped or scaled is noted in `source`.
    """
    settled, taken, unwanted = [], {}, Counter()
    for record in records:
        with source.guard(record.path, record.where):
            image = source.images.find(record.names, record.path)
            if image.path in taken:
                raise Unreadable(f"{image.path.name} has its boxes from {taken[image.path]} already")
            size, orientation = image.shape
            corners = _fit(source, record, size, orientation)
            boxes, labels = _boxes(source, record, corners, size, rules, unwanted)
            taken[image.path] = record.path.name
            settled.append(Settled(image, boxes, labels, record.subdir))
    for label, count in sorted(unwanted.items()):
        source.note(source.path, f"{count} boxes of class {show(label)} left out: not wanted")
    return settled


def _fit(source, record, size, orientation):
    """The boxes of a record in pixels of the image as displayed: float64 (N, 4), corners in order."""
    corners = np.array([thing.box for thing in record.things], np.float64).reshape(-1, 4)
    width, height = size
    if record.relative:
        corners = corners * [width, height, width, height]
    elif record.size and tuple(record.size) != size:
        corners = _refit(source, record, corners, size, orientation)
    low, high = np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])
    return np.concatenate([low, high], axis=1)


def _refit(source, record, corners, size, orientation):
    """Boxes that were drawn on the image in another size, or before its EXIF orientation was applied."""
    width, height = size
    own_width, own_height = record.size
    if (own_width, own_height) == (height, width):
        if orientation in (5, 6, 7, 8):
            return _upright(corners, record.size, orientation)
        if len(corners) == 0 or (
            corners[:, [0, 2]].max() <= width + MAX_OUTSIDE and corners[:, [1, 3]].max() <= height + MAX_OUTSIDE
        ):
            source.note(
                record.path, f"says {own_width:g} x {own_height:g} pixels, width and height swapped", record.where
            )
            return corners
    if abs(own_width * height - own_height * width) <= max(own_width, own_height, width, height):  # rounded sides
        message = f"boxes scaled from {own_width:g} x {own_height:g} pixels to the image's {width} x {height}"
        source.note(record.path, message, record.where)
        return corners * [width / own_width, height / own_height, width / own_width, height / own_height]
    raise Unreadable(f"annotated on {own_width:g} x {own_height:g} pixels, but the image has {width} x {height}")


def _upright(corners, size, orientation):
    """Boxes on the pixels as stored, (width, height) = size -> on the image as displayed (EXIF orientations 5 to 8)."""
    width, height = size
    x, y = corners[:, [0, 2]], corners[:, [1, 3]]
    right = y if orientation in (5, 8) else height - y
    down = x if orientation in (5, 6) else width - x
    return np.stack([right[:, 0], down[:, 0], right[:, 1], down[:, 1]], axis=1)


def _boxes(source, record, corners, size, rules, unwanted):
    """Boxes and labels of a record, clipped.

    Raises `Unreadable` where there are wanted boxes, but none of use: an image with objects must not become negative.
    """
    boxes, labels, useless = [], [], []
    for thing, box in zip(record.things, corners, strict=True):
        label = rules.label(thing)
        if label is None:
            unwanted[thing.label] += 1
            continue
        values = "box (" + ", ".join(f"{value:.7g}" for value in box) + ")"
        clipped = np.array([shortest(value) for value in np.clip(box, 0, [*size, *size])])
        if reason := _reason_against(box, clipped, size):
            useless.append((thing.where, f"{values} left out: {reason}"))
            continue
        if np.abs(clipped - box).max() > MAX_OUTSIDE:
            source.note(record.path, f"{values} clipped at the border of {size[0]} x {size[1]} pixels", thing.where)
        if not thing.label:
            source.note(record.path, f"{values} has no class: {UNDECIDED}", thing.where)
        boxes.append(clipped.tolist())
        labels.append(label)
    if useless and not boxes:
        raise Unreadable(f"none of its {len(useless)} boxes is of use, the first: {': '.join(useless[0])}")
    for where, message in useless:
        source.note(record.path, message, where)
    return boxes, labels


def _reason_against(box, clipped, size):
    """Why a box is of no use, or ""."""
    if box[2] <= box[0] or box[3] <= box[1]:
        return "empty"
    inside = np.prod((clipped[2:] - clipped[:2]) / (box[2:] - box[:2]))
    if inside < MIN_INSIDE or clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
        return f"lies mostly outside of the image of {size[0]} x {size[1]} pixels"
    return ""


def shortest(value):
    """The float64 with the fewest digits that is the same float32: 0.1 for 0.10000000149."""
    return float(str(np.float32(value)))
