"""Photos that belong to no data set: where a command line finds them, and what the pictures made of them are called."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from helpers.base.errors import UserError
from helpers.dataset.image_files import is_image, natural_order


def find_images(patterns: Iterable[str]) -> list[Path]:
    """Image paths from files, folders (the images in them) and patterns, each once.

    Raises:
        UserError: for one without images.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(os.path.expanduser(pattern))
        if path.is_dir():
            paths = sorted(filter(is_image, path.iterdir()), key=lambda file: natural_order(file.name))
        elif path.is_file():
            paths = [path]
        else:
            paths = list(filter(is_image, map(Path, sorted(_expand(path), key=natural_order))))
        if not paths:
            raise UserError(f"{pattern}: no image there; give a file, a folder with .jpg or .png files, or a pattern")
        found.update(dict.fromkeys(paths))
    return list(found)


def _expand(pattern: Path) -> list[str]:
    """Names that a pattern matches; its beginning that exists is no pattern, as in "photos [2024]/*.jpg"."""
    known = next(folder for folder in (*pattern.parents, Path()) if folder.exists())
    return glob.glob(os.path.join(glob.escape(str(known)), pattern.relative_to(known)), recursive=True)


def picture_paths(paths: Iterable[Path], folder: Path) -> list[Path]:
    """Where each annotated picture goes: by the image's name, numbered where two images have the same name."""
    taken: set[str] = set()
    result = []
    for path in paths:
        name, number = f"{path.stem}.jpg", 2
        while name.lower() in taken:
            name, number = f"{path.stem}_{number}.jpg", number + 1
        taken.add(name.lower())
        result.append(folder / name)
    return result
