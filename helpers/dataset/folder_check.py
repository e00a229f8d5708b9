"""Step 0's checks of files and folders: what lies where, and how it is called."""

import unicodedata
from pathlib import Path

from helpers.base.images import IMAGE_SUFFIXES
from helpers.dataset.annotations import Problem, say_the_same
from helpers.dataset.image_files import ImageFile, is_image, list_folder_images, name_problem, natural_order
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, BOX_SUFFIXES, LABEL_SUFFIXES, SUBDIRS

OTHER_FORMATS = (".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif", ".gif", ".avif", ".jfif", ".jp2")
LITTER = ("thumbs.db", "desktop.ini")  # written by file managers; names that begin with a dot are left alone as well

Found = tuple[str, str, str]  # level, message and remedy of a problem


def _is_litter(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in LITTER


def _check_root(root: Path) -> list[Problem]:
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


def check_folders(root: Path) -> tuple[list[ImageFile], list[Problem]]:
    """(all images, problems of folders and file names)."""
    list_folder_images(root, ())  # raises where there is no such folder
    images: list[ImageFile] = []
    problems = _check_root(root)
    for subdir in SUBDIRS:
        found, wrong = _check_folder(root, subdir)
        images += found
        problems += wrong
    return images, problems


def _check_folder(root: Path, subdir: str) -> tuple[list[ImageFile], list[Problem]]:
    """(images of a subfolder, problems of its file names)."""
    folder = root / subdir
    paths = [path for path in folder.iterdir() if not _is_litter(path)] if folder.is_dir() else []
    names = sorted((path.name for path in paths if is_image(path)), key=natural_order)
    images = [ImageFile(root, f"{subdir}/{name}") for name in names]
    problems: list[Problem] = []
    if not images:
        message = "no image in this folder" if folder.is_dir() else "no such folder"
        if subdir in ANNOTATED_SUBDIRS:
            remedy = f"put at least one annotated image in it ({', '.join(IMAGE_SUFFIXES)})"
            problems.append(Problem("error", folder, None, message, remedy))
        else:
            remedy = "photos without any object, if there are some, go there and save false detections"
            problems.append(Problem("warning", folder, None, message, remedy))
    problems += _check_names(images)
    stems = {image.stem: image.stem for image in images}
    stems |= {_same_elsewhere(stem): stem for stem in stems if _same_elsewhere(stem) not in stems}
    lost = {path.stem for path in paths if path.suffix.lower() in OTHER_FORMATS}  # their annotations are in order
    for path in sorted(paths):
        if not is_image(path):
            problems += _check_other_file(path, subdir, stems, lost)
    return images, problems


def _same_elsewhere(name: str) -> str:
    """What a name is under Windows and macOS: without upper case, and with accents in one way of two."""
    return unicodedata.normalize("NFC", name).casefold()


def _check_names(images: list[ImageFile]) -> list[Problem]:
    """Problems of names that the steps' files cannot hold, and of two that are one name somewhere."""
    first: dict[str, ImageFile] = {}
    alike: dict[str, ImageFile] = {}
    problems = []
    for image in images:
        wrong = name_problem(image.key)
        if wrong:
            problems.append(Problem("error", image.path, None, *wrong))
        other = first.setdefault(image.stem, image)
        near = alike.setdefault(_same_elsewhere(image.stem), image)
        if other is not image:
            message = f"has the same name as {other.key} but for the suffix, so both have the same annotation file"
            problems.append(Problem("error", image.path, None, message, "rename one of the two"))
        elif near is not image:
            message = f"has the same name as {near.key} under Windows and macOS, where case and accents count less"
            problems.append(Problem("warning", image.path, None, message, "rename one of the two"))
    return problems


def _check_other_file(path: Path, subdir: str, stems: dict[str, str], lost: set[str]) -> list[Problem]:
    """Problems of a file that is no image that the steps read.

    Args:
        stems: those of images, by themselves and by how other systems see them.
        lost: those of images in other formats.
    """
    suffix = next((suffix for suffix in (*BOX_SUFFIXES, *LABEL_SUFFIXES) if path.name.endswith(suffix)), None)
    found: Found | None
    if path.is_dir():
        found = "warning", "a folder in a folder is not read", "move its images one level up"
    elif path.suffix.lower() in OTHER_FORMATS:
        formats = ", ".join(IMAGE_SUFFIXES)
        found = "error", f"images in this format are not read, only {formats}", "export it as JPEG or PNG"
    elif path.suffix.lower() in IMAGE_SUFFIXES:  # and yet no image: see `is_image`
        found = "error", "not a file, but a link to nowhere or a device", "put the image back, or delete this"
    elif suffix is None:
        found = "warning", "neither an image nor an annotation, and not read", "move it out of the data set"
    else:
        stem = path.name.removesuffix(suffix)
        found = _lost_annotation(stem, stems) if stem not in lost else None
        found = found or _unread_annotation(path, suffix, subdir)
    return [Problem(found[0], path, None, *found[1:])] if found else []


def _lost_annotation(stem: str, stems: dict[str, str]) -> Found | None:
    """What is wrong with an annotation file that no image has the stem of."""
    if stems.get(stem) == stem:
        return None
    near = stems.get(_same_elsewhere(stem))
    spelled = f" (but one with other case or other accents: {near!a})" if near else ""
    remedy = "put the image back, name this file after its image, or delete it"
    return "error", f'annotation without an image "{stem}"{spelled}', remedy


def _unread_annotation(path: Path, suffix: str, subdir: str) -> Found | None:
    """What is wrong with an annotation file that nobody reads although its image is there."""
    if subdir not in ANNOTATED_SUBDIRS and (suffix in LABEL_SUFFIXES or not path.stat().st_size):
        remedy = "move the image to positive/ if it shows objects, else delete this file"
        return "warning", "annotations of images without objects are ignored", remedy
    if suffix.endswith(".txt") and (twin := path.with_suffix(".tsv")).exists() and say_the_same(path, twin):
        return "warning", f"not read, because there is {twin.name} with the same rows", "delete one of the two"
    return None
