"""Step 0's checks: every file of a data set, what is wrong with it and how to fix it.

An error is what stops a later step or what it would silently leave out; a warning is what may well be meant so.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from helpers.base.errors import UserError
from helpers.base.images import image_size, read_with_note
from helpers.base.parallel import in_parallel
from helpers.config.schema import Parameters
from helpers.dataset.annotations import Problem
from helpers.dataset.caps import auto_max_detections, count_objects, over_detections, over_rois
from helpers.dataset.duplicate_check import check_duplicates
from helpers.dataset.duplicates import look_of
from helpers.dataset.folder_check import check_folders
from helpers.dataset.image_files import ImageFile, natural_order
from helpers.dataset.report import CheckedImage, Report, count_boxes
from helpers.dataset.sources import left_out, list_images, read_annotation
from helpers.formats.own_layout import ANNOTATED_SUBDIRS

NEARLY_BLACK = 16  # of 255: the brightest value of an image of 12 bits whose high bytes alone were kept
MIN_SIDE = 64  # pixels; scaling a smaller image up to cntk_padWidth invents more than it shows


def check_dataset(params: Parameters) -> Report:
    """Read every file of the data set.

    Raises:
        UserError: where its folder is missing.
    """
    root = params.image_dir
    images, problems = check_folders(root) if params.datasetLayout == "folders" else (list_images(params), [])
    checked = list(in_parallel(partial(_check_image, params=params), images, params, "0 check", threads=True))
    problems += left_out(params) + [problem for image in checked for problem in image.problems]
    problems += check_duplicates(checked)
    problems += _check_classes(checked, params)
    problems += _check_caps(checked, params)
    return Report(sorted((_relative(problem, root) for problem in problems), key=_order), checked)


def _relative(problem: Problem, root: Path) -> Problem:
    return replace(problem, path=Path(problem.path).relative_to(root).as_posix())


def _order(problem: Problem) -> tuple[bool, object, int]:
    return problem.level != "error", natural_order(str(problem.path)), problem.row or 0


# --- one image with its annotation -----------------------------------------------------------------------------------


def _check_image(image: ImageFile, params: Parameters) -> CheckedImage:
    """Decode one image fully and read its annotation."""
    problems: list[Problem] = []
    size, look = None, None
    annotated = image.subdir in ANNOTATED_SUBDIRS
    try:
        pixels, note = read_with_note(image.path)
        size, orientation = image_size(image.path)
        look = look_of(pixels)
        problems += _check_pixels(image, pixels, note)
        if annotated and orientation != 1:
            message = f"EXIF orientation {orientation}: displayed turned or mirrored, as {size[0]} x {size[1]} pixels"
            remedy = "boxes must refer to the image as displayed; look at them with A1_annotateImages.py"
            problems.append(Problem("warning", image.path, None, message, remedy))
        if min(size) < MIN_SIDE:
            message = f"only {size[0]} x {size[1]} pixels"
            problems.append(Problem("warning", image.path, None, message, "use a larger version, if there is one"))
    except UserError as error:
        message, _, remedy = str(error).removeprefix(f"{image.path}: ").rpartition("; ")
        problems.append(Problem("error", image.path, None, message, remedy))
    # of an unreadable image, everything but the image's border can be checked
    annotation, wrong = read_annotation(image, size or (np.inf, np.inf), params)
    problems += wrong
    return CheckedImage(image, size, look, annotation, problems)


def _check_pixels(image: ImageFile, pixels: np.ndarray, note: str) -> list[Problem]:
    """Problems of pixels (H, W, 3) that are hardly what their photographer saw; note: how they became 8-bit."""
    problems = []
    if note:
        remedy = "if it looks wrong, export it again with 8 bits per channel"
        problems.append(Problem("warning", image.path, None, note, remedy))
    darkest, brightest = int(pixels.min()), int(pixels.max())
    if brightest < NEARLY_BLACK or darkest > 255 - NEARLY_BLACK:
        message = f"no value below {darkest}" if darkest else f"no value above {brightest}"
        remedy = "look at it in a viewer, and export it again if it is not meant so"
        problems.append(Problem("warning", image.path, None, f"all black or all white, {message} of 255", remedy))
    return problems


# --- all images together ---------------------------------------------------------------------------------------------


def _check_caps(checked: list[CheckedImage], params: Parameters) -> list[Problem]:
    """Problems of images with more objects than ROIs or detections have room for."""
    counts: dict[bool, dict[Path, int]] = {False: {}, True: {}}  # is_test -> image's path -> objects
    for item in checked:
        counts[item.is_test][item.image.path] = count_objects(item.image, item.annotation, params)
    limit = params.nms_maxDetections
    if limit == "auto":
        limit = auto_max_detections(max(counts[False].values(), default=0))
    found = over_rois(counts[False], True, params) + over_rois(counts[True], False, params)
    found += over_detections({**counts[False], **counts[True]}, limit)
    return [Problem("warning", path, None, message, remedy) for path, message, remedy in found]


def _check_classes(checked: list[CheckedImage], params: Parameters) -> list[Problem]:
    problems = []
    train, test = count_boxes(checked, is_test=False), count_boxes(checked, is_test=True)
    positive, test_images = (params.image_dir / subdir for subdir in ANNOTATED_SUBDIRS)
    for name in params.classes:
        if train[name] == 0:
            remedy = "it will never be found; label some, or take it out of the classes in PARAMETERS.py"
            problems.append(Problem("warning", positive, None, f'no training box of class "{name}"', remedy))
        if test[name] == 0:
            remedy = "label some; without them the class has no AP"
            problems.append(Problem("warning", test_images, None, f'no test box of class "{name}"', remedy))
    return problems
