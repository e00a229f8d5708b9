"""Felzenszwalb's graph-based segmentation (IJCV 2004) of an image of P pixels into R regions.

The edges of the pixel graph are sorted once, by counting, for all k. Those that join no two regions in the first pass,
a fraction of all, are the only ones that the second pass and the graph of regions need.
"""

from typing import Any

import numpy as np

from fastRCNN.compiled import compiled
from fastRCNN.fast_search.colours import UNIT

LEVELS = 4096  # of edge weights, each a counter: colours that are further apart than 256 are as good as 256
DOWN, RIGHT = (0, 1, 1, 1), (1, 0, 1, -1)  # the four neighbours of a pixel that are not those of its neighbours


@compiled
def sorted_edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges between the pixels of an int32 (H, W, 3) that touch, at a corner as well, lightest first.

    Returns:
        Weights uint16 (E,), the distance of two colours; and codes int32 (E,): 4 * pixel + direction.
    """
    height, width = image.shape[:2]
    start = np.zeros(LEVELS + 1, np.int64)
    weights = np.empty((4, height * width), np.uint16)
    for direction in range(4):
        down, right = DOWN[direction], RIGHT[direction]
        for y in range(height):
            for x in range(width):
                if y + down >= height or x + right >= width or x + right < 0:
                    weights[direction, y * width + x] = LEVELS
                    continue
                d0 = image[y, x, 0] - image[y + down, x + right, 0]
                d1 = image[y, x, 1] - image[y + down, x + right, 1]
                d2 = image[y, x, 2] - image[y + down, x + right, 2]
                level = min(int(np.sqrt(float(d0 * d0 + d1 * d1 + d2 * d2))), LEVELS - 1)
                weights[direction, y * width + x] = level
                start[level + 1] += 1
    for level in range(LEVELS):
        start[level + 1] += start[level]
    codes = np.empty(start[LEVELS], np.int32)
    ordered = np.empty(start[LEVELS], np.uint16)
    for direction in range(4):
        for pixel in range(height * width):
            level = weights[direction, pixel]
            if level < LEVELS:
                codes[start[level]] = 4 * pixel + direction
                ordered[start[level]] = level
                start[level] += 1
    return ordered, codes


@compiled
def _root(parent: np.ndarray, pixel: int) -> Any:
    """The pixel that stands for a region, with the way to it made shorter."""
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@compiled
def pixel_regions(
    weights: np.ndarray, codes: np.ndarray, height: int, width: int, k: int, min_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The regions of an image, of at least `min_size` pixels.

    Args:
        weights, codes: see `sorted_edges`.
        k: the greater, the larger the regions.

    Returns:
        Labels int32 (P,), sizes in pixels int32 (R,), and the edges that may join two regions, lightest first.
    """
    step = np.array([1, width, width + 1, width - 1], np.int32)
    nr_pixels = height * width
    parent = np.arange(nr_pixels).astype(np.int32)
    size = np.ones(nr_pixels, np.int32)
    scaled = k * UNIT
    bound = np.full(nr_pixels, scaled, np.int32)  # the heaviest edge that may still join a region to another
    between = np.empty(len(codes), np.int32)
    nr_between = 0
    for edge in range(len(codes)):
        pixel = codes[edge] >> 2
        a, b = _root(parent, pixel), _root(parent, pixel + step[codes[edge] & 3])
        if a == b:
            continue
        weight = np.int32(weights[edge])
        if weight <= bound[a] and weight <= bound[b]:
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
            bound[a] = weight + scaled // size[a]
        else:
            between[nr_between] = edge
            nr_between += 1
    between = between[:nr_between]
    for refused in between:
        pixel = codes[refused] >> 2
        a, b = _root(parent, pixel), _root(parent, pixel + step[codes[refused] & 3])
        if a != b and (size[a] < min_size or size[b] < min_size):
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
    names = np.full(nr_pixels, -1, np.int32)
    labels = np.empty(nr_pixels, np.int32)
    sizes = np.empty(nr_pixels, np.int32)
    count = 0
    for pixel in range(nr_pixels):
        root = _root(parent, pixel)
        if names[root] < 0:
            names[root] = count
            sizes[count] = size[root]
            count += 1
        labels[pixel] = names[root]
    return labels, sizes[:count].copy(), between


@compiled
def region_pairs(codes: np.ndarray, between: np.ndarray, width: int, labels: np.ndarray, nr_regions: int) -> np.ndarray:
    """The regions that touch, int32 (E, 2) with the lower number first, by the lightest edge between them."""
    step = np.array([1, width, width + 1, width - 1], np.int32)
    size = 1024  # of the hash table, a power of two, at most half full
    table = np.full(size, -1, np.int64)
    pairs = np.empty((size // 2, 2), np.int32)
    count = 0
    for edge in between:
        pixel = codes[edge] >> 2
        a, b = labels[pixel], labels[pixel + step[codes[edge] & 3]]
        if a == b:
            continue
        low, high = min(a, b), max(a, b)
        key = np.int64(low) * nr_regions + high
        slot = _slot(key, size)
        while table[slot] >= 0 and table[slot] != key:
            slot = (slot + 1) & (size - 1)
        if table[slot] >= 0:
            continue
        table[slot] = key
        pairs[count, 0], pairs[count, 1] = low, high
        count += 1
        if count == len(pairs):  # half full: twice as large
            more = np.empty((size, 2), np.int32)
            more[:count] = pairs
            pairs = more
            size *= 2
            table = np.full(size, -1, np.int64)
            for row in range(count):
                key = np.int64(pairs[row, 0]) * nr_regions + pairs[row, 1]
                slot = _slot(key, size)
                while table[slot] >= 0:
                    slot = (slot + 1) & (size - 1)
                table[slot] = key
    return pairs[:count].copy()


@compiled
def _slot(key: int, size: int) -> int:
    """Where a pair of regions is looked for in a hash table (Knuth's multiplicative hashing)."""
    return ((key * 2654435761) >> 15) & (size - 1)
