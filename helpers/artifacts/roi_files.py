"""The regions of interest of step 1: rois/<key>.roi.txt, x1 TAB y1 TAB x2 TAB y2 in whole pixels, one per row."""

from pathlib import Path

import numpy as np

from fastRCNN.structures import Rois
from helpers.artifacts.number_text import parse_whole_numbers
from helpers.base.errors import UserError
from helpers.base.files import read_lines, write_text
from helpers.base.images import MAX_SIDE, Size
from helpers.dataset.image_files import ImageFile

ROW = "%d\t%d\t%d\t%d\n"


def roi_path(roi_dir: Path, image: ImageFile) -> Path:
    """Where step 1 writes the ROIs of an image."""
    return (roi_dir / image.key).with_suffix(".roi.txt")


def write_rois(path: Path, rois: Rois) -> None:
    """Write the boxes, which must lie on whole pixels."""
    numbers = tuple(rois.boxes.astype(np.int64).ravel().tolist())
    write_text(path, ROW * len(rois) % numbers)


def _read_well_formed(path: Path) -> np.ndarray | None:
    """The boxes (R, 4) of a file as `write_rois` makes it; None for any other, which is then looked at row by row."""
    try:
        numbers = parse_whole_numbers(path.read_bytes(), b"\t\t\t\n")
    except OSError:
        return None
    return None if numbers is None else numbers.reshape(-1, 4)


def read_rois(path: Path, size: Size | None = None) -> Rois:
    """Read what step 1 proposed; the file does not tell proposals from boxes of the grid.

    Args:
        size: of the image; without it boxes may lie anywhere.

    Raises:
        UserError: naming file and row.
    """
    width, height = size or (MAX_SIDE, MAX_SIDE)
    if (boxes := _read_well_formed(path)) is not None:
        low, high = boxes[:, :2], boxes[:, 2:]
        if (low < high).all() and (high <= (width, height)).all():
            return Rois.of(boxes)
    rois = []
    try:
        lines = read_lines(path)
    except UserError as error:
        raise UserError(f"{error}; delete it, if it is there, and run 1_computeRois.py again") from error
    for row, line in enumerate(lines, start=1):
        try:
            x1, y1, x2, y2 = map(int, line.split("\t"))
        except ValueError:
            raise UserError(
                f'{path}, row {row}: "{line[:100]}" is not four whole numbers; delete the file and run '
                "1_computeRois.py again"
            ) from None
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            raise UserError(
                f'{path}, row {row}: "{line[:100]}" is no box x1 y1 x2 y2 inside the image of {width} x {height} '
                "pixels; delete the file and run 1_computeRois.py again"
            )
        rois.append((x1, y1, x2, y2))
    return Rois.of(np.array(rois))
