"""Matrix products and linear systems whose results do not depend, in any bit, on how many threads may be used.

BLAS shares a product out among as many threads as the environment allows it, and adds up in another order for each
number of them. Here every call computes with one thread, and large products are cut into blocks of a fixed size: the
number of threads decides how many blocks are computed at once, and nothing else.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg  # loads scipy's own BLAS, which must be there when the controller looks for it
from threadpoolctl import ThreadpoolController

from fastRCNN.half_precision import to_float32

BLOCK = 256  # rows of a product that one thread computes
SMALL = 2**24  # multiplications: below it, threads cost more than they save


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


class _OneThread:
    """While any thread is inside, BLAS computes with one thread; `allowed`: how many the environment allows it."""

    def __init__(self) -> None:
        self._lock, self._inside, self.allowed = threading.Lock(), 0, 1
        self._limit: Any = None  # of threadpoolctl, which has no types

    def __enter__(self) -> Self:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self.allowed = max((library.num_threads for library in _blas().lib_controllers), default=1)
                self._limit = _blas().limit(limits=1)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


_one_thread = _OneThread()


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product: (N, M) @ (M, K) -> (N, K), of the type that numpy gives it.

    Finite float16 numbers in `a` become float32 in blocks, so that they are never all in memory in both types.
    """
    if a.dtype == np.float16:
        return _product_of_half(a, b)
    with _one_thread:
        if len(a) <= BLOCK or a.size * b.shape[1] < SMALL:
            return a @ b
        out = np.empty((len(a), b.shape[1]), np.result_type(a, b))
        in_blocks(len(a), lambda rows: np.matmul(a[rows], b, out=out[rows]))
        return out


def _product_of_half(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.empty((len(a), b.shape[1]), np.float32)
    b = b.astype(np.float32, copy=False)

    def compute(rows: slice) -> None:
        np.matmul(as_float32(a[rows]), b, out=out[rows])

    in_blocks(len(a), compute)
    return out


def as_numbers(features: ArrayLike) -> np.ndarray:
    """Features as `product` takes them: float16 as it is, anything else as float32."""
    features = np.asarray(features)
    return features if features.dtype == np.float16 else features.astype(np.float32, copy=False)


_buffers = threading.local()


def as_float32(numbers: np.ndarray) -> np.ndarray:
    """Finite float16 numbers (N, M) as float32, in an array of this thread's that its next call writes into again."""
    size = numbers.size
    if getattr(_buffers, "numbers", np.empty(0)).size < size:
        _buffers.numbers = np.empty(size, np.float32)
    out = _buffers.numbers[:size].reshape(numbers.shape)
    to_float32(np.ascontiguousarray(numbers), out)
    return out


def gram(rows: np.ndarray) -> np.ndarray:
    """The inner products of all pairs of rows: (N, M) -> (N, N), symmetric to the last bit."""
    out = np.empty((len(rows), len(rows)), rows.dtype)

    def compute(block: slice) -> None:  # up to the diagonal; the rest mirrors it
        np.matmul(rows[block], rows[: block.stop].T, out=out[block, : block.stop])
        out[: block.start, block] = out[block, : block.start].T

    in_blocks(len(rows), compute)
    # within a block on the diagonal BLAS may round the two halves differently
    for block in _blocks(len(rows)):
        square = out[block, block]
        lower = np.tril_indices(len(square), -1)
        square.T[lower] = square[lower]
    return out


def solve_positive(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve matrix @ x = right.

    Args:
        matrix: (N, N), symmetric positive definite; it is overwritten.
        right: (N,) or (N, K).

    Raises:
        numpy.linalg.LinAlgError: where the matrix is not positive definite.
    """
    with _one_thread:
        factor = linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        return linalg.cho_solve(factor, right, check_finite=False)


def _blocks(count: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def in_blocks(count: int, compute: Callable[[slice], object]) -> None:
    """Call `compute` with one slice of so many rows after the other, in several threads where they are allowed."""
    blocks = _blocks(count)
    with _one_thread:
        workers = min(_one_thread.allowed, len(blocks))
        if workers <= 1:
            for block in blocks:
                compute(block)
            return
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(compute, blocks[::-1]))  # the largest of `gram` first
