"""Selective search's hierarchical grouping: the two regions most alike join, again and again, until one is left.

R regions at the beginning. Histograms are in fixed point (`ONE`: all pixels of a region), so the similarity of two
regions is a sum of integers. Pairs wait in a heap of int64: similarity, then the later region, then the earlier, which
settles ties. Pairs of regions that are gone are skipped when they come up.
"""

from typing import Any

import numpy as np

from fastRCNN.compiled import compiled
from fastRCNN.fast_search.colours import TOP, UNIT

BINS = 25  # per channel: of colours; of textures: flat, and 8 directions x 3 strengths
NR_COLOURS = 3 * BINS
NR_BINS = 2 * NR_COLOURS
FLAT, WEAK, STRONG = 4 * UNIT, 12 * UNIT, 36 * UNIT  # gradients below these
ONE_BITS, SHARE_BITS = 14, 15
ONE = 1 << ONE_BITS
NAME_BITS = 21
MOST_REGIONS = 1 << (NAME_BITS - 1)  # together with those that grouping makes, names have `NAME_BITS`


@compiled
def pixel_bins(image: np.ndarray) -> np.ndarray:
    """Histogram bins of each pixel of an int32 (H, W, 3): uint8 (H, W, 6), three of colours and three of textures."""
    height, width = image.shape[:2]
    bins = np.empty((height, width, 6), np.uint8)
    for c in range(3):
        for y in range(height):
            up, down = max(y - 1, 0), min(y + 1, height - 1)
            for x in range(width):
                left, right = max(x - 1, 0), min(x + 1, width - 1)
                bins[y, x, c] = image[y, x, c] * BINS // (TOP + 1)
                dx = image[y, right, c] - image[y, left, c]
                dy = image[down, x, c] - image[up, x, c]
                strength = abs(dx) + abs(dy)
                texture = 0
                if strength >= FLAT:
                    octant = (4 if dx < 0 else 0) + (2 if dy < 0 else 0) + (1 if abs(dx) < abs(dy) else 0)
                    texture = 1 + octant + (0 if strength < WEAK else 8 if strength < STRONG else 16)
                bins[y, x, 3 + c] = texture
    return bins


