"""How many objects of an image the ROIs and the detections have room for, and which images hold more.

Of the `cntk_nrRois` ROIs of a training image, ground-truth boxes take three quarters at most: the rest is for
proposals, without which there would be no background to learn from. What a crowded image loses by this, or by
`nms_maxDetections`, steps 0, 2 and 5 say, with the value to set.
"""

import os
from functools import lru_cache

import numpy as np

from helpers.base.errors import UserError
from helpers.base.files import read_lines, refuse_special

LEAST_MAX_DETECTIONS = 100  # COCO's; of "auto"
MOST_ROIS = 100_000  # that cntk_nrRois may be
NR_NAMED = 5


def max_ground_truth(nr_rois):
    """How many of a training image's ROIs may be ground-truth boxes."""
    return max(1, 3 * nr_rois // 4)


def _rois_for(nr_objects):
    """The least `cntk_nrRois` whose `max_ground_truth` is that."""
    return -(-4 * nr_objects // 3)


def auto_max_detections(most_objects):
    """What "auto" is: twice the objects of the most crowded training image, so that a doubtful detection beside each
    right one is no loss; at least 100."""
    return max(LEAST_MAX_DETECTIONS, 2 * most_objects)


def max_detections(value, folder):
    """`nms_maxDetections` as a number: value itself, or what "auto" is. folder: of the files of step 2, which count the
    ground-truth boxes of each training image; 100 before they are there. Raises `UserError` where one is damaged."""
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
def _most_ground_truth(path, *version):
    advice = "delete it and run 2_computeCntkInputs.py again"
    try:
        return max((int(line.split("\t")[2]) for line in read_lines(path)), default=0)
    except (ValueError, IndexError):
        raise UserError(f"{path}: not as 2_computeCntkInputs.py wrote it; {advice}") from None
    except UserError as error:
        raise UserError(f"{error}; {advice}") from error


def count_objects(image, annotation, params):
    """How many boxes of an image, an `ImageFile`, are to be learned from or to be found."""
    ignored = annotation.excluded | annotation.is_difficult
    if image.subdir == "positive" and params.train_useDifficult:
        ignored = annotation.excluded
    return int(np.sum(~ignored))


def over_rois(counts, is_training, params):
    """Images with more objects than ROIs have room for: [(key, what is wrong, what to do)]. counts: {key: objects}."""
    limit = max_ground_truth(params.cntk_nrRois) if is_training else params.cntk_nrRois
    most = max(counts.values(), default=0)
    wanted = _rois_for(most) if is_training else most
    remedy = f"set cntk_nrRois={wanted} or more" if wanted <= MOST_ROIS else "cut the image into several"
    if is_training:
        room = f"only {limit} of cntk_nrRois = {params.cntk_nrRois} ROIs are for them, the rest is for background"
    else:
        room = f"cntk_nrRois = {params.cntk_nrRois} ROIs cannot find more than so many"
    return [(key, f"{count} objects, but {room}", remedy) for key, count in counts.items() if count > limit]


def over_detections(counts, limit):
    """Images with more objects than `nms_maxDetections` = limit keeps: [(key, what is wrong, what to do)]."""
    remedy = f"set nms_maxDetections={auto_max_detections(max(counts.values(), default=0))} or more"
    room = f"nms_maxDetections = {limit} detections are kept"
    return [(key, f"{count} objects, but only {room}", remedy) for key, count in counts.items() if count > limit]


def as_lines(found):
    """The first of `over_rois` or `over_detections` as lines to print, and how many more there are."""
    lines = [f"WARNING: {key}: {message}; {remedy}" for key, message, remedy in found[:NR_NAMED]]
    if len(found) > NR_NAMED:
        lines.append(f"WARNING: the same holds for {len(found) - NR_NAMED} more images; {found[0][2]}")
    return lines
