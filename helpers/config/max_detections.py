"""How many detections of an image are kept: `nms_maxDetections`, and what "auto" stands for."""

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from helpers.base.errors import UserError
from helpers.base.files import read_lines, refuse_special

LEAST_MAX_DETECTIONS = 100  # COCO's; of "auto"


def auto_max_detections(most_objects: int) -> int:
    """What "auto" is: twice the objects of the most crowded training image, so that a doubtful detection beside each
    right one is no loss; at least 100."""
    return max(LEAST_MAX_DETECTIONS, 2 * most_objects)


def max_detections(value: int | Literal["auto"], folder: Path) -> int:
    """`nms_maxDetections` as a number: value itself, or what "auto" is. folder: of the files of step 2, which count the
    ground-truth boxes of each training image; 100 before they are there.

    Raises:
        UserError: where one is damaged.
    """
    if value != "auto":
        return value
    path = folder / "train.nrRois.txt"
    refuse_special(path)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return LEAST_MAX_DETECTIONS
    return auto_max_detections(_most_ground_truth(path, status.st_mtime_ns, status.st_ino))


@lru_cache
def _most_ground_truth(path: Path, *version: int) -> int:
    advice = "delete it and run 2_computeCntkInputs.py again"
    try:
        return max((int(line.split("\t")[2]) for line in read_lines(path)), default=0)
    except (ValueError, IndexError):
        raise UserError(f"{path}: not as 2_computeCntkInputs.py wrote it; {advice}") from None
    except UserError as error:
        raise UserError(f"{error}; {advice}") from error
