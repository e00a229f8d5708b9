"""Finding the images that annotations name.

Annotation files name images by whatever path they had on someone's machine. These paths are never opened: they are
compared with the images that lie below the source's folder, so no name can lead out of it. And a name is not enough:
"1.jpg" lies in many folders. `ImageIndex.find` says which evidence it wants.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from helpers.base.errors import UserError
from helpers.base.images import IMPORTED_FORMATS, PHOTO_SUFFIXES, image_size
from helpers.base.walking import MAX_FILES, walk
from helpers.formats.records import Dropped
from helpers.formats.values import Size, Unreadable, show
from helpers.importing.image_names import Parts, Spot, folded, path_parts, paths_of, spellings, stem_of, telling
from helpers.importing.pictures import Examined, examine
from helpers.importing.split_words import kind_of_folder, kind_of_word


class Ambiguous(Unreadable):
    """A name of which it is not clear what image it means; images: those that it may mean."""

    def __init__(self, reason: str, images: tuple["FoundImage", ...]) -> None:
        super().__init__(reason)
        self.images = images


@dataclass(frozen=True)
class FoundImage:
    """An image of the source: its path, and the path relative to the folder that was searched, as parts.

    is_temporary: the file is gone after the import, and must be copied.
    """

    path: Path
    parts: Parts
    is_temporary: bool = False

    @cached_property
    def shape(self) -> tuple[tuple[int, int], int]:
        """((width, height) as displayed, EXIF orientation).

        Raises:
            UserError: for an unreadable file.
        """
        return image_size(self.path, IMPORTED_FORMATS)

    @cached_property
    def examined(self) -> Examined:
        """What came out when it was decoded.

        Raises:
            UserError: for an unreadable file.
        """
        return examine(self.path)


class ImageIndex:
    """All images below some folders, each file once, whatever links lead to it.

    named: whether the user named the folders, as those of the images.
    """

    def __init__(self, folders: Iterable[str | Path], named: bool = False) -> None:
        self.folders, self.named = [Path(folder) for folder in folders], named
        self.images: list[FoundImage] = []
        self._spots: dict[str, list[tuple[FoundImage, Parts]]] = defaultdict(list)  # by the stem
        self._by_path: dict[str, FoundImage] = {}  # by the absolute path
        self._real: dict[str, FoundImage] = {}  # by the path that links lead to
        self._folder_names: set[str] = set()
        self._meant: dict[str, set[str]] = {}
        for folder in self.folders:
            if not folder.is_dir():
                raise UserError(f"{folder}: no such folder of images")
            self._add_folder(folder)

    def _add_folder(self, root: Path) -> None:
        found, links = walk(root)
        below: dict[Parts, list[tuple[FoundImage, Parts]]] = defaultdict(list)  # by folder: image, parts below it
        for folder, names in found:
            parts = folder.relative_to(root).parts
            for name in names:
                path, own = folder / name, (*parts, name)
                if _is_image(path):
                    image = self._real.setdefault(os.path.realpath(path), FoundImage(path, own))
                    if image.path == path:
                        self.images.append(image)
                    self._add(image, own, root)
                    for depth in range(len(own)) if links else ():
                        below[own[:depth]].append((image, own[depth:]))
        for link, folder in links:
            for image, parts in below[folder.relative_to(root).parts]:
                self._add(image, (*link.relative_to(root).parts, *parts), root)
                if len(self._by_path) > MAX_FILES:
                    raise UserError(f"{root}: links lead to its images on more than {MAX_FILES:,} ways; remove some")

    def _add(self, image: FoundImage, parts: Parts, root: Path) -> None:
        """Let an image be found under a path, as parts below a folder."""
        self._spots[folded(stem_of(parts[-1]))].append((image, parts))
        self._by_path[os.path.abspath(Path(root, *parts))] = image
        self._folder_names.update(telling(parts[:-1]))

    def add_temporary(self, path: Path, parts: Parts) -> None:
        """Take in an image that lies elsewhere, and is gone after the import, under some parts."""
        image = FoundImage(path, parts, is_temporary=True)
        self.images.append(image)
        self._add(image, image.parts, self.folders[0])

    def find(self, names: Sequence[str], near: Path, size: Size | None = None, strict: bool = False) -> FoundImage:
        """The image that one of the names means, the first that fits; near: the file that names it.

        A name may be a path of any system or a URL, with or without suffix. Among several images of one name the
        nearest counts: the longest common path, a folder that corresponds to that of `near` ("labels/train/1.txt" and
        "images/train/1.jpg"), the recorded size (width, height).

        Args:
            strict: an equal name alone is no evidence. The image must lie where the name leads, in a folder that the
                name gives, or in the one that corresponds to that of `near`; a name without folders may be that of an
                image below the latter, if the recorded size fits, or if no size is recorded and it has the image's
                suffix, or `near` is named after the image's folder. In folders that the user named, every name counts.

        Raises:
            Ambiguous: where there is no nearest, and where an image above the folder of `near` has the name.
            Unreadable: where there is none.
        """
        for path in (path for name in names for path in paths_of(name, near)):
            if path in self._by_path:
                return self._by_path[path]
        place = self.place_of(near)
        refused: list[Spot[FoundImage]] = []
        for parts in dict.fromkeys(spelled for name in names for spelled in spellings(name)):
            spots = [Spot(image, own, parts, place) for image, own in self._like(parts[-1])]
            whole = [spot for spot in spots if spot.whole_name]
            fitting = [spot for spot in whole or spots if not strict or self._is_evident(spot, near.stem, size)]
            if fitting:
                return _nearest(fitting, parts, near, size)
            refused += spots
        folders = ", ".join(str(folder) for folder in self.folders)
        elsewhere = f"; {refused[0].image.path} is in another folder: name its own with --images" if refused else ""
        message = f"no image {show(names[0] if names else '')} below {folders}{elsewhere}"
        above = tuple(dict.fromkeys(spot.image for spot in refused if spot.is_above))
        raise Ambiguous(message, above) if above else Unreadable(message)

    def names_in(self, split: str | None, name: str) -> tuple[tuple[str, ...], tuple[Dropped, ...]]:
        """(names for `find`, `Dropped`s) of an image whose split annotations give beside its name.

        "1.jpg" of the split "Test" is in Test/, where images lie in a folder of that name. If it is not there, and one
        image elsewhere has the name, nobody knows whether that is meant.
        """
        spots = self._like(path_parts(name)[-1]) if split and path_parts(name) else []
        if not split or not spots:
            return (name,), ()
        if folded(split) not in self._folder_names:  # perhaps the images of that split are not here at all
            own = kind_of_word(split)
            others = [any(kind_of_folder(part) not in (None, own) for part in parts[:-1]) for _, parts in spots]
            return ((f"{split}/{name}",) if own and all(others) else (name,)), ()
        is_there = any(folded(split) in map(folded, parts[:-1]) for _, parts in spots)
        if not is_there and len({image.path for image, _ in spots}) == 1:
            return (name,), (Dropped("", f"no image {show(name)} in {split}/, the folder of its split"),)
        return ((f"{split}/{name}", name) if len(path_parts(name)) > 1 else (f"{split}/{name}",)), ()

    def like(self, name: str) -> list[FoundImage]:
        """The images that a file of this name might be about, wherever they lie."""
        return [image for image, _ in self._like(name)]

    def _like(self, name: str) -> list[tuple[FoundImage, Parts]]:
        """[(image, parts)] of a name that has a suffix or not: "a.jpg" is a.jpg, or a.jpg.png without its suffix."""
        return [spot for key in {folded(stem_of(name)): 0, folded(name): 0} for spot in self._spots.get(key, ())]

    def place_of(self, path: Path) -> Parts:
        """The folders of a file below one of the index's own; whatever else it lies in says nothing."""
        path = Path(os.path.abspath(path))
        for folder in map(os.path.abspath, self.folders):
            if path.is_relative_to(folder):
                return path.relative_to(folder).parts[:-1]
        return ()

    def _is_evident(self, spot: Spot[FoundImage], stem: str, size: Size | None) -> bool:
        if spot.common or self.named:
            return True
        if telling(spot.folders):  # it is in another folder than the one named
            return spot.corresponds and folded(spot.folders[-1]) not in self._folder_names
        if spot.corresponds:
            return True
        meant = self._meant_by(stem)
        if meant and meant.isdisjoint(map(folded, spot.parts)):
            return False
        return spot.is_below and (_has_size(spot.image, size) if size else spot.whole_name or bool(meant))

    def _meant_by(self, stem: str) -> set[str]:
        """The folders that an annotation file is named after: instances_train2017.json is about train2017/."""
        if stem not in self._meant:
            self._meant[stem] = {name for name in self._folder_names if len(name) > 2 and name in folded(stem)}
        return self._meant[stem]

    def below(self, folder: Path) -> list[FoundImage]:
        """The images below a folder."""
        root = os.path.realpath(folder)
        return [image for image in self.images if os.path.realpath(image.path).startswith(root + os.sep)]