@compiled
def region_features(bins: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Histograms in fixed point, int32 (R, NR_BINS), and frames `[x1, y1, x2, y2]`, int32 (R, 4), of regions."""
    height, width = bins.shape[:2]
    counts = np.zeros((len(sizes), NR_BINS), np.int32)
    frames = np.empty((len(sizes), 4), np.int32)
    for region in range(len(sizes)):
        frames[region, 0], frames[region, 1], frames[region, 2], frames[region, 3] = width, height, 0, 0
    for y in range(height):
        for x in range(width):
            region = labels[y * width + x]
            for c in range(6):
                counts[region, BINS * c + bins[y, x, c]] += 1
            frames[region, 0], frames[region, 1] = min(frames[region, 0], x), min(frames[region, 1], y)
            frames[region, 2], frames[region, 3] = max(frames[region, 2], x + 1), max(frames[region, 3], y + 1)
    for region in range(len(sizes)):
        for bin in range(NR_BINS):
            counts[region, bin] = np.int64(counts[region, bin]) * ONE // sizes[region]
    return counts, frames


@compiled
def _push(heap: np.ndarray, count: int, key: int) -> None:
    """Add a key to a heap of `count` keys, the greatest first."""
    place = count
    while place > 0:
        above = (place - 1) >> 1
        if heap[above] >= key:
            break
        heap[place] = heap[above]
        place = above
    heap[place] = key


@compiled
def _drop_first(heap: np.ndarray, count: int) -> None:
    """Take the greatest of `count` keys away."""
    key = heap[count - 1]
    count -= 1
    place = 0
    while True:
        below = 2 * place + 1
        if below >= count:
            break
        if below + 1 < count and heap[below + 1] > heap[below]:
            below += 1
        if heap[below] <= key:
            break
        heap[place] = heap[below]
        place = below
    heap[place] = key


@compiled
def group(
    histograms: np.ndarray,
    frames: np.ndarray,
    sizes: np.ndarray,
    pairs: np.ndarray,
    nr_pixels: int,
    similarities: np.ndarray,
    max_side: int,
) -> np.ndarray:
    """The frames of all regions that grouping passes through, without the given ones.

    Args:
        histograms, frames, sizes: of the regions, see `region_features`.
        pairs: (E, 2) regions that touch.
        nr_pixels: of the image.
        similarities: (4,) bool, which count: of colour, of texture, of size, of fill.
        max_side: pairs whose common frame has a longer side are left alone.

    Returns:
        int32 (M, 4), at most R - 1.
    """
    nr = len(sizes)
    most = max(2 * nr - 1, 1)
    h = histograms.copy()
    f = np.empty((most, 4), np.int32)
    f[:nr] = frames
    s = np.empty(most, np.int32)
    s[:nr] = sizes
    became = np.arange(most).astype(np.int32)  # the region that a region has become a part of
    rows = np.arange(most).astype(np.int32)  # of a region's histogram; those of joined regions are used again
    # neighbours of each region: pool[first[r] : first[r] + number[r]], under the names that they had then
    first, number = np.zeros(most, np.int64), np.zeros(most, np.int64)
    for pair in pairs:
        number[pair[0]] += 1
        number[pair[1]] += 1
    used = 0
    for region in range(nr):
        first[region] = used
        used += number[region]
        number[region] = 0
    pool = np.empty(2 * used + 64, np.int32)
    heap = np.empty(2 * len(pairs) + 64, np.int64)
    waiting = 0
    for pair in pairs:
        a, b = pair[0], pair[1]
        pool[first[a] + number[a]] = b
        pool[first[b] + number[b]] = a
        number[a] += 1
        number[b] += 1
        _push(heap, waiting, _key(_similarity(h, f, s, rows, a, b, nr_pixels, similarities), max(a, b), min(a, b)))
        waiting += 1
    seen = np.full(most, -1, np.int32)
    count = nr
    while waiting > 0 and count < most:
        a = (heap[0] >> NAME_BITS) & ((1 << NAME_BITS) - 1)
        b = heap[0] & ((1 << NAME_BITS) - 1)
        _drop_first(heap, waiting)
        waiting -= 1
        if became[a] != a or became[b] != b:
            continue
        new = count
        count += 1
        became[a] = new
        became[b] = new
        f[new, 0], f[new, 1] = min(f[a, 0], f[b, 0]), min(f[a, 1], f[b, 1])
        f[new, 2], f[new, 3] = max(f[a, 2], f[b, 2]), max(f[a, 3], f[b, 3])
        s[new] = s[a] + s[b]
        row, other = rows[a], rows[b]
        rows[new] = row
        if similarities[0] or similarities[1]:
            share = np.int32((np.int64(s[a]) << SHARE_BITS) // s[new])
            rest = np.int32((1 << SHARE_BITS) - share)
            for bin in range(NR_BINS):
                h[row, bin] = (h[row, bin] * share + h[other, bin] * rest + (1 << (SHARE_BITS - 1))) >> SHARE_BITS
        first[new] = used
        seen[new] = new
        for side in range(2):
            old = a if side == 0 else b
            for place in range(first[old], first[old] + number[old]):
                near = pool[place]
                while became[near] != near:
                    became[near] = became[became[near]]
                    near = became[near]
                if seen[near] == new:
                    continue
                seen[near] = new
                if used == len(pool):
                    pool = _twice_as_long(pool)
                pool[used] = near
                used += 1
                across = max(f[new, 2], f[near, 2]) - min(f[new, 0], f[near, 0])
                along = max(f[new, 3], f[near, 3]) - min(f[new, 1], f[near, 1])
                if max(across, along) > max_side:
                    continue
                if waiting == len(heap):
                    heap = _twice_as_long(heap)
                _push(heap, waiting, _key(_similarity(h, f, s, rows, new, near, nr_pixels, similarities), new, near))
                waiting += 1
        number[new] = used - first[new]
    return f[nr:count].copy()


@compiled
def _twice_as_long(array: np.ndarray) -> np.ndarray:
    longer = np.empty(2 * len(array), array.dtype)
    longer[: len(array)] = array
    return longer


@compiled
def _key(similarity: int, later: int, earlier: int) -> Any:
    """What a pair of regions waits under."""
    return (np.int64(similarity) << (2 * NAME_BITS)) | (np.int64(later) << NAME_BITS) | np.int64(earlier)


@compiled
def _similarity(
    h: np.ndarray, f: np.ndarray, s: np.ndarray, rows: np.ndarray, a: int, b: int, nr_pixels: int, wanted: np.ndarray
) -> Any:
    """How alike two regions are (section 3.2): the sum of those of four numbers from 0 to `ONE` that are wanted."""
    total = np.int64(0)
    for kind in range(2):
        if wanted[kind]:
            shared = np.int32(0)
            for bin in range(kind * NR_COLOURS, (kind + 1) * NR_COLOURS):
                shared += min(h[rows[a], bin], h[rows[b], bin])
            total += shared // 3
    both = np.int64(s[a]) + np.int64(s[b])
    if wanted[2]:
        total += ONE - both * ONE // nr_pixels
    if wanted[3]:
        across = max(f[a, 2], f[b, 2]) - min(f[a, 0], f[b, 0])
        along = max(f[a, 3], f[b, 3]) - min(f[a, 1], f[b, 1])
        total += ONE - (np.int64(across) * along - both) * ONE // nr_pixels
    return max(total, np.int64(0))
