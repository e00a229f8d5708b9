"""Which images a data set has: data/<dataset>/{positive,negative} are trained on, testImages is tested on."""

from dataclasses import dataclass
from pathlib import Path

from helpers.errors import UserError

TRAIN_SUBDIRS, TEST_SUBDIRS = ("positive", "negative"), ("testImages",)
SUBDIRS = TRAIN_SUBDIRS + TEST_SUBDIRS
ANNOTATED_SUBDIRS = ("positive", "testImages")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")  # in any case


@dataclass(frozen=True)
class ImageFile:
    """One image of a data set. `key` names it everywhere: "positive/12.jpg", with / on every system."""

    root: Path
    key: str

    @property
    def path(self):
        return self.root / self.key

    @property
    def subdir(self):
        return self.key.split("/")[0]

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


def list_images(image_dir, subdirs=SUBDIRS):
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


def require_images(images, params, *subdirs):
    """Raise `UserError` where one of these subfolders holds no image."""
    for subdir in subdirs:
        if not any(image.subdir == subdir for image in images):
            suffixes = ", ".join(IMAGE_SUFFIXES)
            raise UserError(
                f"{params.image_dir / subdir}: no image in this folder; put at least one in it ({suffixes})"
            )
