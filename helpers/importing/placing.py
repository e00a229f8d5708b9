"""Putting images and annotations into a data set: all of it or nothing, and nothing that was there is lost."""

import errno
import os
import shutil
from collections import defaultdict
from pathlib import Path

from helpers.base.errors import UserError
from helpers.base.files import link_file, write_text
from helpers.base.fingerprints import fingerprint
from helpers.base.images import IMPORTED_FORMATS, read_image, write_image
from helpers.dataset.annotations import write_annotation
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, BOX_SUFFIXES, LABEL_SUFFIXES, SUBDIRS
from helpers.formats.source import Source
from helpers.importing.file_names import Chosen, Taken, file_names, name_key
from helpers.importing.image_index import FoundImage
from helpers.importing.merging import ImportedImage
from helpers.importing.pictures import first_picture

REPORT = "importReport.txt"

Placed = tuple[ImportedImage, str, str]  # an image, its subdir and its file name there


def write_data_set(new: Path, chosen: list[Chosen], taken: Taken, link: bool) -> list[Placed]:
    """Write images and annotations into the new folder `new`, below `SUBDIRS`; link: links instead of copies."""
    for subdir in SUBDIRS:
        (new / subdir).mkdir(parents=True)
    placed = []
    for (imported, subdir), name in zip(chosen, file_names(chosen, taken), strict=True):
        path = new / subdir / name
        put_image(imported.image, path, link)
        if subdir in ANNOTATED_SUBDIRS:
            write_annotation(path, imported.boxes, imported.labels)
        placed.append((imported, subdir, name))
    return placed


def put_image(image: FoundImage, path: Path, link: bool) -> None:
    """Copy, link or convert an image to the new file `path`."""
    if image.examined.format == "MPO":
        path.write_bytes(first_picture(image.path))
    elif not image.examined.is_kept:
        write_image(path, read_image(image.path, IMPORTED_FORMATS))
    else:
        original = image.path.resolve()
        if not (link and not image.is_temporary and link_file(original, path)):
            shutil.copyfile(original, path)


def not_there_yet(target: Path, images: list[ImportedImage], source: Source) -> tuple[list[ImportedImage], Taken]:
    """(images whose very bytes are not in the data set yet, names that are taken there)."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    taken = set()
    for subdir in SUBDIRS:
        for path in (target / subdir).iterdir() if (target / subdir).is_dir() else ():
            if path.is_file():
                by_size[path.stat().st_size].append(path)
                suffixes = (*BOX_SUFFIXES, *LABEL_SUFFIXES, path.suffix)
                suffix = next(suffix for suffix in suffixes if path.name.endswith(suffix))
                taken.add((subdir, name_key(path.name.removesuffix(suffix))))
    new = []
    for item in images:
        path = item.image.path
        same = by_size.get(path.stat().st_size, ())
        twin = next((other for other in same if fingerprint(other) == fingerprint(path)), None)
        if twin is None:
            new.append(item)
        else:
            source.note(path, f"left out: is in the data set already, as {twin.relative_to(target).as_posix()}")
    return new, frozenset(taken)


def move_into(new: Path, target: Path) -> None:
    """Move files into the data set, annotations first: an image that is there has its boxes. All of them or none."""
    files = [path for path in new.rglob("*") if path.is_symlink() or path.is_file()]
    moved = []
    try:
        for path in sorted(files, key=lambda path: (path.suffix != ".tsv", path)):
            place = target / path.relative_to(new)
            place.parent.mkdir(exist_ok=True)
            if os.path.lexists(place):
                raise UserError(f"{place}: came there meanwhile; run this again")
            moved.append(place)
            _move(path, place)
    except BaseException:
        for place in moved:
            place.unlink(missing_ok=True)
        raise


def _move(path: Path, place: Path) -> None:
    try:
        os.rename(path, place)
    except OSError as error:
        if error.errno != errno.EXDEV:  # a linked folder may lie on another disk
            raise
        shutil.copy2(path, place, follow_symlinks=False)


def write_report(folder: Path, lines: list[str]) -> Path | None:
    """Append lines to the report in a data set's folder; returns its path, or None without any line."""
    path = folder / REPORT
    if not lines:
        return None
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    write_text(path, before + "".join(f"{line}\n" for line in lines))
    return path
