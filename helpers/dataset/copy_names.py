"""Telling augmented copies of one photo by their file names, as tools write them.

    IMG_1_jpg.rf.0f3a...e1.jpg      Roboflow: the photo's name, then a hash; several copies differ by the hash
    cup_aug3.jpg, cup_rot90.jpg     programs that augment: the photo's name, then a word for what was done
    cup_crop1.jpg, flip_cup.jpg, cup (copy).jpg     the same, where "cup.jpg" is there as well; else it means nothing

"cup (2).jpg" is none: that is how whole folders of different photos are numbered.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROBOFLOW = re.compile(r"(?P<name>.+)\.rf\.[0-9a-z]{16,}", re.IGNORECASE)
SUFFIX_IN_NAME = re.compile(r"[_.-](jpe?g|png|bmp|webp|tiff?|gif|heic)$", re.IGNORECASE)  # "IMG_1_jpg"
SURE = "aug|augmented|augmentation|flip|flipped|[hv]flip|flip[hv]|fliplr|flipud|mirror|mirrored|rot|rotate|rotated"
LIKELY = (
    "copy|dup|duplicate|noise|noisy|blur|blurred|bright|brighter|brightness|contrast|shear|sheared|jitter|cutout|hue|"
    "saturation|gr[ae]y|gr[ae]yscale|crop|cropped|shift|shifted|zoom|zoomed|scaled|resized|rotation"
)
WAY = "h|v|x|y|lr|ud|horizontal(ly)?|vertical(ly)?|left|right|cw|ccw"
DETAIL = rf"([ _-]?({WAY}))?[ _-]*[\d.]*( ?\(\d+\))?"
AUGMENTED = re.compile(rf"(?P<name>.+?)[ _.-]+(({WAY})[ _-])?((?P<sure>{SURE})|{LIKELY}){DETAIL}", re.IGNORECASE)
COPY_OF = re.compile(
    rf"copy of (?P<of>.+)|(?P<before>.+) \((another |\d+\w\w )?copy\)|({SURE})\d*[ _-]+(?P<behind>.+)",
    re.IGNORECASE,
)
MAX_COPIES = 50  # of one photo that is not there itself; more of them are a running number behind a word


@dataclass(frozen=True)
class PhotoName:
    """The name of the photo that a file is of; whether the file's name says that it is a copy, and how surely."""

    name: str
    is_copy: bool = False
    is_sure: bool = False


def photo_name(stem: str) -> PhotoName:
    """The `PhotoName` of a file name without suffix."""
    if found := ROBOFLOW.fullmatch(stem):
        return PhotoName(photo_name(SUFFIX_IN_NAME.sub("", found["name"])).name, True, True)
    if found := AUGMENTED.fullmatch(stem):
        inner = photo_name(found["name"])
        return PhotoName(inner.name, True, inner.is_sure or bool(found["sure"]))
    if found := COPY_OF.fullmatch(stem):
        return PhotoName(photo_name(next(filter(None, found.group("of", "before", "behind")))).name, True)
    return PhotoName(stem)


def group_by_name(places: Sequence[tuple[object, str]]) -> np.ndarray:
    """Group images that are copies of one photo by their names: int (N,), the index of each group's first member.

    Args:
        places: (folder, file name without suffix). Copies belong to the photo of their name in their own folder; where
            that is none, copies and photos of that name belong together in whatever folder they lie. Photos of one name
            in several folders are different ones, as long as no copy ties them.
    """
    names = [photo_name(stem.casefold()) for _, stem in places]
    photos = {name.name for name in names if not name.is_copy}
    count = Counter(name.name for name in names if name.is_copy)
    for index, name in enumerate(names):
        is_roboflow = ROBOFLOW.fullmatch(places[index][1])
        believed = name.is_sure and (is_roboflow or count[name.name] <= MAX_COPIES)
        if name.is_copy and name.name not in photos and not believed:
            names[index] = PhotoName(places[index][1].casefold())
    at_home = {(folder, name.name) for (folder, _), name in zip(places, names, strict=True) if not name.is_copy}
    strays: set[tuple[object, str]] = set()  # names of copies without their photo beside them
    parents: set[tuple[object, str]] = set()  # photos with copies beside them
    for (folder, _), name in zip(places, names, strict=True):
        if name.is_copy:
            (parents if (folder, name.name) in at_home else strays).add((folder, name.name))
    stray_names = {name for _, name in strays}
    first: dict[tuple[object, str], int] = {}
    groups = []
    for index, ((folder, _), name) in enumerate(zip(places, names, strict=True)):
        place = folder, name.name
        tied = name.name in stray_names and place not in parents
        groups.append(first.setdefault((None, name.name) if tied else place, index))
    return np.array(groups, int)
