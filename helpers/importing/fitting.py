"""Boxes as an annotation file has them -> pixels of the image as displayed.

They may be fractions of the image, drawn on the image in another size, or on the pixels as stored, before its EXIF
orientation was applied: the size that the file records tells which.
"""

import numpy as np

from helpers.dataset.annotations import MAX_OUTSIDE, is_below_a_pixel
from helpers.formats.values import Unreadable, shortest

MIN_INSIDE = 0.5  # of a box's area; a box that lies mostly outside of its image is a mistake


def fit(source, record, size, orientation):
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


def clip(box, size):
    """A box, float64 (4,), clipped to an image of size (width, height): the float64 with the fewest digits."""
    return np.array([shortest(value) for value in np.clip(box, 0, [*size, *size])])


def reason_against(box, clipped, size):
    """Why a box is of no use, or ""."""
    if box[2] <= box[0] or box[3] <= box[1]:
        return "has no area"
    inside = np.prod((clipped[2:] - clipped[:2]) / (box[2:] - box[:2]))
    if inside < MIN_INSIDE or clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
        return f"lies mostly outside of the image of {size[0]} x {size[1]} pixels"
    return "is smaller than a pixel" if is_below_a_pixel(clipped) else ""
