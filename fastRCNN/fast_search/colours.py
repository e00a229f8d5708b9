"""Blur and colour spaces in fixed point: channels go from 0 to `TOP` = 255 * `UNIT`."""

import numpy as np

from fastRCNN.compiled import compiled

UNIT = 16
TOP = 255 * UNIT
LIGHT = 4096  # entries of the table of CIE Lab's f, but one
F_BITS = 14  # of its values behind the point
BLUR = (27, 202)  # a Gaussian with sigma 0.5 pixels, in 256ths: one pixel away, and here


def _gamma_table() -> np.ndarray:
    """sRGB's channel -> linear light, 16 bits (IEC 61966-2-1)."""
    value = np.arange(TOP + 1) / TOP
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.rint(light * 65535).astype(np.int32)


def _lab_table() -> np.ndarray:
    """CIE Lab's f of a light."""
    light = np.arange(LIGHT + 1) / LIGHT
    root = np.where(light > 0.008856, np.cbrt(light), 7.787 * light + 16 / 116)
    return np.rint(root * (1 << F_BITS)).astype(np.int32)


def _xyz_matrix() -> np.ndarray:
    """Linear RGB -> XYZ relative to the white point D65, 12 bits (ITU-R BT.709)."""
    matrix = [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
    return np.rint(np.array(matrix) / [[0.950456], [1.0], [1.088754]] * 4096).astype(np.int32)


GAMMA, LAB, XYZ = _gamma_table(), _lab_table(), _xyz_matrix()


@compiled
def blurred(image: np.ndarray) -> np.ndarray:
    """uint8 RGB (H, W, 3) -> int32 (H, W, 3) from 0 to `TOP`, a little smoother; the border is repeated."""
    height, width = image.shape[:2]
    near, here = BLUR
    across = np.empty((height, width, 3), np.int32)
    for y in range(height):
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            for c in range(3):
                beside = np.int32(image[y, left, c]) + np.int32(image[y, right, c])
                across[y, x, c] = near * beside + here * np.int32(image[y, x, c])
    result = np.empty((height, width, 3), np.int32)
    for y in range(height):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            for c in range(3):
                total = near * (across[up, x, c] + across[down, x, c]) + here * across[y, x, c]
                result[y, x, c] = (total + 2048) >> 12  # two divisions by 256, and a multiplication by UNIT
    return result


@compiled
def _to_lab(rgb: np.ndarray, gamma: np.ndarray, lab: np.ndarray, xyz: np.ndarray) -> np.ndarray:
    result = np.empty_like(rgb)
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            r, g, b = gamma[rgb[y, x, 0]], gamma[rgb[y, x, 1]], gamma[rgb[y, x, 2]]
            fx = lab[min((xyz[0, 0] * r + xyz[0, 1] * g + xyz[0, 2] * b) >> 16, LIGHT)]
            fy = lab[min((xyz[1, 0] * r + xyz[1, 1] * g + xyz[1, 2] * b) >> 16, LIGHT)]
            fz = lab[min((xyz[2, 0] * r + xyz[2, 1] * g + xyz[2, 2] * b) >> 16, LIGHT)]
            # L = 116 f(y) - 16, 0 to 100, becomes 0 to TOP; a and b, 500 and 200 times a difference, are moved by 128
            result[y, x, 0] = max(0, min(TOP, (4733 * fy - (653 << F_BITS)) >> F_BITS))
            result[y, x, 1] = max(0, min(TOP, ((8000 * (fx - fy)) >> F_BITS) + 128 * UNIT))
            result[y, x, 2] = max(0, min(TOP, ((3200 * (fy - fz)) >> F_BITS) + 128 * UNIT))
    return result


@compiled
def to_hsv(rgb: np.ndarray) -> np.ndarray:
    """Hue from 0 to 180 * UNIT (two degrees, as OpenCV's uint8), saturation, value."""
    result = np.empty_like(rgb)
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            r, g, b = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
            most, least = max(r, g, b), min(r, g, b)
            spread = max(most - least, 1)
            if most == r:
                hue = 30 * UNIT * (g - b) // spread
            elif most == g:
                hue = 60 * UNIT + 30 * UNIT * (b - r) // spread
            else:
                hue = 120 * UNIT + 30 * UNIT * (r - g) // spread
            result[y, x, 0] = hue + 180 * UNIT if hue < 0 else hue
            result[y, x, 1] = (most - least) * TOP // max(most, 1)
            result[y, x, 2] = most
    return result


@compiled
def to_rgi(rgb: np.ndarray) -> np.ndarray:
    """The shares of red and green, and intensity."""
    result = np.empty_like(rgb)
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            total = max(rgb[y, x, 0] + rgb[y, x, 1] + rgb[y, x, 2], 1)
            result[y, x, 0] = rgb[y, x, 0] * TOP // total
            result[y, x, 1] = rgb[y, x, 1] * TOP // total
            result[y, x, 2] = total // 3
    return result


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """CIE Lab under D65."""
    return _to_lab(rgb, GAMMA, LAB, XYZ)


COLOUR_SPACES = {"lab": to_lab, "hsv": to_hsv, "rgi": to_rgi}  # of what `blurred` returns: int32 (H, W, 3)
