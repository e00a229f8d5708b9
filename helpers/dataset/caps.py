"""How many objects of an image the ROIs and the detections have room for, and which images hold more.

Of the `cntk_nrRois` ROIs of a training image, ground-truth boxes take three quarters at most: the rest is for
proposals, without which there would be no background to learn from. What a crowded image loses by this, or by
`nms_maxDetections`, steps 0, 2 and 5 say, with the value to set.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from helpers.config.max_detections import auto_max_detections
from helpers.config.schema import Parameters, parameter
from helpers.dataset.annotations import Annotation
from helpers.dataset.image_files import ImageFile

NR_NAMED = 5

Key = str | Path  # of an image
Counts = Mapping[str, int] | Mapping[Path, int]  # name or file of an image -> its number of objects
Over = tuple[Key, str, str]  # an image, what is wrong with it, what to do


def max_ground_truth(nr_rois: int) -> int:
    """How many of a training image's ROIs may be ground-truth boxes."""
    return max(1, 3 * nr_rois // 4)


def _rois_for(nr_objects: int) -> int:
    """The least `cntk_nrRois` whose `max_ground_truth` is that."""
    return -(-4 * nr_objects // 3)


def count_objects(image: ImageFile, annotation: Annotation, params: Parameters) -> int:
    """How many boxes of an image are to be learned from or to be found."""
    use_difficult = image.subdir == "positive" and params.train_useDifficult
    return int(np.sum(~annotation.ignored(use_difficult)))


def over_rois(counts: Counts, is_training: bool, params: Parameters) -> list[Over]:
    """Images with more objects than ROIs have room for."""
    limit = max_ground_truth(params.cntk_nrRois) if is_training else params.cntk_nrRois
    most = max(counts.values(), default=0)
    wanted = _rois_for(most) if is_training else most
    remedy = (
        f"set cntk_nrRois={wanted} or more" if parameter("cntk_nrRois").takes(wanted) else "cut the image into several"
    )
    if is_training:
        room = f"only {limit} of cntk_nrRois = {params.cntk_nrRois} ROIs are for them, the rest is for background"
    else:
        room = f"cntk_nrRois = {params.cntk_nrRois} ROIs cannot find more than so many"
    return [(key, f"{count} objects, but {room}", remedy) for key, count in counts.items() if count > limit]


def over_detections(counts: Counts, limit: int) -> list[Over]:
    """Images with more objects than `nms_maxDetections` = limit keeps."""
    remedy = f"set nms_maxDetections={auto_max_detections(max(counts.values(), default=0))} or more"
    room = f"nms_maxDetections = {limit} detections are kept"
    return [(key, f"{count} objects, but only {room}", remedy) for key, count in counts.items() if count > limit]


def as_lines(found: Sequence[Over]) -> list[str]:
    """The first of `over_rois` or `over_detections` as lines to print, and how many more there are."""
    lines = [f"WARNING: {key}: {message}; {remedy}" for key, message, remedy in found[:NR_NAMED]]
    if len(found) > NR_NAMED:
        lines.append(f"WARNING: the same holds for {len(found) - NR_NAMED} more images; {found[0][2]}")
    return lines
