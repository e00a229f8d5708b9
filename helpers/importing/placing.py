"""Putting images and annotations into a data set: all of it or nothing, and nothing that was there is lost."""

import errno
import os
import shutil
from collections import defaultdict
from pathlib import Path

from helpers.base.errors import UserError
from helpers.base.files import fingerprint, write_text
from helpers.dataset.annotations import write_annotation
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, BOX_SUFFIXES, LABEL_SUFFIXES, SUBDIRS
from helpers.importing.file_names import file_names, name_key
from helpers.importing.pictures import put_image

REPORT = "importReport.txt"


def write_data_set(new, chosen, taken, link):
    """Write images and annotations of (`Settled`, subdir) pairs into the new folder `new`, below `SUBDIRS`.

    Returns a list of (`Settled`, subdir, file name). taken: as in `file_names`; link: links instead of copies.
    """
    for subdir in SUBDIRS:
        (new / subdir).mkdir(parents=True)
    placed = []
    for (settled, subdir), name in zip(chosen, file_names(chosen, taken), strict=True):
        path = new / subdir / name
        put_image(settled.image, path, link)
        if subdir in ANNOTATED_SUBDIRS:
            write_annotation(path, settled.boxes, settled.labels)
        placed.append((settled, subdir, name))
    return placed


def not_there_yet(target, settled, source):
    """(images whose very bytes are not in the data set yet, {(subdir, stem)} that are taken)."""
    by_size, taken = defaultdict(list), set()
    for subdir in SUBDIRS:
        for path in (target / subdir).iterdir() if (target / subdir).is_dir() else ():
            if path.is_file():
                by_size[path.stat().st_size].append(path)
                suffixes = (*BOX_SUFFIXES, *LABEL_SUFFIXES, path.suffix)
                suffix = next(suffix for suffix in suffixes if path.name.endswith(suffix))
                taken.add((subdir, name_key(path.name.removesuffix(suffix))))
    new = []
    for item in settled:
        path = item.image.path
        same = by_size.get(path.stat().st_size, ())
        twin = next((other for other in same if fingerprint(other) == fingerprint(path)), None)
        if twin is None:
            new.append(item)
        else:
            source.note(path, f"left out: is in the data set already, as {twin.relative_to(target).as_posix()}")
    return new, taken


def move_into(new, target):
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


def _move(path, place):
    try:
        os.rename(path, place)
    except OSError as error:
        if error.errno != errno.EXDEV:  # a linked folder may lie on another disk
            raise
        shutil.copy2(path, place, follow_symlinks=False)


def write_report(folder, lines):
    """Append lines to the report in a data set's folder; returns its path, or None without any line."""
    path = Path(folder, REPORT)
    if not lines:
        return None
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    write_text(path, before + "".join(f"{line}\n" for line in lines))
    return path
