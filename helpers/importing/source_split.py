"""The split that the source itself has: which of its images are to train, to validate and to test on.

Evidence, the strongest first: a list of images (ImageSets/Main/test.txt, train.txt, YOLO's data.yaml); a word in the
annotations (a column "split", CVAT's subset); the name of an annotation file about many images
(instances_val2017.json); the folder of the image, or of its annotations.

This project has images to train on and images to test on. Of a source with all three, images to validate on are
trained on, as with VOC's trainval; of one without a test, they are the test.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from helpers.base.errors import UserError
from helpers.base.tables import counted
from helpers.formats.reading import one_line, read_text
from helpers.formats.records import Record
from helpers.formats.values import Unreadable
from helpers.importing.image_index import FoundImage
from helpers.importing.image_names import path_parts
from helpers.importing.merging import ImportedImage
from helpers.importing.source import ImportSource
from helpers.importing.split_words import (
    BOTH,
    TEST,
    TRAIN,
    VALIDATION,
    WORDS,
    kind_of_file,
    kind_of_folder,
    kind_of_word,
)

LISTS = (BOTH, "train", "val", "valid", "validation", "test")
LIST_FOLDERS = ("", "ImageSets/Main", "ImageSets", "*/ImageSets/Main", "*/*/ImageSets/Main", "../ImageSets/Main")


def mark_splits(source: ImportSource, records: Iterable[Record]) -> list[Record]:
    """The records with `TRAIN`, `VALIDATION`, `TEST` or None as their split, after what their own file says."""
    marked: list[Record] = []
    of_folder: dict[Path, str | None] = {}
    for record in records:
        kind = kind_of_word(record.split) if record.split else None
        if kind is None and record.where:  # one of many images of a file; an image's own file has the image's name
            kind = kind_of_file(record.path.name)
        if kind is None:
            folder = record.path.parent
            if folder not in of_folder:
                of_folder[folder] = _of_folders(source.images.place_of(record.path))
            kind = of_folder[folder]
        marked.append(replace(record, split=kind))
    return marked


def _of_folders(folders: Sequence[str]) -> str | None:
    return next(filter(None, map(kind_of_folder, reversed(folders))), None)


def own_split(source: ImportSource, images: Iterable[ImportedImage]) -> tuple[dict[Path, str], str]:
    """({path: "positive" or "testImages"} of the images that the source gives to a side, what to say of it).

    Args:
        images: of records that were marked. Where the source has no split, ({}, "").
    """
    listed = {path: _without_both(kinds) for path, kinds in _listed_images(source).items()}
    kinds: dict[Path, str | None] = {}
    several: dict[str, list[Path]] = defaultdict(list)
    for item in images:
        path = item.image.path
        if path in listed:
            kinds[path] = next(kind for kind in (TRAIN, TEST, VALIDATION) if kind in listed[path])
            if TRAIN in listed[path] and len(listed[path]) > 1:
                several[" and ".join(sorted(listed[path]))].append(path)
        else:
            kinds[path] = item.split or _of_folders(item.image.parts[:-1])
    count = {kind: sum(found == kind for found in kinds.values()) for kind in (TRAIN, VALIDATION, TEST)}
    if sum(number > 0 for number in count.values()) < 2:
        return {}, ""
    for lists, paths in sorted(several.items()):
        many = counted(len(paths), "image")
        source.note(paths[0], f"is in the source's lists {lists}: trained on, {many} like this")
    side_of = {TRAIN: "positive", VALIDATION: "positive" if count[TEST] else "testImages", TEST: "testImages"}
    text = ", ".join(f"{number} {kind}" for kind, number in count.items() if number)
    more = ""
    if count[VALIDATION]:
        more = "; those to validate on are " + ("trained on" if count[TEST] else "the test")
    sides = {path: side_of[kind] for path, kind in kinds.items() if kind}
    return sides, f"its own split is kept: {text}{more}; --testFraction splits anew"


def _without_both(kinds: set[str]) -> set[str]:
    """Of the lists that name an image those that tell: trainval.txt says less than train.txt and val.txt."""
    if BOTH not in kinds:
        return kinds
    return kinds - {BOTH} if kinds & {TRAIN, VALIDATION} else kinds - {BOTH} | {TRAIN}


def _listed_images(source: ImportSource) -> dict[Path, set[str]]:
    """{path of an image: kinds} after all lists of the source."""
    root = source.path if source.path.is_dir() else source.path.parent
    listed: dict[Path, set[str]] = defaultdict(set)
    for folder in LIST_FOLDERS:
        for place in [root / folder] if "*" not in folder else sorted(root.glob(folder)):
            for path in sorted(place.glob("*.txt")):
                name = path.stem.casefold()  # CVAT writes Train.txt
                for image in _images_of_list(source, path) if name in LISTS else ():
                    listed[image.path].add(BOTH if name == BOTH else WORDS[name])
    for path in sorted([*root.glob("*.yaml"), *root.glob("*.yml")]):
        for kind, image in _images_of_yaml(source, path, root):
            listed[image.path].add(kind)
    return listed


def _images_of_list(source: ImportSource, path: Path) -> list[FoundImage]:
    """The images that a file names, one per row; none where it is no list, such as the label file of train.jpg."""
    if not path.is_file() or not path.stat().st_size:
        return []
    try:
        rows = read_text(path).splitlines()
    except UserError:  # the reader of the format has a word for it, if it is one of its files
        return []
    found = []
    for name in filter(None, map(str.strip, rows)):
        try:
            found.append(source.images.find((name, re.sub(r"\s+(-1|0|1)$", "", name)), path))
        except Unreadable:
            continue  # lists name the images of the whole data set, of which there may be a part only
    return found


def _images_of_yaml(source: ImportSource, path: Path, root: Path) -> list[tuple[str, FoundImage]]:
    """[(kind, image)] after the folders and lists in YOLO's data.yaml."""
    try:
        content = yaml.load(read_text(path), yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError, UserError) as error:
        source.note(path, f"no split is read from it: not readable YAML ({one_line(error)})")
        return []
    if not isinstance(content, dict):
        return []
    found: list[tuple[str, FoundImage]] = []
    base = content.get("path")
    for name, value in content.items():
        kind = WORDS.get(name.casefold()) if isinstance(name, str) else None
        for entry in value if isinstance(value, list) else [value]:
            if kind and isinstance(entry, str) and entry.strip():
                found += [(kind, image) for image in _images_of_entry(source, root, base, entry.strip())]
    return found


def _images_of_entry(source: ImportSource, root: Path, base: object, entry: str) -> list[FoundImage]:
    for folder in ([root / base] if isinstance(base, str) else []) + [root]:
        place = folder / entry
        if place.is_dir() and (images := source.images.below(place)):
            return images
        if place.suffix == ".txt" and place.resolve().is_relative_to(root.resolve()):
            return _images_of_list(source, place)
    wanted = path_parts(entry)  # of Roboflow's "../train/images", and of paths on another machine, what is here
    return [image for image in source.images.images if wanted and _contains(image.parts[:-1], wanted)]


def _contains(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(parts[at : at + len(wanted)] == wanted for at in range(len(parts) - len(wanted) + 1))
