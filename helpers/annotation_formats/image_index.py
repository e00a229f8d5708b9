"""Finding the images that annotations name.

Annotation files name images by whatever path they had on someone's machine. These paths are never opened: they are
compared with the images that lie below the source's folder, so no name can lead out of it.
"""

import contextlib
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from helpers.annotation_formats.common import Unreadable, show
from helpers.dataset import IMAGE_SUFFIXES
from helpers.errors import UserError
from helpers.images import IMPORTED_FORMATS, image_size

CONVERTED_SUFFIXES = (".bmp", ".tif", ".tiff", ".webp", ".gif", ".jfif")  # read, and written anew as PNG
MAX_FILES = 1_000_000


@dataclass(frozen=True)
class FoundImage:
    """An image of the source: its path, and the path relative to the folder that was searched, as parts."""

    path: Path
    parts: tuple

    @cached_property
    def shape(self):
        """((width, height) as displayed, EXIF orientation). Raises `UserError` for an unreadable file."""
        return image_size(self.path, IMPORTED_FORMATS)

    @property
    def needs_conversion(self):
        return self.path.suffix.lower() in CONVERTED_SUFFIXES


class ImageIndex:
    """All images below some folders."""

    def __init__(self, folders):
        self.folders = [Path(folder) for folder in folders]
        self.images = []
        seen = set()
        for folder in self.folders:
            if not folder.is_dir():
                raise UserError(f"{folder}: no such folder of images")
            for image in _images_below(folder):
                if (absolute := os.path.abspath(image.path)) not in seen:
                    seen.add(absolute)
                    self.images.append(image)
        self._by_name, self._by_stem = defaultdict(list), defaultdict(list)
        for image in self.images:
            self._by_name[image.path.name.casefold()].append(image)
            self._by_stem[image.path.stem.casefold()].append(image)

    def find(self, names, near):
        """The image that one of the names means, the first that fits; near: the file that names it.

        Among several of one name the nearest counts: beside the file, the longest common path, folders of like names
        ("labels/train/1.txt" and "images/train/1.jpg"). Raises `Unreadable` where there is none, or no nearest.
        """
        for name in names:
            parts = path_parts(name)
            if not parts:
                continue
            candidates = self._by_name.get(parts[-1].casefold()) or self._by_stem.get(_stem(parts[-1]).casefold())
            if candidates:
                return _nearest(candidates, parts, Path(near), self._own_folders(near))
        folders = ", ".join(str(folder) for folder in self.folders)
        raise Unreadable(f"no image {show(names[0] if names else '')} below {folders}")

    def _own_folders(self, path):
        """The folders of a path below one of the index's own; whatever else it lies in says nothing."""
        for folder in self.folders:
            with contextlib.suppress(ValueError):
                return Path(os.path.abspath(path)).relative_to(os.path.abspath(folder)).parts[:-1]
        return Path(path).parts[:-1]

    def below(self, folder):
        """The images below a folder."""
        root = os.path.abspath(folder)
        return [image for image in self.images if os.path.abspath(image.path).startswith(root + os.sep)]


def path_parts(name):
    """The parts of a path of any system, without drive, root, "." and ".."."""
    parts = [part for part in re.split(r"[\\/]+", name.strip()) if part not in ("", ".", "..")]
    return tuple(parts[1:] if parts and re.fullmatch(r"[A-Za-z]:", parts[0]) else parts)


def _stem(name):
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in IMAGE_SUFFIXES + CONVERTED_SUFFIXES else name


def _images_below(folder):
    count = 0
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        count += len(names)
        if count > MAX_FILES:
            raise UserError(f"{folder}: more than {MAX_FILES:,} files; name the folder of the images with --images")
        for name in sorted(names):
            suffix = os.path.splitext(name)[1].lower()
            path = Path(where, name)
            if suffix in IMAGE_SUFFIXES + CONVERTED_SUFFIXES and not name.startswith(".") and path.is_file():
                yield FoundImage(path, path.relative_to(folder).parts)


def _nearest(candidates, parts, near, near_parts):
    if len(candidates) == 1:
        return candidates[0]
    folders = {part.casefold() for part in near_parts}

    def rank(image):
        own, common = image.parts[:-1], 0
        while common < min(len(own), len(parts) - 1) and own[-1 - common].casefold() == parts[-2 - common].casefold():
            common += 1
        likeness = sum(part.casefold() in folders or (len(part) > 2 and part in near.stem) for part in own)
        beside = image.path.parent == near.parent.joinpath(*parts[:-1])
        return beside, common, common == len(own), image.parts[-1] == parts[-1], likeness

    ranked = sorted(candidates, key=rank, reverse=True)
    if rank(ranked[0]) == rank(ranked[1]):
        first, second = ("/".join(image.parts) for image in ranked[:2])
        raise Unreadable(f"image {show('/'.join(parts))} may be {first} or {second}; name one folder with --images")
    return ranked[0]
