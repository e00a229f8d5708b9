"""The Selective Search boxes that were published with Fast R-CNN, instead of ROIs of one's own (`tools/getData.py`).

`voc_2007_trainval.mat` and the like are MATLAB files with two cell arrays of one length: `images`, the names of the
images without suffix, and `boxes`, an (R, 4) array each with rows (y1, x1, y2, x2), 1-based and inclusive. Source: the
loader of rbgirshick/fast-rcnn, lib/datasets/pascal_voc.py, `_load_selective_search_roidb`, which swaps the columns and
takes 1 from all of them, for 0-based inclusive corners. Boxes of VOC 2007 are whole numbers; those of 2012 were made on
resized images (rcnn, selective_search_boxes.m), so fractions are allowed.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from helpers.base.errors import UserError
from helpers.fetching.matlab_files import Cell, Unreadable, cell_array

FOLDER = "selective_search_data"
MAX_BOXES = 2**26  # of a file, 1 GiB; the largest published one, of 11,540 images, has less than half of that
MAX_COORDINATE = 2**16  # pixels


def find_published(folder: Path, data_set: str, part: str) -> Path | None:
    """The file for a part of a VOC data set, such as ("VOC2007", "trainval"), below the folder of all data sets.

    None where there is none, and for data sets that are not VOC's.
    """
    year = re.fullmatch(r"VOC(\d{4})", data_set)
    path = Path(folder, FOLDER, f"voc_{year[1]}_{part}.mat") if year else None
    return path if path and path.is_file() else None


def count_published(path: Path) -> int:
    """The number of images in a file, without reading their boxes. Raises `UserError` as `PublishedRois` does."""
    with _naming(path), cell_array(path, "images") as (count, _), cell_array(path, "boxes") as (count_boxes, _):
        if count != count_boxes:
            raise Unreadable(f"has {count} names of images and boxes of {count_boxes}")
    return count


class PublishedRois:
    """The boxes of all images of one file, by the images' names.

    `rois["000005"]`: (R, 4) float32 `[x1, y1, x2, y2]`, pixels without +1, in the order of the file; `names`: tuple in
    the order of the file. In memory a box has 16 bytes: about 160 MB for VOC 2007 trainval (5,011 images of some 2,000
    boxes). No copy in double precision is held beside that, but for one image at a time.

    Raises `UserError`, naming file, image and value, for files that are not as described above: missing or foreign
    variables, names twice, arrays that are not (R, 4), corners that are not finite, out of order or beyond 1..65536,
    more than 4 GiB or 2**26 boxes.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        count_published(path)
        with _naming(path), cell_array(path, "images") as (_, cells):
            self.names = tuple(_image_name(cell, row) for row, cell in enumerate(cells, start=1))
        self._boxes: dict[str, np.ndarray] = {}
        total = 0
        with cell_array(path, "boxes") as (_, cells):
            for name in self.names:
                with _naming(f"{path}, image {name}"):
                    if name in self._boxes:
                        raise Unreadable("comes twice")
                    self._boxes[name] = _converted(next(cells))
                    total += len(self._boxes[name])
                    if total > MAX_BOXES:
                        raise Unreadable(f"the file has more than {MAX_BOXES} boxes")

    def __contains__(self, name: str) -> bool:
        return name in self._boxes

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._boxes:
            raise UserError(
                f"{self.path}: has no boxes for the image {name[:100]!a}; is it the file of this image set?"
            )
        return self._boxes[name]


@contextlib.contextmanager
def _naming(what: object) -> Iterator[None]:
    """What is wrong inside, as a `UserError` that names the file."""
    try:
        yield
    except Unreadable as error:
        raise UserError(f"{what}: {error}") from error
    except OSError as error:
        raise UserError(f"{what}: cannot be read ({error.strerror})") from error


def _image_name(cell: Cell, row: int) -> str:
    name = cell if isinstance(cell, str) else f"an array of shape {cell.shape}"
    if not isinstance(cell, str) or not re.fullmatch(r"[\w.-]{1,100}", name, re.ASCII):
        raise Unreadable(f'row {row} of "images" is {name[:100]!a}, which is no name of an image')
    return name


def _converted(cell: Cell) -> np.ndarray:
    """MATLAB's (R, 4) array of (y1, x1, y2, x2), 1-based inclusive -> (R, 4) float32 `[x1, y1, x2, y2]`, no +1."""
    if isinstance(cell, str):
        raise Unreadable("has a text where boxes belong")
    if cell.size == 0:
        return np.zeros((0, 4), np.float32)
    if cell.ndim != 2 or cell.shape[1] != 4:
        raise Unreadable(f"has an array of shape {cell.shape}, not (number of boxes, 4)")
    y1, x1, y2, x2 = cell.T.astype(np.float64)
    # written so that a comparison with "not a number" is not fine either
    fine = (x1 >= 1) & (x1 <= x2) & (x2 <= MAX_COORDINATE) & (y1 >= 1) & (y1 <= y2) & (y2 <= MAX_COORDINATE)
    if not fine.all():
        row = int(np.argmin(fine))
        value = ", ".join(f"{number:.10g}" for number in cell[row])
        raise Unreadable(f"box {row + 1} is (y1, x1, y2, x2) = ({value}); expected 1 <= y1 <= y2, 1 <= x1 <= x2")
    return np.stack([x1 - 1, y1 - 1, x2, y2], axis=1).astype(np.float32)
