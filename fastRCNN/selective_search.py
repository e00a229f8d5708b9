"""Four implementations of selective search behind one function; they differ in speed, number and quality of boxes."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike

from fastRCNN import boxes as box_ops
from fastRCNN.boxes import as_boxes
from fastRCNN.settings import knob


@dataclass(frozen=True)
class SearchSettings:
    """Which engine, on what image size, and the knobs of each engine (see PARAMETERS.py)."""

    engine: str = knob("roi_engine")
    max_image_side: int = knob("roi_maxImgDim")
    colours: tuple[str, ...] = knob("ss_colours")  # fast
    ks: tuple[int, ...] = knob("ss_ks")  # fast: Felzenszwalb's k of each segmentation
    base_k: int = knob("ss_base_k")  # opencv: Felzenszwalb's k of the first segmentation ...
    inc_k: int = knob("ss_inc_k")  # ... and the step to the next one
    blur: float = knob("ss_opencvSigma")  # opencv, pixels
    scale: float = knob("ss_scale")  # selectivesearch: Felzenszwalb's k
    sigma: float = knob("ss_sigma")  # selectivesearch, pixels
    min_size: int = knob("ss_minSize")  # selectivesearch and dlib, square pixels
    kvals: tuple[int, int, int] = knob("ss_kvals")  # dlib: Felzenszwalb's k, first, last, number
    max_merging_iterations: int = knob("ss_max_merging_iterations")  # dlib


def selective_search(image: np.ndarray, settings: SearchSettings, max_side: float = np.inf) -> np.ndarray:
    """Boxes of all regions that selective search finds, unordered and with near duplicates.

    Args:
        image: uint8 RGB (H, W, 3), searched at a size where its longer side has at most `max_image_side` pixels.
        max_side: pixels of the image; the engine "fast" does not look for larger regions, which takes it less time.

    Returns:
        (N, 4) float32 in pixels of the image as given; engine "grid" finds none.

    Raises:
        ImportError: where the engine's package is not installed.
        ValueError: for an unknown engine.
    """
    if settings.engine not in ENGINES:
        raise ValueError(f"unknown engine {settings.engine!r}, known: {', '.join(ENGINES)}")
    factor = min(1.0, settings.max_image_side / max(image.shape[:2]))
    width, height = (max(1, round(side * factor)) for side in image.shape[1::-1])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    boxes = as_boxes(ENGINES[settings.engine](small, settings, min(max_side * factor, max(width, height))))
    back = np.array([image.shape[1] / width, image.shape[0] / height])
    return box_ops.scale(boxes, back.astype(np.float32))


def _fast(image: np.ndarray, settings: SearchSettings, max_side: float) -> ArrayLike:
    try:
        from fastRCNN.fast_search.search import search
    except ImportError as error:
        _say_what_is_missing(str(error))
        return _opencv(image, settings, quality=False)
    return search(image, settings.colours, settings.ks, max_side)


@cache  # once
def _say_what_is_missing(reason: str) -> None:
    print(f'NOTE: the engine "fast" needs numba ({reason}): "opencv-fast" runs in its place', file=sys.stderr)


def _opencv(image: np.ndarray, settings: SearchSettings, quality: bool) -> ArrayLike:
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    switch = search.switchToSelectiveSearchQuality if quality else search.switchToSelectiveSearchFast
    switch(settings.base_k, settings.inc_k, settings.blur)
    return _corners(search.process())


def _selectivesearch(image: np.ndarray, settings: SearchSettings) -> ArrayLike:
    from selectivesearch import selective_search as search  # scikit-image comes with it: imported only when used

    _, regions = search(image, scale=settings.scale, sigma=settings.sigma, min_size=settings.min_size)
    # the package counts a region's last pixel out: width = x_max - x_min
    return _corners([region["rect"] for region in regions]) + np.array([0, 0, 1, 1], np.float32)


def _dlib(image: np.ndarray, settings: SearchSettings) -> ArrayLike:
    try:
        import dlib
    except ImportError as error:
        raise ImportError('the engine "dlib" needs the package dlib: pip install dlib-bin, or dlib') from error
    found: list[dlib.rectangle] = []
    dlib.find_candidate_object_locations(
        image, found, kvals=settings.kvals, min_size=settings.min_size,
        max_merging_iterations=settings.max_merging_iterations,
    )  # fmt: skip
    # dlib's right and bottom are the last pixels inside
    return [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in found]


def _corners(rectangles: ArrayLike) -> np.ndarray:
    """(x, y, width, height) rows -> boxes."""
    rectangles = as_boxes(rectangles)
    return np.hstack([rectangles[:, :2], rectangles[:, :2] + rectangles[:, 2:]])


# from an image, the settings and the longest side in pixels that is wanted, which an engine may leave aside, to boxes
ENGINES: dict[str, Callable[[np.ndarray, SearchSettings, float], ArrayLike]] = {
    "fast": _fast,
    "opencv-fast": lambda image, settings, max_side: _opencv(image, settings, quality=False),
    "opencv-quality": lambda image, settings, max_side: _opencv(image, settings, quality=True),
    "selectivesearch": lambda image, settings, max_side: _selectivesearch(image, settings),
    "dlib": lambda image, settings, max_side: _dlib(image, settings),
    "grid": lambda image, settings, max_side: [],
}
