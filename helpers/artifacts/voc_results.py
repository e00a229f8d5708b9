"""Detections as text files of the PASCAL VOC challenge: one file per class, which the development kit and others score.

`comp4_det_<image set>_<class>.txt` has one detection a row, `image score x1 y1 x2 y2` with blanks between, the image
as the file name without its suffix. Corners are 1-based and inclusive as in VOC's annotations (see
helpers/formats/voc.py): x1 and y1 gain 1 when written, x2 and y2 stay. A class without detections has an
empty file, because the kit stops at a missing one. Source: devkit of PASCAL VOC 2010, sections 4.2 and 4.3 ("comp4" is
the competition of detectors that were trained on any data but the test images).
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TextIO

import numpy as np

from fastRCNN.structures import Detections
from helpers.base.errors import UserError
from helpers.base.files import atomic_path, read_lines


@dataclass(frozen=True)
class ResultRows:
    """The rows of one class's file: images, a tuple of N names; scores (N,) float64; boxes (N, 4) float32.

    Boxes are `[x1, y1, x2, y2]` in pixels without +1, as everywhere else in this project. Scores keep the precision of
    the text, so that no two of another program's become equal by rounding.
    """

    images: tuple[str, ...]
    scores: np.ndarray
    boxes: np.ndarray


def result_path(folder: Path, class_name: str, image_set: str = "test") -> Path:
    """Where the detections of a class are.

    Raises:
        UserError: for a name that cannot be part of a file name.
    """
    if re.search(r'[/\\:*?"<>|\x00-\x1f]', class_name):
        raise UserError(f"class {class_name[:100]!a} cannot be part of the name of a VOC result file; rename the class")
    return Path(folder, f"comp4_det_{image_set}_{class_name}.txt")


@contextlib.contextmanager
def voc_results(folder: Path, classes: Sequence[str], image_set: str = "test") -> "Iterator[ResultWriter]":
    """Write the files of all classes; yields what is to be called once per image, in the order of the evaluation.

    Rows are written as they come, to temporary names. When the block ends well all files take their final names, else
    none does.

    Args:
        classes: their names without the background.

    Raises:
        UserError: for class names that make no file name.
    """
    paths = [result_path(folder, name, image_set) for name in classes]
    if len({path.name.casefold() for path in paths}) < len(paths):
        raise UserError("classes: two differ in case only, which are one file under Windows and macOS; rename one")
    with contextlib.ExitStack() as renaming:
        temporary = [renaming.enter_context(atomic_path(path)) for path in paths]
        with contextlib.ExitStack() as closing:  # all are closed, and so written to the end, before any is renamed
            yield ResultWriter(
                [closing.enter_context(open(path, "w", encoding="utf-8", newline="\n")) for path in temporary]
            )


class ResultWriter:
    """Appends an image's detections to the files of their classes."""

    def __init__(self, files: Sequence[TextIO]) -> None:
        self.files = files
        self.keys: dict[str, str] = {}

    def __call__(self, key: str, found: Detections) -> None:
        """Write one image's detections.

        Args:
            key: the image's file name, with or without folders.
            found: what suppression kept. Equal scores are ranked in the order of the rows.

        Raises:
            UserError: for an image whose name has blanks or is the same as another's but for folder and suffix, because
                VOC could not tell them apart.
        """
        image = PurePosixPath(key).stem
        if len(image.split()) != 1:
            raise UserError(f"{key}: VOC's result files separate columns by blanks; rename the image")
        if image in self.keys:
            raise UserError(f'{key}: VOC knows it as "{image}", and {self.keys[image]} as well; rename one')
        self.keys[image] = key
        corners = found.boxes.astype(np.float64) + (1, 1, 0, 0)  # float64 keeps every digit of the sum
        for (x1, y1, x2, y2), score, class_id in zip(corners, found.scores, found.class_ids, strict=True):
            # the shortest digits that read back as the same number: rounded scores would tie, and rank otherwise
            numbers = (np.format_float_positional(value, unique=True, trim="-") for value in (score, x1, y1, x2, y2))
            self.files[class_id - 1].write(f"{image} {' '.join(numbers)}\n")


def read_results(folder: Path, classes: Sequence[str], image_set: str = "test") -> dict[str, ResultRows]:
    """Class name -> `ResultRows` in the order of the file, also of files that other programs wrote.

    Raises:
        UserError: naming file and row, for a missing file and for a row that is not one text and five finite numbers.
    """
    return {name: _read_rows(result_path(folder, name, image_set)) for name in classes}


def _read_rows(path: Path) -> ResultRows:
    images, numbers = [], []
    for row, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                image, *values = line.split()
                score, *box = map(float, values)
                x1, y1, x2, y2 = box
            except ValueError:
                raise UserError(f"{path}, row {row}: {_show(line)} is not `image score x1 y1 x2 y2`") from None
            if not np.all(np.abs((score, *box)) < 1e30):  # also where one is not a number
                raise UserError(f"{path}, row {row}: {_show(line)} has a number that is not finite")
            images.append(image)
            numbers.append((score, x1 - 1, y1 - 1, x2, y2))
    table = np.array(numbers, np.float64).reshape(-1, 5)
    return ResultRows(tuple(images), table[:, 0], table[:, 1:].astype(np.float32))


def _show(line: str) -> str:
    return ascii(line[:100])
