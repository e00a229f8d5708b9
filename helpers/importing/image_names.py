"""Names of images, as annotation files write them, compared with the paths of images that there are.

Nothing is opened here: a name is text, of whatever system, and may be a URL.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import unquote, urlsplit

from helpers.base.images import PHOTO_SUFFIXES

GENERIC_FOLDERS = {  # that say what is in them, not of which part of the data; in small letters
    "images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "frames", "boxes", "csv",
    "labels", "label", "annotations", "annotation", "annots", "anns", "ann", "bboxes", "xml", "xmls", "json", "txt",
}  # fmt: skip

Image = TypeVar("Image")
Parts = tuple[str, ...]  # of a path


@dataclass(frozen=True)
class Spot(Generic[Image]):
    """An image at a path (parts), compared with the parts of a name, and the folders of the file that names it."""

    image: Image
    parts: Parts
    name: Parts
    place: Parts

    @property
    def folders(self) -> Parts:
        """The folders that the name gives."""
        return self.name[:-1]

    @cached_property
    def common(self) -> int:
        """How many folders, from the last one on, name and image have in common."""
        count = 0
        for own, other in zip(reversed(self.parts[:-1]), reversed(self.folders), strict=False):
            if folded(own) != folded(other):
                break
            count += 1
        return count

    @property
    def whole_name(self) -> bool:
        """Whether the name has the image's suffix."""
        return folded(self.parts[-1]) == folded(self.name[-1])

    @property
    def corresponds(self) -> bool:
        """Whether the image lies where those that the file is about belong."""
        return telling(self.parts[:-1]) == telling(self.place)

    @property
    def is_below(self) -> bool:
        """Whether the image lies in that place, or further down."""
        place = telling(self.place)
        return telling(self.parts[:-1])[: len(place)] == place

    @property
    def is_above(self) -> bool:
        """Whether the file that names it lies in a folder further down, which may or may not say something."""
        own = telling(self.parts[:-1])
        return not telling(self.folders) and own == telling(self.place)[: len(own)]


def telling(folders: Iterable[str]) -> list[str]:
    """Folders without those that say nothing: labels/train and images/train are both train."""
    return [folded(folder) for folder in folders if folded(folder) not in GENERIC_FOLDERS]


def spellings(name: str) -> list[Parts]:
    """The parts of the paths that a name may mean: as it is, without spaces around it and without the %20 of URLs, and
    the path of a URL. A backslash may be a letter of a name here."""
    urls = [urlsplit(name).path] if re.match(r"[a-z]{2,}://", name, re.IGNORECASE) and _is_url(name) else []
    texts = [other for text in (name, unquote(name), *urls, *map(unquote, urls)) for other in (text, text.strip())]
    own = [tuple(name.split("/"))] if "\\" in name and os.sep == "/" else []
    return [parts for parts in dict.fromkeys([*own, *map(path_parts, texts)]) if parts]


def paths_of(name: str, near: Path) -> Iterator[str]:
    """Absolute paths that a name may mean, from the folder of the file that names it: for comparison, not to open."""
    for text in dict.fromkeys((name, unquote(name), name.replace("\\", "/")) if "\0" not in name else ()):
        yield os.path.abspath(near.parent / text)


def _is_url(name: str) -> bool:
    try:
        urlsplit(name)
    except ValueError:  # brackets that are no address
        return False
    return True


def path_parts(name: str) -> Parts:
    """The parts of a path of any system, without drive, root, "." and ".."."""
    parts = [part for part in re.split(r"[\\/]+", name) if part not in ("", ".", "..")]
    return tuple(parts[1:] if parts and re.fullmatch(r"[A-Za-z]:", parts[0]) else parts)


def folded(name: str) -> str:
    """A name for comparison: without the difference between small and capital letters, and between kinds of accents."""
    return unicodedata.normalize("NFC", name).casefold()


def stem_of(name: str) -> str:
    """A file name without the suffix of an image, if it has one."""
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in PHOTO_SUFFIXES else name
