"""Step 0's summary: how many images and boxes there are, and how large the boxes are against the limits of ROIs."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from helpers.base.tables import format_table
from helpers.config.labels import IGNORED_LABELS
from helpers.config.schema import Parameters
from helpers.dataset.report import CheckedImage, Report, count_boxes
from helpers.formats.own_layout import SUBDIRS

MEASURES = ("shorter side", "longer side", "area", "sides' ratio")
# New photos show objects a little smaller and larger than those at hand, and a proposal is rarely the very size of its
# object: a fifth on sides and on their ratio, a fifth of both sides on areas
SIDE_MARGIN = 1.2
AREA_MARGIN = SIDE_MARGIN**2


@dataclass(frozen=True)
class Limit:
    """A parameter that bounds a column of `relative_sizes`: from above or below; margin: factor of a fitting value."""

    parameter: str
    column: int
    is_upper: bool
    margin: float

    def lost(self, sizes: np.ndarray, value: float) -> int:
        """How many rows of sizes (N, 4) the limit leaves out."""
        column = sizes[:, self.column]
        return int(np.sum(column > value if self.is_upper else column < value))

    def fitting(self, sizes: np.ndarray) -> float:
        """A value that all rows of sizes (N, 4), N > 0, meet with the margin, rounded away from them to 2 digits."""
        column = sizes[:, self.column]
        value = column.max() * self.margin if self.is_upper else column.min() / self.margin
        unit = 10.0 ** (math.floor(math.log10(value)) - 1)
        steps = math.ceil(value / unit - 1e-9) if self.is_upper else math.floor(value / unit + 1e-9)
        rounded = steps * unit
        return float(f"{rounded if self.column == 3 else min(rounded, 1.0):.2g}")


LIMITS = (
    Limit("roi_minDimRel", 0, False, SIDE_MARGIN),
    Limit("roi_maxDimRel", 1, True, SIDE_MARGIN),
    Limit("roi_minNrPixelsRel", 2, False, AREA_MARGIN),
    Limit("roi_maxNrPixelsRel", 2, True, AREA_MARGIN),
    Limit("roi_maxAspectRatio", 3, True, SIDE_MARGIN),
)


def relative_sizes(boxes: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Shorter side, longer side, area, longer / shorter side of boxes (N, 4) -> (N, 4) float64, as in `MEASURES`.

    Lengths are in units of the longer side of the image of size (width, height), areas in units of its square.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64) / max(size)  # (N, 2)
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    return np.stack([shorter, longer, shorter * longer, longer / shorter], axis=1)


def _sizes(checked: Iterable[CheckedImage], is_test: bool) -> np.ndarray:
    rows = [
        relative_sizes(image.annotation.boxes[~image.annotation.ignored(use_difficult=True)], image.size)
        for image in checked
        if image.is_test == is_test and image.size and image.annotation.labels
    ]
    return np.concatenate([np.zeros((0, 4)), *rows])


def summarize(report: Report, params: Parameters) -> str:
    """The whole summary as one text."""
    train, test = (_sizes(report.images, is_test) for is_test in (False, True))
    parts = [_image_table(report.images), _class_table(report.images, params)]
    if len(train):
        parts += [_size_table(train), _limit_table(train, test, params), _lines_to_paste(train, params)]
    return "\n\n".join(parts)


def _image_table(checked: list[CheckedImage]) -> str:
    counts = [sum(image.image.subdir == subdir for image in checked) for subdir in SUBDIRS]
    rows = [[subdir, str(count)] for subdir, count in zip(SUBDIRS, counts, strict=True)]
    return format_table([["folder", "images"], *rows])


def _class_table(checked: list[CheckedImage], params: Parameters) -> str:
    train, test = count_boxes(checked, is_test=False), count_boxes(checked, is_test=True)
    names = [*params.classes, *(name for name in IGNORED_LABELS if train[name] + test[name])]
    rows = [[name, str(train[name]), str(test[name])] for name in names]
    total = ["all", str(train.total()), str(test.total())]
    return format_table([["class", "training boxes", "test boxes"], *rows, total])


def _size_table(sizes: np.ndarray) -> str:
    head = ["training boxes, relative to the longer image side", "min", "median", "max"]
    columns = zip(MEASURES, sizes.min(axis=0), np.median(sizes, axis=0), sizes.max(axis=0), strict=True)
    return format_table([head, *([name, *(f"{value:.3g}" for value in row)] for name, *row in columns)])


def _limit_table(train: np.ndarray, test: np.ndarray, params: Parameters) -> str:
    rows = []
    for limit in LIMITS:
        value = getattr(params, limit.parameter)
        lost = (f"{limit.lost(sizes, value)} of {len(sizes)}" for sizes in (train, test))
        rows.append([limit.parameter, f"{value:g}", *lost, f"{limit.fitting(train):g}"])
    return format_table([["limit of ROIs", "value", "training boxes lost", "test boxes lost", "would fit"], *rows])


def _lines_to_paste(train: np.ndarray, params: Parameters) -> str:
    lines = [f"        {limit.parameter}={limit.fitting(train)!r}," for limit in LIMITS]
    return "\n".join(
        [f'Limits that fit the training boxes, for the block "{params.datasetName}" in PARAMETERS.py:', *lines]
    )
