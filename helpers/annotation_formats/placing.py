"""Putting images and annotations into a data set: all of it or nothing, and nothing that was there is lost."""

import contextlib
import os
import re
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

from helpers.annotations import write_annotation
from helpers.archives import RESERVED
from helpers.dataset import ANNOTATED_SUBDIRS, SUBDIRS
from helpers.errors import UserError
from helpers.files import fingerprint, set_aside, write_text
from helpers.images import IMPORTED_FORMATS, read_image, write_image

REPORT = "importReport.txt"
UNSAFE = re.compile(r'[<>:"|?*\\/]')


def is_filled(folder):
    """Whether there is a file in a folder, at whatever depth."""
    return any(names for _, _, names in os.walk(folder))


def file_names(chosen, taken=frozenset()):
    """The new file name of each image: its own, and where several have the same one, with their folders before it.

    chosen: list of (`Settled`, subdir); taken: {(subdir, stem in small letters)} that must stay free. Names are unique
    in each subdir but for suffix and case, because "1.jpg" and "1.PNG" would share their annotations.
    """
    groups = defaultdict(int)
    for settled, subdir in chosen:
        groups[subdir, _stem(settled.image).casefold()] += 1
    used, names = set(taken), []
    for settled, subdir in chosen:
        image = settled.image
        stem = _stem(image)
        if groups[subdir, stem.casefold()] > 1:
            stem = _safe("_".join((*image.parts[:-1], image.path.stem)))
        base, number = stem, 1
        while (subdir, stem.casefold()) in used:
            number += 1
            stem = f"{base}_{number}"
        used.add((subdir, stem.casefold()))
        names.append(stem + (".png" if image.needs_conversion else image.path.suffix))
    return names


def _stem(image):
    return _safe(image.path.stem)


def _safe(name):
    name = "".join(letter if letter.isprintable() else "_" for letter in UNSAFE.sub("_", name)).strip(". ") or "image"
    return f"_{name}" if RESERVED.fullmatch(name) else name[:150]


def place(target, chosen, source, options):
    """Write a data set of (`Settled`, subdir) pairs; returns a list of (`Settled`, subdir, file name) that were placed.

    options.link: links instead of copies; options.add: into what is there already, images whose very bytes are there
    are left out; options.force: what is there is renamed to NAME.old first. Raises `UserError` where something is
    there and neither is given.
    """
    target = Path(target)
    exists = target.exists() and is_filled(target)
    if exists and not (options.add or options.force):
        raise UserError(f"{target}: holds files already; name another data set, or add --add or --force (renames it)")
    adding = exists and options.add
    if adding:
        chosen, taken = _not_there_yet(target, chosen, source)
    else:
        taken = frozenset()
    names = file_names(chosen, taken)
    placed = [(settled, subdir, name) for (settled, subdir), name in zip(chosen, names, strict=True)]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as stage:
            new = Path(stage, target.name)
            for subdir in SUBDIRS:
                (new / subdir).mkdir(parents=True)
            for settled, subdir, name in placed:
                path = new / subdir / name
                _put_image(settled.image, path, options.link)
                if subdir in ANNOTATED_SUBDIRS:
                    write_annotation(path, settled.boxes, settled.labels)
            if adding:
                _move_into(new, target)
                return placed
            if exists:
                print(f"{target}: the old one is now {set_aside(target)}")
            elif target.exists():
                shutil.rmtree(target)  # folders without any file in them
            os.rename(new, target)
    except OSError as error:
        raise UserError(f"{error.filename or target}: cannot be written ({error.strerror})") from error
    return placed


def _put_image(image, path, link):
    if image.needs_conversion:
        write_image(path, read_image(image.path, IMPORTED_FORMATS))
        return
    original = image.path.resolve()
    if link and not image.is_temporary:
        with contextlib.suppress(OSError, NotImplementedError):  # Windows allows links to few
            path.symlink_to(original)
            return
        with contextlib.suppress(OSError):  # works within one disk only
            os.link(original, path)
            return
    shutil.copyfile(original, path)


def _not_there_yet(target, chosen, source):
    """(images whose bytes are not in the data set yet, {(subdir, stem)} that are taken)."""
    by_size, taken = defaultdict(list), set()
    for subdir in SUBDIRS:
        for path in (target / subdir).iterdir() if (target / subdir).is_dir() else ():
            if path.is_file():
                by_size[path.stat().st_size].append(path)
                taken.add((subdir, path.stem.casefold()))
    new = []
    for settled, subdir in chosen:
        path = settled.image.path
        same = by_size.get(path.stat().st_size, ())
        twin = next((other for other in same if fingerprint(other) == fingerprint(path)), None)
        if twin is None:
            new.append((settled, subdir))
        else:
            source.note(path, f"left out: is in the data set already, as {twin.relative_to(target).as_posix()}")
    return new, taken


def _move_into(new, target):
    """Move files, annotations first: an image that is there has its boxes, whenever this is interrupted."""
    files = [path for path in new.rglob("*") if path.is_symlink() or path.is_file()]
    for path in sorted(files, key=lambda path: (path.suffix != ".tsv", path)):
        place_of = target / path.relative_to(new)
        place_of.parent.mkdir(exist_ok=True)
        os.rename(path, place_of)


def write_report(target, notes):
    """Append all notes to the report in the data set's folder; returns its path, or None without any note."""
    path = Path(target, REPORT)
    if not notes:
        return None
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    write_text(path, before + "".join(f"{note}\n" for note in notes))
    return path
