"""Finding the same photo twice: copied, rescaled, mirrored, brighter, saved again in another quality or format.

Two pictures show the same scene where the 256 bits of their difference hashes differ in `MAX_HASH_DISTANCE` at most,
as they are or one of them mirrored. But a camera on a tripod takes pictures that differ by a single object, and those
are no copies. The hash cannot tell, a thumbnail of 24 x 24 pixels can: of copies, no pixel of it changes much, once the
tones of the one are mapped onto those of the other. A mirror image counts as a copy, since we train on mirror images as
well.

`benchmarks/duplicates.py` counts what that tells, for any folder. Of 423 images, the example images and photos of a
refrigerator and of playing cards, no two show the same scene but for one that is there twice and five pairs from a
tripod, which are no copies. JPEG at quality 20, a quarter of the size, mirroring, and 0.7 of the brightness or contrast
make copies (420 or more of 423), 1.3 of the brightness clips too much for that (97); of 455 photos that lack one of
their objects, 8 are taken for copies.

Augmented copies that look different (turned, cut out, blurred) are told by their names: helpers/dataset/copy_names.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from helpers.base.images import scale_below

HASH_SIDE = 16
MAX_HASH_DISTANCE = 24  # bits of 256: the same scene
THUMBNAIL_SIDE = 24
MAX_PIXEL_DIFFERENCE = 12.0  # mean over red, green, blue of the thumbnail's worst pixel: the same picture
MIN_TEXTURE = 0.5  # share of the hash's differences that are not 0; with fewer, tones are all that tells drawings apart
BLANK = 4  # levels of 255 by which the pixels of an image of one colour differ, with the noise of its JPEG
COARSE = 4  # pixels of the thumbnail in one
COARSE_PIXELS = (THUMBNAIL_SIDE // COARSE) ** 2
LOOK_PIXELS = 25_000_000  # a larger image is scaled down first: Pillow holds 4 bytes a pixel
BLOCK = 256  # rows of the distance matrix at once; bounds the memory
PAIRS = 4096  # thumbnails that are compared at once


@dataclass(frozen=True)
class Look:
    """What an image looks like, small: bits of the difference hash (256,) bool, those of its mirror image (256,) bool,
    thumbnail (24, 24, 3) uint8."""

    bits: np.ndarray
    mirrored: np.ndarray
    thumbnail: np.ndarray


def look_of(image: np.ndarray) -> Look:
    """The `Look` of an image, uint8 RGB (H, W, 3)."""
    import imagehash  # brings scipy, which takes half a second: imported only where it is needed

    picture = Image.fromarray(scale_below(image, LOOK_PIXELS))
    grey = picture.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS)
    bits, mirrored = (
        imagehash.dhash(side, hash_size=HASH_SIDE).hash.ravel()
        for side in (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    )
    thumbnail = picture.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
    return Look(bits, mirrored, np.asarray(thumbnail))


def group_by_look(looks: Sequence[Look | None]) -> tuple[np.ndarray, np.ndarray]:
    """Group images that look alike.

    Args:
        looks: None for an image that has none. Of one that is all of one colour nobody can tell what it is a copy of.

    Returns:
        Two int arrays (N,), for each image the index of the first member of its group: groups of copies, and groups of
        the same scene, which are made of whole groups of copies.
    """
    unique: list[Look | None] = []  # equal looks are compared once: a film has thousands of them
    number_of: dict[object, int] = {}
    numbers = np.empty(len(looks), int)
    for index, look in enumerate(looks):
        if look is not None and np.ptp(look.thumbnail, axis=(0, 1)).max() <= BLANK:
            look = None
        key = index if look is None else (look.bits.tobytes(), look.mirrored.tobytes(), look.thumbnail.tobytes())
        if key not in number_of:
            number_of[key] = len(number_of)
            unique.append(look)
        numbers[index] = number_of[key]
    known = np.flatnonzero([look is not None for look in unique])
    looks_known = [look for look in unique if look is not None]
    same, scene = np.arange(len(unique)), np.arange(len(unique))
    for rows, columns, is_same in _similar_pairs(looks_known):
        rows, columns = known[rows], known[columns]
        same = joined(same, (rows[is_same], columns[is_same]))
        scene = joined(scene, (rows, columns))
    return by_first_member(same[numbers]), by_first_member(scene[numbers])


def joined(groups: np.ndarray, *pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Groups, int (N,), after the groups of some pairs of members, (rows, columns) each, were made one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    own = np.arange(len(groups)), groups  # a group's number is an index below N
    rows, columns = (np.concatenate([edge[side] for edge in (own, *pairs)]) for side in (0, 1))
    graph = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(len(groups), len(groups)))
    return by_first_member(connected_components(graph, directed=False)[1])


def by_first_member(labels: np.ndarray) -> np.ndarray:
    """Any labels of groups as the index of each group's first member."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return first[inverse]


def members(groups: np.ndarray) -> list[list[int]]:
    """The groups of two or more: lists of indices in order, the group of the lowest index first."""
    found: dict[int, list[int]] = {}
    for index, group in enumerate(np.asarray(groups).tolist()):
        found.setdefault(group, []).append(index)
    return [indices for indices in found.values() if len(indices) > 1]


