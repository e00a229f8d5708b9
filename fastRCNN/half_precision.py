"""float16 numbers as float32, compiled: numpy makes them so slowly that it takes longer than the product with them."""

import numpy as np

from fastRCNN.compiled import IS_COMPILED, compiled

REBIAS = np.float32(2.0**112)  # float32's exponents begin 112 below float16's


def to_float32(numbers: np.ndarray, out: np.ndarray) -> None:
    """Write finite float16 numbers (N, M) as float32 into `out` (N, M), both in C order."""
    if IS_COMPILED:
        _convert(numbers.view(np.uint16).reshape(-1), out.view(np.uint32).reshape(-1), out.reshape(-1))
    else:
        np.copyto(out, numbers)


@compiled
def _convert(bits: np.ndarray, out_bits: np.ndarray, out: np.ndarray) -> None:
    """Sign, exponent and mantissa go to their places; a multiplication moves the exponent, and makes numbers of those
    that are too small for one in float16."""
    for i in range(bits.size):
        half = np.uint32(bits[i])
        out_bits[i] = ((half & np.uint32(0x7FFF)) << np.uint32(13)) | ((half & np.uint32(0x8000)) << np.uint32(16))
    for i in range(bits.size):
        out[i] *= REBIAS
