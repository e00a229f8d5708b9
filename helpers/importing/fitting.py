"""Boxes as an annotation file has them -> pixels of the image as displayed.

They may be fractions of the image, drawn on the image in another size, or on the pixels as stored, before its EXIF
orientation was applied: the size that the file records tells which.
"""

import numpy as np

from helpers.dataset.annotations import MAX_OUTSIDE, is_below_a_pixel
from helpers.formats.notes import Notes
from helpers.formats.records import Record
from helpers.formats.values import Size, Unreadable, shortest

MIN_INSIDE = 0.5  # of a box's area; a box that lies mostly outside of its image is a mistake
TURNED = (5, 6, 7, 8)  # EXIF orientations by which width and height change places


def fit(notes: Notes, record: Record, size: tuple[int, int], orientation: int) -> np.ndarray:
    """The boxes of a record in pixels of the image as displayed: float64 (N, 4), corners in order.

    Args:
        notes: what was done is noted there.
        size: (width, height) of the image as displayed.
        orientation: of the image's EXIF data, 1 to 8.

    Raises:
        Unreadable: the record's size is that of another image.
    """
    corners = np.array([item.box for item in record.objects], np.float64).reshape(-1, 4)
    width, height = size
    if record.relative:
        corners = corners * [width, height, width, height]
    elif record.size and record.size != size:
        corners, done = _refit(corners, record.size, size, orientation)
        if done:
            notes.note(record.path, done, record.where)
    low, high = np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])
    return np.concatenate([low, high], axis=1)


def _refit(corners: np.ndarray, own: Size, size: tuple[int, int], orientation: int) -> tuple[np.ndarray, str]:
    """(boxes on the image as displayed, what to say of it) of boxes that were drawn on it in another size, `own`, or
    before its EXIF orientation was applied."""
    (own_width, own_height), (width, height) = own, size
    if own == (height, width):
        if orientation in TURNED:
            return _upright(corners, own, orientation), ""
        if (corners <= np.add([*size, *size], MAX_OUTSIDE)).all():
            return corners, f"says {own_width:g} x {own_height:g} pixels, width and height swapped"
    if abs(own_width * height - own_height * width) <= max(own_width, own_height, width, height):  # rounded sides
        done = f"boxes scaled from {own_width:g} x {own_height:g} pixels to the image's {width} x {height}"
        return corners * [width / own_width, height / own_height, width / own_width, height / own_height], done
    raise Unreadable(f"annotated on {own_width:g} x {own_height:g} pixels, but the image has {width} x {height}")


def _upright(corners: np.ndarray, size: Size, orientation: int) -> np.ndarray:
    """Boxes on the pixels as stored, (width, height) = size -> on the image as displayed; orientation: of `TURNED`."""
    width, height = size
    x, y = corners[:, [0, 2]], corners[:, [1, 3]]
    right = y if orientation in (5, 8) else height - y
    down = x if orientation in (5, 6) else width - x
    return np.stack([right[:, 0], down[:, 0], right[:, 1], down[:, 1]], axis=1)


def clip(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A box, float64 (4,), clipped to an image of size (width, height): the float64 with the fewest digits."""
    return np.array([shortest(value) for value in np.clip(box, 0, [*size, *size])])


def reason_against(box: np.ndarray, clipped: np.ndarray, size: tuple[int, int]) -> str:
    """Why a box is of no use, or ""."""
    if box[2] <= box[0] or box[3] <= box[1]:
        return "has no area"
    inside = np.prod((clipped[2:] - clipped[:2]) / (box[2:] - box[:2]))
    if inside < MIN_INSIDE or clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
        return f"lies mostly outside of the image of {size[0]} x {size[1]} pixels"
    return "is smaller than a pixel" if is_below_a_pixel(clipped) else ""