def _similar_pairs(looks: Sequence[Look]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the pairs of the same scene, by blocks: indices (P,), (P,), and (P,) bool whether they are copies, of each
    other or of what is between them."""
    if not looks:
        return
    copies = np.arange(len(looks))  # groups of those found so far
    bits, mirrored = (np.stack([getattr(look, name) for look in looks]) for name in ("bits", "mirrored"))
    pixels = np.stack([look.thumbnail for look in looks]).astype(np.int16)
    textured = (bits | mirrored).mean(axis=1) >= MIN_TEXTURE
    signs, thumbnails = np.where(bits, 1, -1).astype(np.float32), _Thumbnails(pixels, textured)  # signs (N, 256)
    for others, flipped in ((bits, thumbnails), (mirrored, _Thumbnails(pixels[:, :, ::-1], textured))):
        other_signs = np.where(others, 1, -1).astype(np.float32)
        for start in range(0, len(looks), BLOCK):
            distance = (signs.shape[1] - signs[start : start + BLOCK] @ other_signs[start:].T) / 2  # (block, N - start)
            rows, columns = np.nonzero(np.triu(distance <= MAX_HASH_DISTANCE, 1))
            rows, columns = rows + start, columns + start
            is_same = np.zeros(len(rows), bool)
            for at in range(0, len(rows), PAIRS):
                left, right = rows[at : at + PAIRS], columns[at : at + PAIRS]
                same = copies[left] == copies[right]  # of a film's pictures nearly all, which need no comparison
                unknown = np.flatnonzero(~same)
                if len(unknown):
                    same[unknown] = _same_pictures(thumbnails, flipped, left[unknown], right[unknown])
                    copies = joined(copies, (left[same], right[same]))
                is_same[at : at + PAIRS] = same
            if len(rows):
                yield rows, columns, is_same


class _Thumbnails:
    """Thumbnails, int16 (N, 24, 24, 3), and what is needed to compare many pairs of them.

    coarse: means of 4 x 4 pixels, (N, 108) float32; tones: all values in order, (N, 1728); ranks: the place of each
    value in that order.
    """

    def __init__(self, pixels: np.ndarray, textured: np.ndarray) -> None:
        count, side = len(pixels), THUMBNAIL_SIDE // COARSE
        self.textured, self.pixels = textured, pixels.reshape(count, -1, 3)
        blocks = pixels.reshape(count, side, COARSE, side, COARSE, 3).astype(np.float32)
        self.coarse = blocks.mean(axis=(2, 4)).reshape(count, -1)
        values = pixels.reshape(count, -1)
        order = np.argsort(values, axis=1, kind="stable").astype(np.int16)
        self.tones = np.take_along_axis(values, order, axis=1)
        self.ranks = np.argsort(order, axis=1).astype(np.int16)

    def in_tones_of(self, other: "_Thumbnails", own: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Thumbnails `own`, with the n-th darkest value of all made the n-th darkest of `others` among `other`."""
        return np.take_along_axis(other.tones[others], self.ranks[own], axis=1).reshape(len(own), THUMBNAIL_SIDE**2, 3)


def _same_pictures(left: _Thumbnails, right: _Thumbnails, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Whether thumbnails `rows` of `left` and `columns` of `right` show the same; textured ones, in other tones too."""
    same = np.zeros(len(rows), bool)
    # where means of blocks differ by more than single pixels may, nothing else need be looked at
    one, other = left.coarse[rows], right.coarse[columns]
    near = np.flatnonzero(_worst(np.abs(one - other).reshape(len(rows), COARSE_PIXELS, 3)) <= MAX_PIXEL_DIFFERENCE)
    same[near] = _worst(np.abs(left.pixels[rows[near]] - right.pixels[columns[near]])) <= MAX_PIXEL_DIFFERENCE
    toned = ~same & left.textured[rows] & right.textured[columns]
    toned[toned] = _tones_differ_alike(one[toned], other[toned])
    toned = np.flatnonzero(toned)
    a, b = rows[toned], columns[toned]
    same[toned] = _worst(np.abs(left.pixels[a] - right.in_tones_of(left, b, a))) <= MAX_PIXEL_DIFFERENCE
    same[toned] |= _worst(np.abs(right.pixels[b] - left.in_tones_of(right, a, b))) <= MAX_PIXEL_DIFFERENCE
    return same


def _worst(differences: np.ndarray) -> np.ndarray:
    """The worst pixel of each pair: differences (P, pixels, 3) -> (P,)."""
    return differences.mean(axis=2).max(axis=1, initial=0)


def _tones_differ_alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether a brighter or darker picture may be all that differs, coarsely (P, 108): a cheap test for most pairs."""
    center, spread = other - other.mean(axis=1, keepdims=True), np.square(other - other.mean(axis=1, keepdims=True))
    gain = (center * one).sum(axis=1, keepdims=True) / np.maximum(spread.sum(axis=1, keepdims=True), 1)
    residual = np.abs(one - one.mean(axis=1, keepdims=True) - gain * center)
    return _worst(residual.reshape(len(one), COARSE_PIXELS, 3)) <= 2 * MAX_PIXEL_DIFFERENCE
