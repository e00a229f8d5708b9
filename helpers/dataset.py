"""The images of a data set: those of positive and negative are trained on, those of testImages are tested on."""

from dataclasses import dataclass
from pathlib import Path

from helpers.errors import UserError

TRAIN_SUBDIRS, TEST_SUBDIRS = ("positive", "negative"), ("testImages",)
SUBDIRS = TRAIN_SUBDIRS + TEST_SUBDIRS
ANNOTATED_SUBDIRS = ("positive", "testImages")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")  # in any case


@dataclass(frozen=True)
class ImageFile:
    """One image of a data set. `key` names it everywhere: "positive/12.jpg", its path below the data set's folder,
    with / on every system. part: which of `SUBDIRS` it belongs to, where its folder does not say so."""

    root: Path
    key: str
    part: str = ""

    @property
    def path(self):
        return self.root / self.key

    @property
    def subdir(self):
        return self.part or self.key.split("/")[0]

    @property
    def stem(self):
        return self.path.stem


def natural_order(name):
    """Sort key that puts 2.jpg before 10.jpg."""
    parts, digits = [], ""
    for character in name.lower() + "\0":
        if character.isdecimal() and character.isascii():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, character))
    return parts, name


def list_folder_images(image_dir, subdirs=SUBDIRS):
    """All images of some subfolders, in natural order within each: list of `ImageFile`.

    Raises `UserError` where the data set's folder is missing, or two images of a folder share one annotation file.
    """
    image_dir = Path(image_dir)
    if not image_dir.is_dir():
        raise UserError(
            f"{image_dir}: no such folder; a data set is a folder with {', '.join(SUBDIRS)} in it, "
            "see dataRootDir and datasetName in PARAMETERS.py"
        )
    images = []
    for subdir in subdirs:
        folder = image_dir / subdir
        names = [path.name for path in folder.iterdir() if is_image(path)] if folder.is_dir() else []
        images += [ImageFile(image_dir, f"{subdir}/{name}") for name in sorted(names, key=natural_order)]
    _refuse_equal_stems(images)
    return images


def is_image(path):
    """Whether a path is a file with an image's suffix; hidden files, such as a Mac's ._1.jpg, are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _refuse_equal_stems(images):
    seen = {}
    for image in images:
        other = seen.setdefault((image.subdir, image.stem), image)
        if other is not image:
            raise UserError(f"{image.path}: has the same name as {other.key} but for the suffix; rename one of the two")
