"""The images of a data set: those of positive and negative are trained on, those of testImages are tested on."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.base.errors import UserError, printable
from helpers.base.images import IMAGE_SUFFIXES
from helpers.formats.own_layout import SUBDIRS

MAX_NAME_BYTES = 215  # of a file's 255, so that .<process>.tmp.NAME.bboxes.labels.tsv can stand beside the image
# Control characters (tab, line break), separators of lines and paragraphs, and bytes that are not UTF-8 text
NOT_IN_NAMES = ("Cc", "Zl", "Zp", "Cs")


@dataclass(frozen=True)
class ImageFile:
    """One image of a data set. `key` names it everywhere: "positive/12.jpg", its path below the data set's folder,
    with / on every system. assigned: which of `SUBDIRS` it belongs to, where its folder does not say so."""

    root: Path
    key: str
    assigned: str = ""

    @property
    def path(self) -> Path:
        return self.root / self.key

    @property
    def subdir(self) -> str:
        return self.assigned or self.key.split("/")[0]

    @property
    def stem(self) -> str:
        return self.path.stem


def natural_order(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that puts 2.jpg before 10.jpg."""
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for character in name.lower() + "\0":
        if character.isdecimal() and character.isascii():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, character))
    return parts, name


def name_problem(name: str) -> tuple[str, str] | None:
    """(what is wrong with an image's name for the text files that steps write, what to do), or None."""
    if any(unicodedata.category(letter) == "Cs" for letter in name):
        return "its name is not UTF-8 text", "rename it (an old archive may hold names in the bytes of another system)"
    if any(unicodedata.category(letter) in NOT_IN_NAMES for letter in name):
        return "its name holds a tab, a line break or another control character", "rename it"
    if len(name.rpartition("/")[2].encode()) > MAX_NAME_BYTES:
        return f"its name has more than {MAX_NAME_BYTES} bytes, and files beside it have longer ones", "shorten it"
    return None


def refuse_bad_names(images: Iterable[ImageFile]) -> None:
    """Raise `UserError` for the first image whose name cannot stand in the steps' files."""
    for image in images:
        problem = name_problem(image.key)
        if problem:
            raise UserError(f"{printable(image.path)}: {problem[0]}; {problem[1]}")


def list_folder_images(image_dir: str | Path, subdirs: Sequence[str] = SUBDIRS) -> list[ImageFile]:
    """All images of some subfolders, in natural order within each.

    Raises:
        UserError: where the data set's folder is missing, and where two images of a folder share one annotation file.
    """
    image_dir = Path(image_dir)
    if not image_dir.is_dir():
        raise UserError(
            f"{image_dir}: no such folder; a data set is a folder with {', '.join(SUBDIRS)} in it, "
            "see dataRootDir and datasetName in PARAMETERS.py"
        )
    images: list[ImageFile] = []
    for subdir in subdirs:
        folder = image_dir / subdir
        names = [path.name for path in folder.iterdir() if is_image(path)] if folder.is_dir() else []
        images += [ImageFile(image_dir, f"{subdir}/{name}") for name in sorted(names, key=natural_order)]
    _refuse_equal_stems(images)
    return images


def is_image(path: Path) -> bool:
    """Whether a path is a file with an image's suffix; hidden files, such as a Mac's ._1.jpg, are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _refuse_equal_stems(images: Iterable[ImageFile]) -> None:
    seen: dict[tuple[str, str], ImageFile] = {}
    for image in images:
        other = seen.setdefault((image.subdir, image.stem), image)
        if other is not image:
            raise UserError(f"{image.path}: has the same name as {other.key} but for the suffix; rename one of the two")
