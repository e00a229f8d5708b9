"""Pixels of every type as 8 bits per channel: what becomes of 16 bits, of 32-bit whole numbers and of floats.

8-bit pixels are taken as they are. All others are scaled by what the image itself holds, because its file does not say
what white is: a sensor of 12 bits writes 4095 into a file of 16 bits, a program of its own 1.0. What was not plain
16-bit data comes with a note that says what was done.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

BITS_PER_SAMPLE, SAMPLE_FORMAT, SIGNED = 258, 339, 2  # tags of a TIFF; a value of the second
DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners have

ToEightBits = Callable[[Image.Image], np.ndarray]  # of a strip of an image: uint8 (h, w) or (h, w, 3)


def eight_bits(image: Image.Image) -> tuple[ToEightBits, str]:
    """How a Pillow image becomes 8-bit, and a note or "".

    16-bit values are divided by a power of two, so that the fewest bits of `DEPTHS` that hold the greatest value become
    8: values up to 4095 are of 12 bits. Floats from 0 to 1 are multiplied by 255; everything else is stretched from its
    least to its greatest value. Raises ValueError where a value is not finite, and where Pillow cannot turn the mode
    into RGB.
    """
    if image.mode == "F":
        return _scaled_floats(image)
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return _rgb, ""
    low, high = _extrema(image)
    if low < 0 or high > 65535:
        return _stretched(low, high), f"32-bit values from {low} to {high}, stretched to 0 to 255"
    bits, note = _depth(high)
    if image.mode == "I" and image.format != "PNG":
        note = f"32-bit values up to {high}, read as {bits}-bit data"
    return lambda strip: (np.asarray(strip) >> (bits - 8)).astype(np.uint8), note


def _extrema(image: Image.Image) -> Any:
    """The least and the greatest value of an image of one band; of several, a pair for each."""
    return image.getextrema()


def deep_color(image: Any, path: Path) -> tuple[Image.Image, str]:
    """(16-bit colours read anew as 8-bit where their high bytes say too little, a note); else (the image, "").

    Of 16-bit colours, Pillow gives the high bytes only: of 12-bit data those are 15 at most, nearly black.
    """
    if image.format == "TIFF":
        return _plain_tiff(image)
    is_deep = image.format == "PNG" and len(image.getbands()) > 1 and str(image.tile[0][3]).endswith(";16B")
    if not is_deep:
        return image, ""
    extrema = _extrema(image)[: 1 if image.mode == "LA" else 3]  # which decodes it: a broken file stops here
    if max(high for _, high in extrema) >= 1 << (DEPTHS[-2] - 8):
        return image, ""
    pixels: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)  # BGR or BGRA, as stored
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise ValueError("16-bit colours that cannot be decoded")
    colors = pixels[..., 2::-1]
    bits, note = _depth(int(colors.max()))
    return Image.fromarray((colors >> (bits - 8)).astype(np.uint8)), note


def _plain_tiff(image: Any) -> tuple[Image.Image, str]:
    """(a TIFF with pixels that Pillow can calculate with and does not take for others, a note).

    Raises ValueError for signed bytes, and for 16-bit colours of which the high bytes say too little.
    """
    bits, is_signed = image.tag_v2.get(BITS_PER_SAMPLE, (1,)), SIGNED in image.tag_v2.get(SAMPLE_FORMAT, ())
    if is_signed and max(bits) <= 8:
        raise ValueError("signed pixels of 8 bits")
    if len(image.getbands()) > 1 and max(bits) > 8:
        if max(high for _, high in _extrema(image)) < 1 << (DEPTHS[-2] - 8):
            raise ValueError("16-bit colours that use the lowest bits only")
    elif image.mode == "I;16B":  # which Pillow cannot cut into strips
        return Image.fromarray(np.asarray(image).astype(np.uint16)), ""
    elif image.mode == "I" and not is_signed and _extrema(image)[0] < 0:
        values = np.asarray(image).view(np.uint32)
        note = f"32-bit values from {values.min()} to {values.max()}, stretched to 0 to 255"
        return Image.fromarray(values.astype(np.float32)), note
    return image, ""


def _depth(high: int) -> tuple[int, str]:
    """The bits of 16-bit data with this greatest value, and what there is to say of it."""
    bits = next(bits for bits in DEPTHS if high < 1 << bits)
    return bits, "" if bits == 16 else f"16-bit file with values up to {high} only, read as {bits}-bit data"


def _rgb(strip: Image.Image) -> np.ndarray:
    if strip.mode == "P" and "transparency" in strip.info:
        strip = strip.convert("RGBA")  # the way that Pillow asks for
    return np.asarray(strip.convert("RGB"))


def _scaled_floats(image: Image.Image) -> tuple[ToEightBits, str]:
    low, high = _extrema(image)
    if low >= 0 and high <= 1:
        return _stretched(0.0, 1.0), "floats from 0 to 1, multiplied by 255"
    return _stretched(low, high), f"floats from {low:g} to {high:g}, stretched to 0 to 255"


def _stretched(low: float, high: float) -> ToEightBits:
    """Values from low to high become 0 to 255; of a single value, black."""

    def scale(strip: Image.Image) -> np.ndarray:
        values = np.asarray(strip, np.float64)
        if not (np.isfinite(values).all() and np.isfinite((low, high)).all()):
            raise ValueError("pixels that are not finite")
        return np.rint((values - low) * (255 / (high - low or 1))).astype(np.uint8)

    return scale
