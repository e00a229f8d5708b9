"""Step 0's checks: every file of a data set, what is wrong with it and how to fix it.

An error is what stops a later step or what it would silently leave out; a warning is what may well be meant so.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np

from helpers.base.errors import UserError, printable
from helpers.base.images import image_size, read_with_note
from helpers.base.parallel import in_parallel
from helpers.dataset.annotations import NO_BOXES, Annotation, Problem
from helpers.dataset.caps import auto_max_detections, count_objects, over_detections, over_rois
from helpers.dataset.duplicate_check import check_duplicates
from helpers.dataset.duplicates import look_of
from helpers.dataset.folder_check import check_folders
from helpers.dataset.image_files import ImageFile, natural_order
from helpers.dataset.sources import left_out, list_images, read_annotation
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, TEST_SUBDIRS

MAX_SHOWN, MAX_SHOWN_OF_FILE = 500, 20  # lines of each level, and of one file among them
NEARLY_BLACK = 16  # of 255: the brightest value of an image of 12 bits whose high bytes alone were kept
MIN_SIDE = 64  # pixels; scaling a smaller image up to cntk_padWidth invents more than it shows


@dataclass(frozen=True)
class CheckedImage:
    """What is known of one image: size (width, height) as displayed and `Look`, None for an unreadable one."""

    image: ImageFile
    size: tuple | None
    look: object
    annotation: Annotation
    problems: list

    @property
    def is_test(self):
        return self.image.subdir in TEST_SUBDIRS


@dataclass(frozen=True)
class Report:
    """All problems, errors first, with paths relative to the data set's folder, and all images."""

    problems: list
    images: list

    def lines(self):
        """The problems as lines; of many in a file, and of very many, the first and the number of the others."""
        shown = []
        for level, problems in groupby(self.problems, key=lambda problem: problem.level):
            listed, of_file, hidden = [], Counter(), Counter()
            for problem in problems:
                of_file[problem.path] += 1
                if len(listed) < MAX_SHOWN and of_file[problem.path] <= MAX_SHOWN_OF_FILE:
                    listed.append(problem)
                else:
                    hidden[problem.path] += 1
            shown += [f"{level.upper()}: {problem}" for problem in listed]
            if hidden:
                where = printable(next(iter(hidden))) if len(hidden) == 1 else f"{len(hidden)} files"
                rest = f"{hidden.total()} more in {where}; see to those above, then run this again"
                shown.append(f"{level.upper()}: {rest}")
        return shown

    def count(self, level):
        """The number of problems of level "error" or "warning"."""
        return sum(problem.level == level for problem in self.problems)

    @property
    def exit_code(self):
        return 1 if self.count("error") else 0


def check_dataset(params):
    """Read every file of the data set: a `Report`. Raises `UserError` where its folder is missing."""
    root = params.image_dir
    images, problems = check_folders(root) if params.datasetLayout == "folders" else (list_images(params), [])
    checked = list(in_parallel(partial(_check_image, params=params), images, params, "0 check", threads=True))
    problems += left_out(params) + [problem for image in checked for problem in image.problems]
    problems += check_duplicates(checked)
    problems += _check_classes(checked, params)
    problems += _check_caps(checked, params)
    return Report(sorted((_relative(problem, root) for problem in problems), key=_order), checked)


def _relative(problem, root):
    return replace(problem, path=problem.path.relative_to(root).as_posix())


def _order(problem):
    return problem.level != "error", natural_order(problem.path), problem.row or 0


# --- one image with its annotation -----------------------------------------------------------------------------------


def _check_image(image, params):
    """Decode one image fully and read its annotation: `CheckedImage`."""
    problems, size, look, annotation = [], None, None, NO_BOXES
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


def _check_pixels(image, pixels, note):
    """Problems of pixels (H, W, 3) that are hardly what their photographer saw; note: how they became 8-bit."""
    problems = []
    if note:
        remedy = "if it looks wrong, export it again with 8 bits a channel"
        problems.append(Problem("warning", image.path, None, note, remedy))
    darkest, brightest = int(pixels.min()), int(pixels.max())
    if brightest < NEARLY_BLACK or darkest > 255 - NEARLY_BLACK:
        message = f"no value below {darkest}" if darkest else f"no value above {brightest}"
        remedy = "look at it in a viewer, and export it again if it is not meant so"
        problems.append(Problem("warning", image.path, None, f"all black or all white, {message} of 255", remedy))
    return problems


# --- all images together ---------------------------------------------------------------------------------------------


def _check_caps(checked, params):
    """Problems of images with more objects than ROIs or detections have room for."""
    counts = {False: {}, True: {}}  # is_test -> image's path -> objects
    for item in checked:
        counts[item.is_test][item.image.path] = count_objects(item.image, item.annotation, params)
    limit = params.nms_maxDetections
    if limit == "auto":
        limit = auto_max_detections(max(counts[False].values(), default=0))
    found = over_rois(counts[False], True, params) + over_rois(counts[True], False, params)
    found += over_detections({**counts[False], **counts[True]}, limit)
    return [Problem("warning", path, None, message, remedy) for path, message, remedy in found]


def count_boxes(checked, is_test):
    """Boxes of each label, EXCLUDE and UNDECIDED among them, in the training or the test images: a Counter."""
    return Counter(label for image in checked if image.is_test == is_test for label in image.annotation.labels)


def _check_classes(checked, params):
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