def _has_size(image: FoundImage, size: Size | None) -> bool:
    try:
        return size is not None and sorted(image.shape[0]) == sorted(size)
    except UserError:
        return False


def _nearest(spots: list[Spot[FoundImage]], parts: Parts, near: Path, size: Size | None) -> FoundImage:
    """The image of the spot that fits best.

    Raises:
        Ambiguous: where two images fit equally well.
    """

    def rank(spot: Spot[FoundImage]) -> tuple[bool, int, bool, bool, bool, bool, int]:
        own = spot.parts[:-1]
        likeness = sum(folded(part) in map(folded, spot.place) or (len(part) > 2 and part in near.stem) for part in own)
        beside = spot.image.path.parent == near.parent.joinpath(*parts[:-1])
        same = spot.parts[-1] == parts[-1]  # in small and capital letters
        same_stem = stem_of(spot.parts[-1]) == stem_of(parts[-1])
        return beside, spot.common, spot.common == len(own), same, same_stem, spot.corresponds, likeness

    ranks = [rank(spot) for spot in spots]
    best = list(dict.fromkeys(spot.image for spot, own in zip(spots, ranks, strict=True) if own == max(ranks)))
    if len(best) > 1:
        best = [image for image in best if _has_size(image, size)] or best
    if len(best) > 1:
        first, second = ("/".join(image.parts) for image in best[:2])
        raise Ambiguous(
            f"image {show('/'.join(parts))} may be {first} or {second}; name one folder with --images", tuple(best)
        )
    return best[0]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in PHOTO_SUFFIXES and path.is_file()
