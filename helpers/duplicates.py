"""Finding the same picture twice in a data set: copied, rescaled, or saved again in another quality or format.

Measured on the 30 grocery photos, most of which show the same refrigerator. Of the 256 bits of the difference hash

    copies (half and quarter size, JPEG quality 20 to 90)     differ in 0 to 12
    the photo with one object taken out                       differ in 0 to 10
    two different photos                                      differ in 50 or more (other data sets here: 65 or more)

so 24 bits, twice the worst copy and half of the closest two photos, finds every copy and no other photo of this kind.
But a camera on a tripod takes pictures that differ by a single object, and those are no copies. The hash cannot tell,
a 24 x 24 thumbnail can: on a scale of 255, its pixel that changes most does so by 5 at most in the copies, and by 19 or
more with one of the 225 objects taken out.
"""

from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

HASH_SIDE = 16
MAX_HASH_DISTANCE = 24  # bits of 256: the same scene
THUMBNAIL_SIDE = 24
MAX_PIXEL_DIFFERENCE = 12.0  # mean over red, green, blue of the thumbnail's worst pixel: the same picture
BLOCK = 1000  # rows of the distance matrix at once; bounds the memory


@dataclass(frozen=True)
class Look:
    """What an image looks like, small: bits of the difference hash (256,) bool, thumbnail (24, 24, 3) uint8."""

    bits: np.ndarray
    thumbnail: np.ndarray


def look_of(image):
    """The `Look` of an image, uint8 RGB (H, W, 3)."""
    picture = Image.fromarray(image)
    thumbnail = picture.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
    return Look(imagehash.dhash(picture, hash_size=HASH_SIDE).hash.ravel(), np.asarray(thumbnail))


def similar_pairs(looks):
    """Yield all pairs that show the same scene: (i, j, same) with i < j; `same`: it is the same picture.

    looks: list of `Look`. Memory holds `BLOCK` rows of the matrix of distances, and no list of the pairs, of which a
    film has as many as the square of its pictures.
    """
    if not looks:
        return
    signs = np.where(np.stack([look.bits for look in looks]), 1, -1).astype(np.float32)  # (N, 256)
    for start in range(0, len(looks), BLOCK):
        distance = (signs.shape[1] - signs[start : start + BLOCK] @ signs[start:].T) / 2  # (block, N - start) bits
        for row, column in np.argwhere(distance <= MAX_HASH_DISTANCE).tolist():
            if row < column:
                i, j = start + row, start + column
                yield i, j, _same_picture(looks[i].thumbnail, looks[j].thumbnail)


def _same_picture(left, right):
    difference = np.abs(left.astype(np.int16) - right.astype(np.int16)).mean(axis=2)  # (24, 24)
    return bool(difference.max() <= MAX_PIXEL_DIFFERENCE)
