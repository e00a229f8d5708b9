"""Step 0's checks: every file of a data set, what is wrong with it and how to mend it.

An error is what stops a later step or what it would silently leave out; a warning is what may well be meant so.
"""

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from helpers.annotations import BOX_SUFFIXES, LABEL_SUFFIXES, NO_BOXES, Annotation, Problem
from helpers.dataset import (
    ANNOTATED_SUBDIRS,
    IMAGE_SUFFIXES,
    SUBDIRS,
    TEST_SUBDIRS,
    ImageFile,
    is_image,
    list_folder_images,
    natural_order,
)
from helpers.duplicates import look_of, similar_pairs
from helpers.errors import UserError
from helpers.images import image_size, read_image
from helpers.parallel import in_parallel
from helpers.sources import list_images, read_annotation

OTHER_FORMATS = (".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif", ".gif", ".avif", ".jfif", ".jp2")
LITTER = ("thumbs.db", "desktop.ini")  # written by file managers; names that begin with a dot are left alone as well
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

    def count(self, level):
        """The number of problems of level "error" or "warning"."""
        return sum(problem.level == level for problem in self.problems)

    @property
    def exit_code(self):
        return 1 if self.count("error") else 0


def check_dataset(params):
    """Read every file of the data set: a `Report`. Raises `UserError` where its folder is missing."""
    root = params.image_dir
    images, problems = _check_folders(root) if params.datasetLayout == "folders" else (list_images(params), [])
    checked = list(in_parallel(partial(_check_image, params=params), images, params, "0 check", threads=True))
    problems += [problem for image in checked for problem in image.problems]
    problems += _check_duplicates(checked)
    problems += _check_classes(checked, params)
    return Report(sorted((_relative(problem, root) for problem in problems), key=_order), checked)


def _relative(problem, root):
    return replace(problem, path=problem.path.relative_to(root).as_posix())


def _order(problem):
    return problem.level != "error", natural_order(problem.path), problem.row or 0


# --- files and folders -----------------------------------------------------------------------------------------------


def _is_litter(path):
    return path.name.startswith(".") or path.name.lower() in LITTER


def _check_root(root):
    """Problems of what lies beside the three folders: images there, and folders of another name, are never read."""
    problems = []
    for path in root.iterdir():
        if path.is_dir() and path.name not in SUBDIRS and not _is_litter(path):
            message = f"unknown folder, only {', '.join(SUBDIRS)} are read"
            problems.append(Problem("warning", path, None, message, "rename it, or move it out of the data set"))
        elif is_image(path):
            message = f"lies beside the folders {', '.join(SUBDIRS)} and is not read"
            problems.append(Problem("error", path, None, message, "move it into the folder where it belongs"))
    return problems


def _check_folders(root):
    """(all images, problems of folders and file names)."""
    list_folder_images(root, ())  # raises where there is no such folder
    images, problems = [], _check_root(root)
    for subdir in SUBDIRS:
        found, wrong = _check_folder(root, subdir)
        images += found
        problems += wrong
    return images, problems


def _check_folder(root, subdir):
    """(images of a subfolder, problems of its file names)."""
    folder = root / subdir
    paths = [path for path in folder.iterdir() if not _is_litter(path)] if folder.is_dir() else []
    names = sorted((path.name for path in paths if is_image(path)), key=natural_order)
    images = [ImageFile(root, f"{subdir}/{name}") for name in names]
    problems = []
    if not images:
        message = "no image in this folder" if folder.is_dir() else "no such folder"
        if subdir in ANNOTATED_SUBDIRS:
            remedy = f"put at least one annotated image in it ({', '.join(IMAGE_SUFFIXES)})"
            problems.append(Problem("error", folder, None, message, remedy))
        else:
            remedy = "photos without any object, if there are some, go there and save false detections"
            problems.append(Problem("warning", folder, None, message, remedy))
    problems += _check_equal_stems(images)
    stems = {image.stem for image in images}
    lost = {path.stem for path in paths if path.suffix.lower() in OTHER_FORMATS}  # their annotations are in order
    for path in sorted(paths):
        if not is_image(path):
            problems += _check_other_file(path, subdir, stems, lost)
    return images, problems


def _check_equal_stems(images):
    first, problems = {}, []
    for image in images:
        other = first.setdefault(image.stem, image)
        if other is not image:
            message = f"has the same name as {other.key} but for the suffix, so both have the same annotation file"
            problems.append(Problem("error", image.path, None, message, "rename one of the two"))
    return problems


def _check_other_file(path, subdir, stems, lost):
    """Problems of a file that is no image that the steps read."""
    suffix = next((suffix for suffix in (*BOX_SUFFIXES, *LABEL_SUFFIXES) if path.name.endswith(suffix)), None)
    stem = path.name.removesuffix(suffix) if suffix else None
    problem = None
    if path.is_dir():
        problem = "warning", "a folder in a folder is not read", "move its images one level up"
    elif path.suffix.lower() in OTHER_FORMATS:
        formats = ", ".join(IMAGE_SUFFIXES)
        problem = "error", f"images in this format are not read, only {formats}", "export it as JPEG or PNG"
    elif suffix is None:
        problem = "warning", "neither an image nor an annotation, and not read", "move it out of the data set"
    elif stem not in stems | lost:
        remedy = "put the image back, name this file after its image, or delete it"
        problem = "error", f'annotation without an image "{stem}"', remedy
    elif subdir not in ANNOTATED_SUBDIRS:
        remedy = "move the image to positive/ if it shows objects, else delete this file"
        problem = "warning", "annotations of images without objects are ignored", remedy
    elif suffix.endswith(".txt") and path.with_suffix(".tsv").exists():
        remedy = "delete the one that is out of date"
        problem = "warning", f"not read, because there is {path.with_suffix('.tsv').name} as well", remedy
    return [Problem(problem[0], path, None, *problem[1:])] if problem else []


# --- one image with its annotation -----------------------------------------------------------------------------------


def _check_image(image, params):
    """Decode one image fully and read its annotation: `CheckedImage`."""
    problems, size, look, annotation = [], None, None, NO_BOXES
    annotated = image.subdir in ANNOTATED_SUBDIRS
    try:
        pixels = read_image(image.path)
        size, orientation = image_size(image.path)
        look = look_of(pixels)
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


# --- all images together ---------------------------------------------------------------------------------------------


def _check_duplicates(checked):
    """Problems of images that show the same as an earlier one, one line an image and kind."""
    readable = [image for image in checked if image.look]
    others = {}  # (later image's index, kind) -> keys of the earlier images
    for i, j, same in similar_pairs([image.look for image in readable]):
        left, right = readable[i], readable[j]
        across = left.is_test != right.is_test
        if same:
            kind = "leak" if across else "contradiction" if left.image.subdir != right.image.subdir else "twice"
        elif across:
            kind = "near"
        else:
            continue  # a series of photos of the same scene is nothing special
        others.setdefault((j, kind), []).append(left.image.key)
    kinds = {
        "leak": ("error", "the same picture as", "delete one: what was trained on proves nothing in a test"),
        "contradiction": ("error", "the same picture as", "delete one: objects in it would count as background"),
        "twice": ("warning", "the same picture as", "delete one, unless it shall count twice"),
        "near": ("warning", "nearly the same picture as", "train and test on different scenes, if you can"),
    }
    problems = []
    for (index, kind), keys in others.items():
        level, message, remedy = kinds[kind]
        problems.append(Problem(level, readable[index].image.path, None, f"{message} {', '.join(keys)}", remedy))
    return problems


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
