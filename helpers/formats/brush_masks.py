"""Label Studio's brush masks: run lengths of RGBA pixels in a stream of bits (its brush.js, after thi.ng/rle-pack).

The stream has the number of values (32 bits), the length of a value less 1 (5 bits), and four lengths of run counters,
each less 1 (4 bits each). Then runs: a bit that is 1 for a value that repeats, two bits that choose a counter's length,
the counter, which is the run's length less 1, and one value or as many values as the run is long.
"""

import numpy as np

from helpers.base.images import MAX_PIXELS
from helpers.formats.shapes import Box
from helpers.formats.values import Size, Unreadable

MAX_RUNS = 1_000_000


class _Bits:
    """A stream of bits, the highest of a byte first."""

    def __init__(self, values: object) -> None:
        if not isinstance(values, list) or not all(isinstance(value, int) and 0 <= value < 256 for value in values):
            raise Unreadable("rle is not a list of bytes")
        self._bits, self._place = np.unpackbits(np.array(values, np.uint8)), 0

    def take(self, count: int, width: int) -> np.ndarray:
        """The next numbers of some bits each: int64 (count,)."""
        end = self._place + count * width
        if end > len(self._bits):
            raise Unreadable("rle ends too early")
        numbers = self._bits[self._place : end].reshape(count, width).astype(np.int64)
        self._place = end
        return numbers @ (1 << np.arange(width)[::-1])

    def number(self, width: int) -> int:
        """The next number of some bits."""
        return int(self.take(1, width)[0])


def box_of_brush(rle: object, size: Size) -> Box:
    """The bounding box in pixels of what a brush painted on an image of some size.

    Raises:
        Unreadable: where the mask is empty, or is none of an image of this size.
    """
    width, height = map(int, size)
    if width * height > MAX_PIXELS:
        raise Unreadable(f"mask of {width} x {height} pixels is too large")
    bits = _Bits(rle)
    if bits.number(32) != width * height * 4:
        raise Unreadable(f"rle is no mask of {width} x {height} pixels")
    value_width = bits.number(5) + 1
    counters = [bits.number(4) + 1 for _ in range(4)]
    values, start, runs = np.zeros(width * height * 4, np.uint8), 0, 0
    while start < len(values):
        runs += 1
        if runs > MAX_RUNS:
            raise Unreadable(f"rle has more than {MAX_RUNS:,} runs")
        repeats = bits.number(1)
        length = bits.number(counters[bits.number(2)]) + 1
        if start + length > len(values):
            raise Unreadable("rle is longer than its image")
        run = bits.take(1 if repeats else length, value_width)
        values[start : start + length] = run & 255
        start += length
    painted = values.reshape(height, width, 4)[..., 3] > 0
    rows, columns = np.flatnonzero(painted.any(axis=1)), np.flatnonzero(painted.any(axis=0))
    if not len(rows):
        raise Unreadable("nothing is painted")
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
