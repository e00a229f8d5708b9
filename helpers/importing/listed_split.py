"""The split that lists of the user ask for: which images to train and to test on, and which show no object."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from helpers.base.errors import UserError
from helpers.formats.reading import read_text
from helpers.formats.values import Unreadable
from helpers.importing.image_index import FoundImage
from helpers.importing.merging import ImportedImage
from helpers.importing.source import ImportSource

SUBDIR_OF_LIST = {"train": "positive", "test": "testImages", "negative": "negative"}


def read_lists(source: ImportSource, lists: dict[str, Sequence[str | Path]]) -> dict[Path, str]:
    """{path of an image: subdir} from files or folders that list images.

    Args:
        lists: {"train" | "test" | "negative": [paths]}. A file has one image per row, by its name with or without
            suffix and folders; a column -1, 0 or 1 after it, as in PASCAL VOC's lists of a class, is passed over. A
            folder stands for all images below it. Names that no image has are noted in `source`; an image in two lists
            raises `UserError`.
    """
    chosen: dict[Path, str] = {}
    origin: dict[Path, Path] = {}
    for kind, paths in lists.items():
        for path in map(Path, paths):
            for image, where in _listed(source, path):
                if chosen.setdefault(image.path, SUBDIR_OF_LIST[kind]) != SUBDIR_OF_LIST[kind]:
                    raise UserError(f"{path}, {where}: {image.path.name} is in {origin[image.path]} already")
                origin.setdefault(image.path, path)
    return chosen


def _listed(source: ImportSource, path: Path) -> list[tuple[FoundImage, str]]:
    """[(image, where it is named)] of a file or a folder."""
    if path.is_dir():
        return [(image, "/".join(image.parts)) for image in source.images.below(path)]
    if path.exists() and not path.stat().st_size:
        return []
    found = []
    for row, line in enumerate(read_text(path).splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        try:
            names = line, name, re.sub(r"\s+(-1|0|1)$", "", name)
            found.append((source.images.find(names, path), f"row {row}"))
        except Unreadable as error:
            source.note(path, str(error), f"row {row}")
    return found


def subdir_by_lists(image: ImportedImage, chosen: dict[Path, str], kinds: Collection[str]) -> str | None:
    """The subdir of an image, or None for an image that no list names.

    Args:
        kinds: which of "train" and "test" have a list; where only one has, the other takes the rest.
    """
    subdir = chosen.get(image.image.path)
    if subdir is None and kinds == {"test"}:
        subdir = "positive"
    elif subdir is None and kinds == {"train"}:
        subdir = "testImages"
    return "negative" if subdir == "positive" and not image.boxes else subdir
